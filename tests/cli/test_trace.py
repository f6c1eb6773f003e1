"""`agentctl trace`, and where the traces of runs go: real processes, for which a fake service is OpenAI."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.as_openai import as_openai
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import hang, http_error, text, tool_calls

KEY = "sk-for-openai"
SITE = """
from agentctl.tracing import TracingProcessor

class Noting(TracingProcessor):
    def __init__(self, path="heard.txt"):
        self._path = path
    def _note(self, news):
        with open(self._path, "a") as file:
            print(news, file=file)
    def on_trace_start(self, trace): self._note("trace begins")
    def on_trace_end(self, trace): self._note("trace ends")
    def on_span_start(self, span): pass
    def on_span_end(self, span): self._note(span.span_data.type)
    def shutdown(self): self._note("shutdown")
    def force_flush(self): pass

def make():
    print("made")
    return Noting()

def hanging():
    import time
    processor = Noting()
    processor.on_span_end = lambda span: time.sleep(3600)
    return processor

def failing():
    raise ValueError("no such database")

def wrong():
    return 42

number = 7
"""


@pytest.fixture
def openai(service: Service, home: Path) -> Iterator[dict[str, str]]:
    """The variables of a process for which the fake service is OpenAI."""
    with as_openai(service, key=KEY) as environ:
        yield {**environ, "AGENTCTL_TRANSPORT": "http"}


@pytest.fixture
def site(home: Path) -> dict[str, str]:
    """The variable that makes the module `noting` importable, as if it were installed."""
    folder = home / "site"
    folder.mkdir()
    (folder / "noting.py").write_text(SITE)
    root = Path(__file__).parent.parent.parent
    return {"PYTHONPATH": os.pathsep.join((str(folder), str(root)))}


def status(agentctl: Agentctl, **env: str) -> dict[str, Any]:
    done = agentctl("trace", "status", "--json", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    document: dict[str, Any] = json.loads(done.stdout)
    assert document.pop("schema_version") == 1
    return document


def items(service: Service) -> list[dict[str, Any]]:
    """Return the traces and spans that were exported."""
    return [item for request in service.traced() for item in request["body"]["data"]]


def heard(home: Path) -> list[str]:
    path = home / "heard.txt"
    return path.read_text().splitlines() if path.exists() else []


def test_the_status_of_a_new_user(agentctl: Agentctl, home: Path) -> None:
    folder = home / ".agentctl" / "traces"
    assert agentctl("trace", "status").stdout == (
        f"tracing     on (built-in)\nto OpenAI   no: there is no key for it\nkept        in {folder}\n"
    )
    assert status(agentctl) == {
        "enabled": True,
        "decided_by": "built-in",
        "export": {"to": None, "key_from": None, "why_not": "there is no key for it"},
        "kept_in": str(folder),
        "processors": [],
        "otlp_to": None,
    }


def test_the_status_says_which_key_is_used_and_never_shows_it(agentctl: Agentctl, home: Path) -> None:
    done = agentctl("trace", "status", env={"OPENAI_API_KEY": KEY})
    assert done.stdout.startswith("tracing     on (built-in)\nto OpenAI   yes, with the key from OPENAI_API_KEY\n")
    assert agentctl("trace", "set-key", input="sk-of-traces\n").returncode == 0
    export = status(agentctl, OPENAI_API_KEY=KEY)["export"]
    assert export == {
        "to": "https://api.openai.com/v1/traces/ingest",
        "key_from": str(home / ".agentctl" / "credentials.toml"),
        "why_not": None,
    }


def test_traces_do_not_go_to_openai_from_another_service(agentctl: Agentctl) -> None:
    env = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://localhost:1234/v1"}
    assert status(agentctl, **env)["export"]["why_not"] == "the service is http://localhost:1234, not OpenAI"


@pytest.mark.parametrize(
    ("stored", "env", "enabled", "decided_by"),
    [
        (None, {"OPENAI_AGENTS_DISABLE_TRACING": "1"}, False, "OPENAI_AGENTS_DISABLE_TRACING"),
        ("enable", {"OPENAI_AGENTS_DISABLE_TRACING": "1"}, True, "profile"),
        ("disable", {}, False, "profile"),
        ("disable", {"AGENTCTL_TRACE_ENABLED": "true"}, True, "AGENTCTL_TRACE_ENABLED"),
    ],
)
def test_the_nearest_word_decides(
    agentctl: Agentctl, home: Path, stored: str | None, env: dict[str, str], enabled: bool, decided_by: str
) -> None:
    if stored:
        assert agentctl("trace", stored).returncode == 0
    found = status(agentctl, **env)
    profile = str(home / ".agentctl" / "config.toml")
    assert (found["enabled"], found["decided_by"]) == (enabled, profile if decided_by == "profile" else decided_by)


def test_a_change_that_something_goes_before_says_so(agentctl: Agentctl) -> None:
    done = agentctl("trace", "disable", env={"AGENTCTL_TRACE_ENABLED": "1"})
    assert done.stderr == "note: the profile is changed, but AGENTCTL_TRACE_ENABLED takes precedence over it\n"


def test_a_key_on_the_command_line_is_refused(agentctl: Agentctl) -> None:
    done = agentctl("trace", "set-key", KEY)
    assert done.returncode == 2
    assert KEY not in done.stderr


def test_a_run_is_exported_with_the_users_key(agentctl: Agentctl, service: Service, openai: dict[str, str]) -> None:
    done = agentctl("run", "Hi", env=openai)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")
    assert {request["headers"]["authorization"] for request in service.traced()} == {f"Bearer {KEY}"}
    assert [item["object"] for item in items(service)] == ["trace"] + ["trace.span"] * 4


def test_a_key_for_traces_is_used_for_them_alone(agentctl: Agentctl, service: Service, openai: dict[str, str]) -> None:
    agentctl("trace", "set-key", input="sk-of-traces")
    agentctl("run", "Hi", env=openai)
    keys = {request["path"]: request["headers"]["authorization"] for request in service.requests()}
    assert keys == {"/v1/responses": f"Bearer {KEY}", "/v1/traces/ingest": "Bearer sk-of-traces"}


def test_a_key_that_is_kept_from_traces_is_not_used_for_them(
    agentctl: Agentctl, service: Service, openai: dict[str, str]
) -> None:
    agentctl("config", "set-key", "--no-tracing", input="sk-of-endpoint")
    assert agentctl("run", "Hi", env=openai).stdout == "ok\n"
    assert service.traced() == []
    assert status(agentctl, **openai)["export"]["why_not"] == "there is no key for it"


def test_a_key_that_a_program_prints_is_used_once_it_is_known(
    agentctl: Agentctl, service: Service, openai: dict[str, str]
) -> None:
    env = {**openai, "OPENAI_API_KEY": "", "AGENTCTL_KEY_COMMAND": json.dumps(["echo", "sk-printed"])}
    assert agentctl("run", "Hi", env=env).stdout == "ok\n"
    assert {request["headers"]["authorization"] for request in service.requests()} == {"Bearer sk-printed"}
    assert items(service)


@pytest.mark.parametrize(
    ("command", "stored", "flags", "is_traced"),
    [
        ("run", None, ("--no-trace",), False),
        ("run", "disable", (), False),
        ("run", "disable", ("--trace",), True),
        ("stream", "enable", ("--no-trace",), False),
    ],
)
def test_one_run_or_all_may_be_untraced(
    agentctl: Agentctl,
    service: Service,
    openai: dict[str, str],
    command: str,
    stored: str | None,
    flags: tuple[str, ...],
    is_traced: bool,
) -> None:
    if stored:
        agentctl("trace", stored)
    assert agentctl(command, *flags, "Hi", env=openai).returncode == 0
    assert bool(service.traced()) is is_traced


def test_trace_counts_more_than_the_variable(agentctl: Agentctl, service: Service, openai: dict[str, str]) -> None:
    env = {**openai, "OPENAI_AGENTS_DISABLE_TRACING": "1"}
    agentctl("run", "Hi", env=env)
    assert service.traced() == []
    agentctl("run", "--trace", "Hi", env=env)
    assert items(service)


@pytest.mark.parametrize("env", [{"OPENAI_BASE_URL": ""}, {"AGENTCTL_CLIENT_BASE_URL": ""}])
def test_runs_that_another_service_answers_are_not_exported(
    agentctl: Agentctl, service: Service, openai: dict[str, str], env: dict[str, str]
) -> None:
    agentctl("config", "set-key", input="sk-of-endpoint", env=dict.fromkeys(env, service.base_url))
    agentctl("trace", "set-key", input="sk-of-traces")
    done = agentctl("run", "Hi", env={**openai, **dict.fromkeys(env, service.base_url)})
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
    assert service.traced() == []


AGENTS = """
from openai import AsyncOpenAI
from agentctl import Agent, OpenAIResponsesModel, set_default_openai_client, set_tracing_disabled
from agentctl.testing import ScriptedModel
scripted = Agent(name="scripted", model=ScriptedModel(["ok"]))
"""


@pytest.mark.parametrize(
    "code",
    [
        "agent = scripted",
        'agent = Agent(name="a", model=OpenAIResponsesModel("m", AsyncOpenAI(base_url=URL, api_key="sk-of-code")))',
        'set_default_openai_client(AsyncOpenAI(base_url=URL, api_key="sk-of-code"))\nagent = Agent(name="a")',
        'agent = Agent(name="a", handoffs=[scripted])',
        'agent = Agent(name="a", tools=[scripted.as_tool("ask", "Asks.")])',
        'agent = Agent(name="a")\nset_tracing_disabled(True)',
        'from agentctl import set_trace_processors\nagent = Agent(name="a")\nset_trace_processors([])',
    ],
)
def test_the_agents_code_may_lead_elsewhere_or_silence_it(
    agentctl: Agentctl, service: Service, openai: dict[str, str], home: Path, code: str
) -> None:
    (home / "agents.py").write_text(f"{AGENTS}\nURL = {service.base_url!r}\n{code}\n")
    done = agentctl("run", "-a", "agents.py:agent", "Hi", env=openai)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
    assert service.traced() == []


def test_a_local_model_that_answers_somewhere_keeps_the_run_from_openai(
    agentctl: Agentctl, service: Service, openai: dict[str, str], home: Path
) -> None:
    (home / "agents.py").write_text(
        "from agentctl import Agent\nagent = Agent(name='a', model='gpt-x', handoffs=[Agent(name='b')])\n"
    )
    agentctl("config", "model", "local/smollm2")
    done = agentctl("run", "-a", "agents.py:agent", "Hi", env=openai)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
    assert service.traced() == []


def test_the_agents_code_cannot_trace_what_the_user_does_not_want(
    agentctl: Agentctl, service: Service, openai: dict[str, str], home: Path
) -> None:
    (home / "agents.py").write_text(
        "from agentctl import Agent, function_tool, set_tracing_disabled, trace\n"
        "set_tracing_disabled(False)\n"
        "@function_tool\ndef work() -> str:\n    with trace('mine'): return 'done'\n"
        "agent = Agent(name='a', tools=[work])\n"
    )
    service.script(tool_calls(("work", {})), text("ok"))
    done = agentctl("run", "--no-trace", "-a", "agents.py:agent", "Hi", env=openai)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
    assert service.traced() == []


@pytest.mark.parametrize(
    "arguments", [("show", "agents.py:agent"), ("check", "agents.py"), ("list", "agents.py")], ids=" ".join
)
def test_code_that_is_loaded_and_not_run_sends_nothing(
    agentctl: Agentctl, service: Service, openai: dict[str, str], home: Path, arguments: tuple[str, ...]
) -> None:
    (home / "agents.py").write_text(
        "from agentctl import Agent, trace\nwith trace('import'): pass\nagent = Agent(name='a')\n"
    )
    assert agentctl("agents", *arguments, env=openai).returncode == 0
    assert service.requests() == []


def test_what_fails_is_exported_too(agentctl: Agentctl, service: Service, openai: dict[str, str]) -> None:
    service.script(http_error(400))
    assert agentctl("run", "Hi", env=openai).returncode == 69
    errors = [item["error"]["message"] for item in items(service) if item.get("error")]
    assert errors == ["RequestRejectedError", "RequestRejectedError"]


def test_an_interrupted_run_is_exported_too(service: Service, openai: dict[str, str], home: Path) -> None:
    service.script(hang())
    command = [sys.executable, "-m", "agentctl", "run", "Hi"]
    with subprocess.Popen(command, env={**os.environ, **openai}, cwd=home, stderr=subprocess.PIPE) as process:
        service.wait_for_requests(1)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 143
    assert items(service)


@pytest.mark.parametrize("flags", [(), ("-v",)])
def test_a_service_that_hangs_holds_up_neither_the_answer_nor_the_end(
    agentctl: Agentctl, service: Service, openai: dict[str, str], flags: tuple[str, ...]
) -> None:
    service.script_ingests(hang())
    done = agentctl("run", *flags, "--no-input", "Hi", env=openai)
    assert done.returncode == 0
    assert "ok" in done.stdout
    assert "the process exited before they were exported" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_a_service_that_refuses_is_one_line(agentctl: Agentctl, service: Service, openai: dict[str, str]) -> None:
    service.script_ingests(http_error(403))
    done = agentctl("run", "Hi", env=openai)
    assert (done.returncode, done.stdout) == (0, "ok\n")
    assert done.stderr == (
        "the service rejected traces: https://api.openai.com/v1/traces/ingest answered 403; "
        "the run continues, and its traces are dropped\n"
    )


def test_processors_are_listed_added_once_and_removed(agentctl: Agentctl, home: Path) -> None:
    (home / "site" / "a").mkdir(parents=True)
    for name in ("a/b.py", "d.py"):
        (home / "site" / name).write_text("class e:\n    def f(): raise SystemExit\nc = e.f\nprint('imported')\n")
    for name in ("a.b:c", "d:e.f", "a.b:c"):
        done = agentctl("trace", "processors", "add", name, env={"PYTHONPATH": str(home / "site")})
        assert (done.returncode, done.stdout) == (0, "")
    assert agentctl("trace", "processors", "list").stdout == "a.b:c\nd:e.f\n"
    assert status(agentctl)["processors"] == ["a.b:c", "d:e.f"]
    agentctl("trace", "processors", "remove", "a.b:c")
    assert json.loads(agentctl("trace", "processors", "list", "--json").stdout)["processors"] == ["d:e.f"]
    assert (
        agentctl("trace", "processors", "remove", "a.b:c").stderr == "note: a.b:c is not a processor in the profile\n"
    )
    agentctl("trace", "processors", "remove", "d:e.f")
    assert agentctl("trace", "processors", "list").stdout == ""
    assert agentctl("config", "get", "trace.processors").returncode == 1


def test_what_names_no_function_is_no_processor(agentctl: Agentctl) -> None:
    done = agentctl("trace", "processors", "add", 'noting.py:"make"')
    assert done.returncode == 2
    assert "package.module:function" in done.stderr


def test_a_processor_hears_of_every_traced_run_wherever_it_is_answered(
    agentctl: Agentctl, service: Service, site: dict[str, str], home: Path
) -> None:
    assert agentctl("trace", "processors", "add", "noting:make", env=site).returncode == 0
    assert heard(home) == []
    env = {**site, "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.base_url}
    done = agentctl("run", "Hi", env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "made\n")
    assert heard(home) == ["trace begins", "response", "turn", "agent", "task", "trace ends", "shutdown"]
    assert service.traced() == []


@pytest.mark.parametrize("arguments", [("run", "--no-trace"), ("run", "--dry-run")])
def test_a_processor_is_not_made_for_what_is_not_traced(
    agentctl: Agentctl, service: Service, site: dict[str, str], home: Path, arguments: tuple[str, ...]
) -> None:
    agentctl("trace", "processors", "add", "noting:failing", env=site)
    env = {**site, "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.base_url}
    assert agentctl(*arguments, "Hi", env=env).returncode == 0


def test_a_processor_that_hangs_does_not_hold_up_the_run(
    agentctl: Agentctl, service: Service, site: dict[str, str]
) -> None:
    agentctl("trace", "processors", "add", "noting:hanging", env=site)
    done = agentctl("run", "Hi", env={**site, "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.base_url})
    assert (done.returncode, done.stdout) == (0, "ok\n")
    assert "trace processor Noting took longer than 0.25 s" in done.stderr


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nowhere.at.all:make", "there is no module 'nowhere': it is not installed"),
        ("noting:nothing", "noting has no attribute 'nothing'"),
        ("noting:failing", "failed: ValueError: no such database"),
        ("noting:wrong", "returned a value of type int, not a TracingProcessor"),
        ("noting:number", "is of type int, not a function"),
    ],
)
def test_a_broken_processor_is_misconfigured_and_named(
    agentctl: Agentctl, service: Service, site: dict[str, str], name: str, says: str
) -> None:
    added = agentctl("trace", "processors", "add", name, env=site)
    is_function = name in ("noting:failing", "noting:wrong")
    assert (added.returncode, says in added.stderr) == ((0, False) if is_function else (78, True))
    agentctl("config", "set", "trace.processors", f'["{name}"]')
    done = agentctl("run", "Hi", env={**site, "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.base_url})
    assert done.returncode == 78
    assert f"trace.processors: {name!r}" in done.stderr
    assert says in done.stderr
    assert service.requests() == []


@pytest.mark.parametrize("line", ['trace.processors = ["noting:make"]', "trace.enabled = true"])
def test_a_project_file_decides_nothing_about_traces(
    agentctl: Agentctl, service: Service, site: dict[str, str], home: Path, line: str
) -> None:
    (home / "agentctl.toml").write_text(f"{line}\n")
    done = agentctl("run", "Hi", env={**site, "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.base_url})
    assert done.returncode == 78
    assert "a project file may not set this" in done.stderr
    assert heard(home) == []


def test_a_module_of_the_current_folder_is_no_processor(agentctl: Agentctl, service: Service, home: Path) -> None:
    (home / "noting.py").write_text(SITE)
    script = str(Path(sys.executable).with_name("agentctl"))
    added = subprocess.run(
        [script, "trace", "processors", "add", "noting:make"], cwd=home, capture_output=True, timeout=30
    )
    assert (added.returncode, b"there is no module 'noting'" in added.stderr) == (78, True)
    agentctl("config", "set", "trace.processors", '["noting:make"]')
    env = {**os.environ, "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.base_url}
    done = subprocess.run([script, "run", "Hi"], env=env, cwd=home, capture_output=True, text=True, timeout=30)
    assert done.returncode == 78
    assert "there is no module 'noting'" in done.stderr
