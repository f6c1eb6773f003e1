"""`run` and `stream` as their users meet them: real processes, the fake service, and what comes out where."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.process import read_until, started
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import (
    big_text,
    cut,
    error_event,
    failed,
    hang,
    http_error,
    incomplete,
    raw,
    refusal,
    text,
    tool_calls,
    with_response,
)

KEY = "sk-canary-1234567890"
SCRIPTED = """
from agentctl import Agent, function_tool
from agentctl.testing import ScriptedModel, function_call

@function_tool
def shout(word: str) -> str:
    print("a tool prints")
    return word.upper()

agent = Agent(
    name="shouter",
    tools=[shout],
    model=ScriptedModel([[function_call("shout", {"word": "hey"}, call_id="c1")], "HEY it is."]),
)
"""


@pytest.fixture
def env(service: Service, home: Path) -> dict[str, str]:
    """The variables that point a process at the fake service."""
    return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.base_url}


@pytest.fixture
def agent_file(home: Path) -> Path:
    """A file with an agent that needs no service."""
    path = home / "shout.py"
    path.write_text(SCRIPTED)
    return path


@pytest.mark.parametrize("command", ["run", "stream"])
def test_stdout_is_the_answer_and_nothing_else(
    command: str, service: Service, agentctl: Agentctl, env: dict[str, str]
) -> None:
    service.script(text("Rhine, Danube, **Elbe**", deltas=4))
    done = agentctl(command, "Name three rivers", env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Rhine, Danube, **Elbe**\n", "")
    (request,) = service.requests()
    assert request["path"] == "/v1/responses"
    assert request["headers"]["authorization"] == f"Bearer {KEY}"
    assert request["body"]["input"] in ("Name three rivers", [{"role": "user", "content": "Name three rivers"}])


def test_options_reach_the_request(service: Service, agentctl: Agentctl, env: dict[str, str], home: Path) -> None:
    (home / "system.txt").write_text("Be brief.")
    service.script(text("ok"))
    options = ["-m", "gpt-x", "-i", "@system.txt", "--set", "temperature=0.5", "--set", "reasoning.effort=low"]
    assert agentctl("run", *options, "hi", env=env, cwd=home).returncode == 0
    body = service.requests()[0]["body"]
    assert (body["model"], body["instructions"], body["temperature"]) == ("gpt-x", "Be brief.", 0.5)
    assert body["reasoning"] == {"effort": "low"}


def test_a_tool_of_an_agent_file_runs_and_what_it_prints_goes_to_stderr(agentctl: Agentctl, agent_file: Path) -> None:
    done = agentctl("stream", "-a", f"{agent_file}:agent", "hi")
    assert (done.returncode, done.stdout) == (0, "HEY it is.\n")
    assert "a tool prints" in done.stderr
    assert "shout" in done.stderr


def test_what_a_tool_and_its_children_write_to_stdout_is_no_answer(agentctl: Agentctl, agent_file: Path) -> None:
    source = SCRIPTED.replace(
        'print("a tool prints")', "import os; os.system('echo a child writes'); os.write(1, b'raw')"
    )
    agent_file.write_text(source)
    done = agentctl("run", "-a", f"{agent_file}:agent", "hi")
    assert (done.returncode, done.stdout) == (0, "HEY it is.\n")
    assert "a child writes" in done.stderr
    assert "raw" in done.stderr


def test_the_words_of_others_are_escaped_in_errors(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.script(refusal("no\x1b]52;c;aGk=\x07 \x9b2J"))
    done = agentctl("run", "hi", env=env)
    assert (done.returncode, done.stderr) == (85, "agentctl: the model refused: no\\x1b]52;c;aGk=\\x07 \\x9b2J\n")


def test_an_output_of_the_wrong_shape_breaks_the_protocol(
    service: Service, agentctl: Agentctl, env: dict[str, str]
) -> None:
    service.script(with_response(text("ok"), output=["ok"]))
    done = agentctl("run", "hi", env=env)
    assert done.returncode == 65
    assert "not a list of items" in done.stderr


def test_an_invalid_output_is_kept_with_every_problem(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    (home / "rivers.py").write_text(
        "from pydantic import BaseModel\nfrom agentctl import Agent\n"
        "class River(BaseModel):\n    name: str\n    km: int\nagent = Agent(name='r', output_type=list[River])\n"
    )
    reply = '{"response": [{"name": 1, "km": 2}, {"name": "Po", "km": "far"}]}'
    service.script(text(reply), text(reply))
    done = agentctl("run", "--format", "json", "-a", "rivers.py", "hi", env=env)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["reply"]) == (65, reply)
    for problem in ("response.0.name: Input should be", "response.1.km: Input should be"):
        assert problem in error["message"]
    assert reply in agentctl("run", "-v", "-a", "rivers.py", "hi", env=env).stderr


def test_a_failed_tool_call_is_noted_and_counted(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    (home / "tools.py").write_text(
        "from agentctl import Agent, function_tool\n@function_tool\ndef look(x: int) -> str:\n"
        "    if x: raise ValueError('nothing there')\n    return 'ok'\nagent = Agent(name='a', tools=[look])\n"
    )
    script = (tool_calls(("look", {"x": 1}), ("look", {"x": 0})), tool_calls(("look", {"x": 2})), text("done"))
    service.script(*script)
    done = agentctl("run", "-a", "tools.py", "hi", env=env)
    assert (done.stdout, done.stderr.count("note: a tool call failed: look Error")) == ("done\n", 2)
    assert "nothing there" in done.stderr
    service.script(*script)
    done = agentctl("run", "--format", "jsonl", "-a", "tools.py", "hi", env=env)
    assert json.loads(done.stdout.splitlines()[-1])["failed_calls"] == 2


def test_instructions_are_utf_8_whatever_the_locale(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert agentctl("run", "-i", "Grüße", "hi", env={**env, **locale}).returncode == 0
    assert service.requests()[0]["body"]["instructions"] == "Grüße"


def test_quiet_leaves_stderr_empty(agentctl: Agentctl, service: Service, env: dict[str, str]) -> None:
    service.script(text("ok"))
    done = agentctl("stream", "-q", "hi", env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


def test_json_is_one_document(agentctl: Agentctl, service: Service, env: dict[str, str]) -> None:
    service.script(text("ok"))
    done = agentctl("run", "--format", "json", "hi", env=env)
    document = json.loads(done.stdout)
    assert done.returncode == document["exit_code"] == 0
    assert (document["outcome"], document["final_output"], document["schema_version"]) == ("completed", "ok", 1)
    assert document["usage"]["requests"] == 1


def test_jsonl_is_the_same_stream_from_run_and_stream(agentctl: Agentctl, agent_file: Path) -> None:
    def kinds(command: str) -> list[str]:
        done = agentctl(command, "--format", "jsonl", "-a", f"{agent_file}:agent", "hi")
        return [json.loads(line)["type"] for line in done.stdout.splitlines()]

    assert kinds("run") == kinds("stream")
    assert kinds("run")[-1] == "run.finished"


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_a_run_that_never_began_has_its_document_too(form: str, agentctl: Agentctl) -> None:
    done = agentctl("run", "--format", form, "-a", "nowhere.py:agent", "hi")
    document = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == document["exit_code"] == 78
    assert document["outcome"] == "misconfigured"
    assert "there is no such file" in document["error"]["message"]
    assert "there is no such file" in done.stderr


def test_the_prompt_may_come_from_stdin(agentctl: Agentctl, service: Service, env: dict[str, str]) -> None:
    service.script(text("a"), text("b"), text("c"))
    agentctl("run", env=env, input="from a pipe\n")
    agentctl("run", "-", env=env, input="from a dash")
    agentctl("run", "--stdin", "Review:", env=env, input="the change\n")
    said = [json.dumps(request["body"]["input"]) for request in service.requests()]
    assert "from a pipe" in said[0]
    assert "from a dash" in said[1]
    assert "Review:\\n\\n<stdin>\\nthe change\\n</stdin>" in said[2]


def test_an_open_pipe_that_nobody_writes_to_holds_nothing_up(service: Service, env: dict[str, str]) -> None:
    service.script(text("ok"))
    with started("run", "hi", env=env, stdin=subprocess.PIPE) as process:
        assert process.wait(timeout=30) == 0


def test_stdin_that_never_ends_meets_the_timeout(service: Service, env: dict[str, str]) -> None:
    with started("run", "--timeout", "1", "-", env=env, stdin=subprocess.PIPE) as process:
        assert process.wait(timeout=30) == 124


def test_stdin_without_end_is_refused() -> None:
    with Path("/dev/zero").open("rb") as zeros, started("run", "-", env={}, stdin=zeros) as process:
        assert process.wait(timeout=30) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "the prompt is empty"),
        (["run", "--timeout", "soon", "hi"], "--timeout"),
        (["run", "--set", "temprature=1", "hi"], "did you mean"),
        (["run", "--format", "xml", "hi"], "--format"),
        (["run", "-i", "@nowhere.txt", "hi"], "nowhere.txt: No such file"),
        (["run", "-o", "no/such/folder/x", "hi"], ": no such folder"),
        (["rum"], "no such command: rum; did you mean run?"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(arguments: list[str], message: str, agentctl: Agentctl) -> None:
    done = agentctl(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "--help" in done.stderr


ERRORS: list[tuple[str, list[dict[str, Any]], int, str]] = [
    ("401", [http_error(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})], 77, "key"),
    (
        "404",
        [http_error(404, {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}})],
        69,
        "x",
    ),
    (
        "400",
        [http_error(400, {"error": {"message": "Bad temperature", "param": "temperature"}})],
        69,
        "Bad temperature",
    ),
    ("429", [http_error(429, {"error": {"message": "Slow down"}}, {"Retry-After": "0"})] * 3, 75, "Slow down"),
    ("503", [http_error(503, "oops", {"Retry-After": "0"})] * 3, 75, "503"),
    ("cut", [cut(after=5)], 75, "during the response"),
    ("failed", [failed("server_error", "It broke")], 75, "It broke"),
    ("error event", [error_event("invalid_request_error", "No such thing")], 69, "No such thing"),
    ("invalid json", [raw(b"data: {not json}\n\n")], 65, "JSON"),
    ("refusal", [refusal("I may not.")], 85, "I may not."),
]


@pytest.mark.parametrize(("steps", "code", "message"), [e[1:] for e in ERRORS], ids=[e[0] for e in ERRORS])
def test_what_goes_wrong_has_its_exit_code_and_message(
    steps: list[dict[str, Any]], code: int, message: str, service: Service, agentctl: Agentctl, env: dict[str, str]
) -> None:
    service.script(*steps)
    done = agentctl("run", "--format", "json", "hi", env=env)
    document = json.loads(done.stdout)
    assert done.returncode == document["exit_code"] == code, done.stderr
    assert message in done.stderr
    assert message in document["error"]["message"]
    for output in (done.stdout, done.stderr):
        assert "Traceback" not in output
        assert KEY not in output


def test_a_retry_is_announced_and_then_answered(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.script(http_error(500, "oops", {"Retry-After": "0"}), text("at last"))
    done = agentctl("stream", "hi", env=env)
    assert (done.returncode, done.stdout) == (0, "at last\n")
    assert "note: " in done.stderr
    assert len(service.requests()) == 2


def test_retries_can_be_turned_off(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.script(http_error(500, "oops"))
    assert agentctl("run", "--retries", "0", "hi", env=env).returncode == 75
    assert len(service.requests()) == 1


def test_a_cut_answer_is_said_to_be_cut(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.script(incomplete("max_output_tokens"))
    done = agentctl("run", "hi", env=env)
    assert done.returncode == 0
    assert "max_output_tokens" in done.stderr


def test_an_event_that_nobody_knows_passes(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    unknown = b'data: {"type": "response.hologram", "x": 1}\n\n: a comment\n\n'
    completed = (
        b'data: {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": [{"type": '
        b'"message", "role": "assistant", "content": [{"type": "output_text", "text": "seen"}]}]}}\n\n'
    )
    service.script(raw(unknown + completed))
    done = agentctl("run", "hi", env=env)
    assert (done.returncode, done.stdout) == (0, "seen\n")


def test_no_key_names_the_ways_out(agentctl: Agentctl) -> None:
    done = agentctl("run", "hi")
    assert done.returncode == 77
    assert "agentctl config set-key" in done.stderr
    assert "-m local/smollm2" in done.stderr


def test_the_key_of_the_environment_goes_to_no_other_endpoint(service: Service, agentctl: Agentctl, home: Path) -> None:
    env = {"OPENAI_API_KEY": KEY, "AGENTCTL_CLIENT_BASE_URL": service.base_url}
    assert agentctl("run", "hi", env=env).returncode == 77
    assert service.requests() == []
    service.script(text("ok"))
    assert agentctl("run", "hi", env={**env, "AGENTCTL_CLIENT_KEY": "none"}).returncode == 0
    assert "authorization" not in service.requests()[0]["headers"]


def test_an_unknown_prefix_is_a_mistake(agentctl: Agentctl) -> None:
    done = agentctl("run", "-m", "elsewhere/model", "hi")
    assert done.returncode == 78
    assert "'elsewhere'" in done.stderr


def test_an_unreachable_host_is_unavailable(agentctl: Agentctl, env: dict[str, str]) -> None:
    done = agentctl("run", "--retries", "0", "hi", env={**env, "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"})
    assert done.returncode == 75
    assert "127.0.0.1:1" in done.stderr


def test_a_server_that_never_answers_meets_the_timeout(
    service: Service, agentctl: Agentctl, env: dict[str, str]
) -> None:
    service.script(hang())
    done = agentctl("run", "--timeout", "1", "--format", "json", "hi", env=env)
    assert done.returncode == 124
    assert json.loads(done.stdout)["outcome"] == "timeout"


def test_the_silence_of_a_server_has_a_limit(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.script(hang())
    env = {**env, "AGENTCTL_CLIENT_REQUEST_TIMEOUT": "1"}
    assert agentctl("run", "--retries", "0", "hi", env=env).returncode == 75


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_cleanly(number: int, code: int, service: Service, env: dict[str, str]) -> None:
    service.script(hang(after=6))
    with started("run", "--format", "jsonl", "hi", env=env) as process:
        data = read_until(process, b"text.delta")
        process.send_signal(number)
        rest, errors = process.communicate(timeout=20)
        assert process.returncode == code
    last = json.loads((data + rest).splitlines()[-1])
    assert (last["type"], last["outcome"], last["exit_code"]) == ("run.finished", "interrupted", code)
    assert b"Traceback" not in errors


def test_a_signal_while_stdin_is_read_ends_the_run(env: dict[str, str]) -> None:
    theirs, ours = os.pipe()
    os.write(ours, b"Hi")
    try:
        with started("run", "--format", "json", "-", env=env, stdin=theirs) as process:
            while select.select([theirs], [], [], 0)[0]:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=20)
            assert process.returncode == 130
    finally:
        os.close(ours)
        os.close(theirs)
    assert json.loads(output)["outcome"] == "interrupted"
    assert b"Traceback" not in errors


def test_a_signal_while_an_agent_is_imported_ends_the_run(home: Path) -> None:
    (home / "slow.py").write_text("print('importing', flush=True)\nimport time\ntime.sleep(60)\n")
    with started("run", "-a", f"{home}/slow.py:agent", "hi", env={}) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"importing\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130


def test_a_tool_that_cannot_be_cancelled_is_abandoned_and_named(home: Path) -> None:
    (home / "stuck.py").write_text(
        SCRIPTED.replace('print("a tool prints")', 'print("in the tool", flush=True); import time; time.sleep(60)')
    )
    with started("run", "-a", f"{home}/stuck.py:agent", "hi", env={}) as process:
        assert process.stderr is not None
        while b"in the tool" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 130
    assert b"abandoned: tool shout" in errors


@pytest.mark.parametrize("way", ["async", "sync"])
def test_what_a_tool_has_started_ends_with_a_run_that_is_ended(way: str, service: Service, home: Path) -> None:
    last = "sleep 60; echo over" if way == "sync" else "exec sleep 60"  # asyncio ends a child that it has just begun.
    waits = "subprocess.run(command)" if way == "sync" else "await (await create_subprocess_exec(*command)).wait()"
    (home / "starter.py").write_text(
        "import subprocess\n"
        "from asyncio import create_subprocess_exec\n"
        "from agentctl import Agent, function_tool\n"
        f"command = ['sh', '-c', 'echo started >&2; {last}']\n"
        "@function_tool\n"
        f"{'async ' if way == 'async' else ''}def start():\n"
        f"    {waits}\n"
        "    open('went_on', 'x').close()\n"
        "agent = Agent(name='starter', tools=[start])\n"
    )
    service.script(tool_calls(("start", {})))
    env = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": service.base_url}
    with started("run", "-a", f"{home}/starter.py:agent", "hi", env=env, cwd=home) as process:
        assert process.stderr is not None
        while b"started" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)  # To the end of stderr, which the child has too.
        assert process.returncode == 143
    assert not (home / "went_on").exists()


def test_a_second_signal_ends_the_process_at_once(home: Path) -> None:
    (home / "stubborn.py").write_text(
        SCRIPTED.replace("def shout", "async def shout").replace(
            'print("a tool prints")',
            "import asyncio, sys\n"
            "    while True:\n"
            "        print('still here', flush=True)\n"
            "        try:\n            await asyncio.sleep(60)\n"
            "        except asyncio.CancelledError:\n            pass\n",
        )
    )
    with started("run", "-a", f"{home}/stubborn.py:agent", "hi", env={}) as process:
        assert process.stderr is not None
        assert b"still here" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        while b"still here" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130


def test_a_second_signal_ends_a_process_whose_event_loop_is_held_up(home: Path) -> None:
    (home / "busy.py").write_text(
        SCRIPTED.replace("def shout", "async def shout").replace(
            'print("a tool prints")', "import time\n    print('still here', flush=True)\n    time.sleep(60)"
        )
    )
    with started("run", "-a", f"{home}/busy.py:agent", "hi", env={}) as process:
        assert process.stderr is not None
        assert b"still here" in process.stderr.readline()
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
        assert process.returncode == 130


def test_a_signal_that_an_agent_swallows_while_it_is_imported_ends_the_run(home: Path) -> None:
    (home / "deaf.py").write_text(
        "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGTERM)\n    import time; time.sleep(60)\n"
        f"except BaseException:\n    pass\n{SCRIPTED}"
    )
    with started("run", "-a", f"{home}/deaf.py:agent", "--format", "json", "hi", env={}) as process:
        output, _ = process.communicate(timeout=20)
        assert process.returncode == 143
        assert json.loads(output)["outcome"] == "interrupted"


def test_an_agent_that_interrupts_itself_is_interrupted(home: Path, agentctl: Agentctl) -> None:
    (home / "own.py").write_text("raise KeyboardInterrupt")
    done = agentctl("run", "-a", "own.py:agent", "--format", "json", "hi")
    assert (done.returncode, done.stderr) == (130, "agentctl: cancelled\n")
    assert json.loads(done.stdout)["outcome"] == "interrupted"


def test_a_reader_that_closes_early_is_quiet(service: Service, env: dict[str, str]) -> None:
    service.script(big_text(100_000))
    with started("stream", "hi", env=env) as process:
        read_until(process, b"word")
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=30) == 141
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_reader_that_goes_away_ends_a_run_that_writes_nothing(service: Service, env: dict[str, str]) -> None:
    service.script(hang())
    with started("run", "hi", env=env) as process:
        service.wait_for_requests(1)
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=30) == 141


def test_a_stdout_that_blocks_meets_the_timeout(service: Service, env: dict[str, str]) -> None:
    service.script(big_text(500_000))
    with started("stream", "--timeout", "3", "hi", env=env) as process:
        assert process.wait(timeout=30) == 124


def test_a_full_disk_is_said_and_not_hidden(service: Service, env: dict[str, str]) -> None:
    service.script(text("ok"))
    with Path("/dev/full").open("wb") as full, started("run", "hi", env=env, stdout=full) as process:
        assert process.wait(timeout=30) == 1
        assert process.stderr is not None
        assert process.stderr.read() == b"agentctl: stdout: No space left on device\n"


@pytest.mark.parametrize("form", ["text", "jsonl"])
def test_a_full_disk_names_the_file(form: str, service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.script(text("ok"))
    done = agentctl("run", "hi", "--format", form, "-o", "/dev/full", env=env)
    assert (done.returncode, done.stderr) == (1, "agentctl: /dev/full: No space left on device\n")


def test_a_closed_stdout_and_stderr_harm_nothing(service: Service, env: dict[str, str]) -> None:
    service.script(text("ok"))
    command = f"{sys.executable} -m agentctl run hi >&- 2>&-"
    done = subprocess.run(["sh", "-c", command], env={**os.environ, **env}, timeout=30)
    assert done.returncode in (0, 1, 141)


def test_output_to_a_file_is_whole_or_not_there(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    target = home / "answer.txt"
    target.write_text("the old answer")
    service.script(cut(after=6), text("the new answer"))
    assert agentctl("run", "-o", str(target), "hi", env=env).returncode == 75
    assert target.read_text() == "the old answer"
    done = agentctl("run", "-o", str(target), "hi", env=env)
    assert (done.returncode, done.stdout, target.read_text()) == (0, "", "the new answer\n")


def test_lines_to_a_file_are_live(service: Service, env: dict[str, str], home: Path) -> None:
    target = home / "events.jsonl"
    service.script(hang(after=6))
    with started("run", "--format", "jsonl", "-o", str(target), "hi", env=env) as process:
        deadline = time.monotonic() + 20
        while not (target.exists() and "text.delta" in target.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 143
    assert json.loads(target.read_text().splitlines()[-1])["outcome"] == "interrupted"


def test_verbose_logs_to_stdout_and_shows_no_secret(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.script(text("ok"))
    done = agentctl("run", "-v", "hi", env=env)
    assert done.returncode == 0
    assert "DEBUG" in done.stdout
    assert KEY not in done.stdout
    service.script(text("ok"))
    done = agentctl("run", "-v", "--format", "json", "hi", env=env)
    assert json.loads(done.stdout)["final_output"] == "ok"
    assert "DEBUG" in done.stderr


def test_a_traceback_is_shown_to_who_asks(home: Path, agentctl: Agentctl) -> None:
    (home / "broken.py").write_text("1 / 0\n")
    assert "Traceback" not in agentctl("run", "-a", "broken.py:agent", "hi", cwd=home).stderr
    assert "Traceback" in agentctl("run", "-v", "-a", "broken.py:agent", "hi", cwd=home).stderr


def test_without_a_home_folder_a_run_keeps_nothing_and_says_so_once(
    service: Service, agentctl: Agentctl, env: dict[str, str]
) -> None:
    service.script(text("ok"))
    done = agentctl("run", "hi", env={**env, "HOME": "/nonexistent", "AGENTCTL_HOME": None})
    assert (done.returncode, done.stdout) == (0, "ok\n")
    assert done.stderr.count("home folder") == 1


def test_any_locale_writes_utf_8(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.script(text("Zürich 東京 🏔"))
    done = agentctl("run", "Zürich", env={**env, "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0"})
    assert done.stdout == "Zürich 東京 🏔\n"
    assert "Zürich" in json.dumps(service.requests()[0]["body"], ensure_ascii=False)


def test_the_model_of_the_command_line_goes_before_the_agents_own(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    (home / "own.py").write_text("from agentctl import Agent\nagent = Agent(name='a', model='its-own')\n")
    service.script(text("a"), text("b"), text("c"))
    agentctl("config", "model", "from-profile")
    for arguments in (["-m", "flag"], []):
        agentctl("run", "-a", "own.py:agent", *arguments, "hi", env=env, cwd=home)
    agentctl("run", "hi", env=env)
    assert [request["body"]["model"] for request in service.requests()] == ["flag", "its-own", "from-profile"]
