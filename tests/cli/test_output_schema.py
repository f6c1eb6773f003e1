"""`--output-schema`: JSON on stdout and nothing else, whatever the model and the transport."""

import json
import py_compile
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import Terminal
from tests.conftest import Agentctl
from tests.local_weights import local_home, weights_file
from tests.service.client import Service
from tests.service.steps import http_error, incomplete, items, refusal, text, tool_calls

__all__ = ["local_home", "weights_file"]

KEY = "sk-canary-1234567890"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "note": {"type": "string"}},
    "required": ["city"],
}
TEXT = json.dumps(SCHEMA)
ANSWER = '{"city": "Oslo", "note": null}'
MODELS = """
import dataclasses
from pydantic import BaseModel, Field

class City(BaseModel):
    name: str = Field(alias="Name")

@dataclasses.dataclass
class Count:
    of: dict[str, int]

number = 3
"""
STOPPING = """
from agentctl import Agent, function_tool

@function_tool
def look() -> str:
    return '{"city": "Oslo"}'

@function_tool
def guess() -> dict:
    return {"town": "Oslo"}

agent = Agent(name="a", tools=[look, guess], tool_use_behavior="stop_on_first_tool")
typed = Agent(name="t", output_type=dict[str, int])
front = Agent(name="f", handoffs=[Agent(name="back")])
"""


@pytest.fixture
def env(service: Service) -> dict[str, str]:
    return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.base_url}


@pytest.mark.parametrize("command", ["run", "stream"])
@pytest.mark.parametrize(
    "options",
    [["--transport", "http"], ["--transport", "websocket"], ["--api", "chat_completions"]],
    ids=["http", "websocket", "chat"],
)
def test_stdout_is_the_json_and_nothing_else(
    service: Service, agentctl: Agentctl, env: dict[str, str], command: str, options: list[str]
) -> None:
    service.script(text(ANSWER, deltas=3))
    done = agentctl(command, *options, "--output-schema", TEXT, "Where?", env=env)
    assert (done.returncode, done.stdout) == (0, '{"city": "Oslo"}\n'), done.stderr
    assert done.stderr.startswith("note: the output schema is made strict for the service: optional fields may be null")
    (request,) = service.requests()
    form = request["body"].get("response_format", {}).get("json_schema") or request["body"]["text"]["format"]
    assert (form["strict"], form["schema"]["required"]) == (True, ["city", "note"])


@pytest.mark.parametrize("mode", ["tool", "auto"])
def test_a_chat_server_is_asked_in_its_mode(
    service: Service, agentctl: Agentctl, env: dict[str, str], mode: str
) -> None:
    service.script(*[text("Hello")] * (mode == "auto"), tool_calls(("final_output", json.loads(ANSWER))))
    options = ["--api", "chat_completions", "--output-schema", TEXT]
    done = agentctl("stream", *options, "Where?", env={**env, "AGENTCTL_OUTPUT_MODE": mode})
    assert (done.returncode, done.stdout) == (0, '{"city": "Oslo"}\n'), done.stderr


def test_the_log_goes_to_stderr(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.script(text(ANSWER))
    done = agentctl("run", "--verbose", "--output-schema", TEXT, "Where?", env=env)
    assert (done.stdout, "DEBUG" in done.stderr) == ('{"city": "Oslo"}\n', True)


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_the_final_output_of_the_documents_is_the_value(
    service: Service, agentctl: Agentctl, env: dict[str, str], format: str
) -> None:
    service.script(text(ANSWER, deltas=3))
    done = agentctl("run", "--format", format, "--output-schema", TEXT, "Where?", env=env)
    assert json.loads(done.stdout.splitlines()[-1])["final_output"] == {"city": "Oslo"}


def test_a_text_is_json_too(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.script(*[text('{"response": "Oslo"}')] * 2)
    for command in ("run", "stream"):
        assert agentctl(command, "--output-schema", '{"type": "string"}', "?", env=env).stdout == '"Oslo"\n'


def test_a_terminal_sees_the_checked_answer_only(service: Service, home: Path, env: dict[str, str]) -> None:
    service.script(items(text("Let me see."), tool_calls(("look", {}))), text(ANSWER, deltas=3))
    (home / "a.py").write_text(STOPPING.replace(', tool_use_behavior="stop_on_first_tool"', ""))
    with Terminal("stream", "-a", "a.py:agent", "--output-schema", TEXT, "?", env=env, folder=home) as terminal:
        terminal.read_until('"Oslo"}')
        assert terminal.process.wait(20) == 0
        assert "Let me see." not in terminal.text
        assert "null" not in terminal.text.partition("note)")[2]


@pytest.mark.parametrize(
    ("step", "code", "message"),
    [
        (text('{"city": 3, "note": null}'), 65, "does not match the schema: $.city: 3 is not of type 'string'"),
        (text("Oslo"), 65, "is not JSON"),
        (refusal(), 85, "the model refused"),
        (incomplete(of=text('{"city": "Os')), 65, "cut before its end"),
    ],
    ids=["mismatch", "text", "refusal", "cut"],
)
@pytest.mark.parametrize("command", ["run", "stream"])
def test_an_answer_that_does_not_match_is_not_printed(
    service: Service, agentctl: Agentctl, env: dict[str, str], step: Any, code: int, message: str, command: str
) -> None:
    service.script(step)
    done = agentctl(command, "--output-schema", TEXT, "Where?", env=env)
    assert (done.returncode, done.stdout, message in done.stderr) == (code, "", True), done.stderr


@pytest.mark.parametrize(
    ("value", "code", "message", "requests"),
    [
        ('{"$ref": "https://example.com/a.json"}', 2, "nothing is fetched", 0),
        ('{"type": "strng"}', 2, "the output schema is invalid at $.type", 0),
        ('{"dependentRequired": {"a": "b"}}', 2, "the output schema is invalid at $.dependentRequired", 1),
        ('{"type": ', 2, "is not JSON", 0),
        ("", 2, "the output schema is empty", 0),
        ("missing.json", 2, "missing.json: No such file", 0),
        ("models.py", 2, "models.py:Class", 0),
        ("models.py:number", 78, "not a class", 0),
        ("models.py:Nope", 78, "has no attribute 'Nope'", 0),
        (
            "json:JSONDecoder",
            78,
            "schema for <class 'json.decoder.JSONDecoder'>. Set `arbitrary_types_allowed=True` in",
            0,
        ),
        ("nowhere:Nope", 78, "there is no module 'nowhere'", 0),
    ],
)
def test_a_wrong_schema_is_an_error(
    service: Service,
    agentctl: Agentctl,
    home: Path,
    env: dict[str, str],
    value: str,
    code: int,
    message: str,
    requests: int,
) -> None:
    """What needs `jsonschema` is found while the service answers; that it rejects the schema too changes nothing."""
    (home / "models.py").write_text(MODELS)
    for step in (http_error(400, {"error": {"message": "Invalid schema"}}), text("no JSON"))[: requests + 1]:
        service.reset()
        service.script(step)
        done = agentctl("run", "--output-schema", value, "Where?", env=env, cwd=home)
        assert (done.returncode, message in done.stderr, len(service.requests())) == (code, True, requests), done.stderr


def test_a_dry_run_checks_the_whole_schema(agentctl: Agentctl) -> None:
    assert agentctl("run", "--dry-run", "--output-schema", '{"type": "strng"}', "?").returncode == 2
    done = agentctl("run", "--dry-run", "--output-schema", TEXT, "?")
    assert json.loads(done.stdout)["request"]["body"]["text"]["format"]["strict"] is True


def test_the_schema_comes_from_a_file_stdin_or_a_class(
    service: Service, agentctl: Agentctl, home: Path, env: dict[str, str]
) -> None:
    (home / "city.json").write_text(TEXT)
    (home / "models.py").write_text(MODELS)
    for value, answer, shown in (
        ("city.json", ANSWER, '{"city": "Oslo"}\n'),
        ("-", ANSWER, '{"city": "Oslo"}\n'),
        ("models.py:City", '{"Name": "Oslo"}', '{"Name": "Oslo"}\n'),
        ("models:Count", '{"response": {"of": {"a": 1}}}', '{"of": {"a": 1}}\n'),
    ):
        service.reset()
        service.script(text(answer))
        done = agentctl("run", "--output-schema", value, "?", env=env, cwd=home, input=TEXT if value == "-" else None)
        assert (done.returncode, done.stdout) == (0, shown), done.stderr
    service.script(text('{"Name": 3}'))
    done = agentctl("run", "--output-schema", "models.py:City", "?", env=env, cwd=home)
    assert (done.returncode, "not valid for City: Name" in done.stderr) == (65, True)


def test_the_code_of_a_class_is_guarded(agentctl: Agentctl, home: Path, env: dict[str, str]) -> None:
    """As with `-a`: what is named runs, but a sibling without source does not."""
    (home / "hidden.py").write_text("open('ran', 'w')\n")
    py_compile.compile(str(home / "hidden.py"), cfile=str(home / "hidden.pyc"))
    (home / "hidden.py").unlink()
    (home / "models.py").write_text(f"import hidden\n{MODELS}")
    for value in ("models.py:City", "models:City"):
        done = agentctl("run", "--output-schema", value, "?", env=env, cwd=home)
        assert (done.returncode, "is bytecode" in done.stderr) == (78, True), done.stderr
    assert not (home / "ran").exists()


def test_the_output_of_a_tool_is_checked(service: Service, agentctl: Agentctl, home: Path, env: dict[str, str]) -> None:
    (home / "a.py").write_text(STOPPING)
    (home / "models.py").write_text(MODELS)
    for tool, value, code, shown in (
        ("look", TEXT, 0, '{"city": "Oslo"}\n'),
        ("guess", TEXT, 65, ""),
        ("guess", "models.py:City", 65, ""),
    ):
        service.reset()
        service.script(tool_calls((tool, {})))
        done = agentctl("run", "-a", "a.py:agent", "--output-schema", value, "?", env=env, cwd=home)
        assert (done.returncode, done.stdout) == (code, shown), done.stderr


def test_an_agent_has_one_output_type(service: Service, agentctl: Agentctl, home: Path, env: dict[str, str]) -> None:
    (home / "a.py").write_text(STOPPING)
    done = agentctl("run", "-a", "a.py:typed", "--output-schema", TEXT, "?", env=env, cwd=home)
    assert (done.returncode, "remove --output-schema" in done.stderr) == (2, True)
    service.script(tool_calls(("transfer_to_back", {})), text(ANSWER))
    done = agentctl("run", "-a", "a.py:front", "--output-schema", TEXT, "?", env=env, cwd=home)
    assert (done.returncode, done.stdout) == (0, '{"city": "Oslo"}\n')


def test_a_ticket_keeps_the_schema(service: Service, agentctl: Agentctl, env: dict[str, str], pair: str) -> None:
    service.reset()
    service.script(tool_calls(("note", {"word": "one"})), text(ANSWER), text(ANSWER))
    env["NOTES"] = "notes.txt"
    done = agentctl(
        "run", "-a", pair, "--on-approval", "suspend", "--output-schema", TEXT, "--format", "json", "?", env=env
    )
    ticket = json.loads(done.stdout)["ticket"]
    done = agentctl("run", "--resume", ticket, "--on-approval", "allow", env=env)
    assert (done.returncode, done.stdout) == (0, '{"city": "Oslo"}\n'), done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["-", "--stdin"],
        ["-", "-f", "-"],
        ["-", "--output-schema", "-"],
        ["?", "--stdin", "-f", "-:image/png"],
        ["?", "--stdin", "--output-schema", "-"],
        ["?", "-f", "-", "--output-schema", "-"],
        ["?", "-f", "-", "-f", "-"],
    ],
)
def test_only_one_option_reads_stdin(agentctl: Agentctl, env: dict[str, str], options: list[str]) -> None:
    done = agentctl("run", *options, env=env, input="x")
    assert (done.returncode, "only one option can read stdin" in done.stderr) == (2, True), done.stderr


def test_stdin_for_another_option_is_no_prompt(agentctl: Agentctl, env: dict[str, str]) -> None:
    for options in (["-f", "-"], ["--output-schema", "-"]):
        done = agentctl("run", *options, env=env, input=TEXT)
        assert (done.returncode, "pass the prompt as an argument" in done.stderr) == (2, True)


def test_the_local_model_follows_a_grammar(agentctl: Agentctl, local_home: Path) -> None:
    schema = '{"type": "array", "items": {"enum": ["red", "blue"]}, "maxItems": 2, "minItems": 1}'
    done = agentctl("run", "-m", "local/smollm2", "--output-schema", schema, "Colours?", timeout=100)
    assert (done.returncode, set(json.loads(done.stdout)) <= {"red", "blue"}) == (0, True), done.stderr
