"""A server that is a process of ours: what it inherits, how it ends, and that it never outlives us."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agentctl import Agent, ModelBehaviorError, RequestRejectedError, Runner, ServiceUnavailableError, UserError
from agentctl.mcp import MCPServerStdio
from agentctl.testing import ScriptedModel, function_call
from agentctl.tracing import traceparent
from agentctl.tracing.traceparent import TraceParent

from . import servers
from .conftest import finish
from .servers import is_alive, small, until


async def text(server: MCPServerStdio, tool: str, arguments: dict[str, Any] | None = None) -> str:
    result = await server.call_tool(tool, arguments)
    part = result.content[0]
    assert part.type == "text"
    return part.text


@pytest.fixture
def lifeline(tmp_path: Path) -> Path:
    """A named pipe: its reader sees the end once nobody who opened it to write is alive."""
    path = tmp_path / "lifeline"
    os.mkfifo(path)
    return path


def test_a_server_that_others_wrote() -> None:
    async def scenario() -> Any:
        params: Any = {"command": sys.executable, "args": ["-m", "mcp_server_time", "--local-timezone", "UTC"]}
        async with MCPServerStdio(params, name="time", client_session_timeout_seconds=servers.PATIENCE) as server:
            arguments = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}
            model = ScriptedModel([[function_call("convert_time", arguments, call_id="c1")], "done"])
            agent = Agent(name="a", model=model, mcp_servers=[server])
            return await Runner.run(agent, "hi")

    result = finish(scenario())
    assert json.loads(result.new_items[1].output["text"])["time_difference"] == "+9.0h"


def test_it_inherits_what_finds_programs_and_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("SOMETHING", "else")

    async def scenario() -> dict[str, str]:
        async with small(params={"env": {"GIVEN": "yes"}}) as server:
            environ: dict[str, str] = json.loads(await text(server, "environment"))
            return environ

    environ = finish(scenario())
    assert environ["GIVEN"] == "yes"
    assert environ["PATH"] == os.environ["PATH"]
    assert not {"OPENAI_API_KEY", "SOMETHING"} & environ.keys()


def test_a_server_inherits_the_trace_context_that_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = TraceParent("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01", "vendor=1")
    monkeypatch.setattr(traceparent, "_is_on", False)
    monkeypatch.setattr(traceparent, "_parent", None)

    async def scenario() -> dict[str, str]:
        async with small() as server:
            environ: dict[str, str] = json.loads(await text(server, "environment"))
            return environ

    assert not {"TRACEPARENT", "TRACESTATE"} & finish(scenario()).keys()
    traceparent.propagate(parent)
    environ = finish(scenario())
    assert environ["TRACEPARENT"] == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert environ["TRACESTATE"] == "vendor=1"


def test_it_ends_with_the_connection() -> None:
    async def scenario() -> int:
        async with small() as server:
            process = int(await text(server, "who"))
            assert os.getpgid(process) == process
        assert server.session is None
        return process

    assert not is_alive(finish(scenario()))


def test_one_that_does_not_heed_the_end_of_its_input_is_made_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentctl.mcp.stdio._EXIT_TIMEOUT", 0.1)
    monkeypatch.setattr("agentctl.mcp.stdio._GRACE", 0.1)

    async def scenario() -> int:
        async with small("deaf") as server:
            return int(await text(server, "who"))

    assert not is_alive(finish(scenario()))


def test_what_it_left_behind_ends_with_it(lifeline: Path) -> None:
    async def scenario() -> None:
        server = small("grandchild", params={"env": {"LIFELINE": str(lifeline)}})
        server.start_connecting()
        with await asyncio.to_thread(lifeline.open, "rb") as reader:
            with pytest.raises(ServiceUnavailableError):
                await text(server, "die")
            assert await asyncio.to_thread(reader.read) == b""
        await server.cleanup()

    finish(scenario())


def test_who_is_cancelled_leaves_none_behind() -> None:
    started: list[int] = []

    async def scenario() -> None:
        async with small() as server:
            started.append(int(await text(server, "who")))
            await asyncio.sleep(600)

    async def cancelled() -> None:
        task = asyncio.create_task(scenario())
        await until(lambda: bool(started))
        task.cancel()
        await asyncio.wait([task])

    finish(cancelled())
    assert not is_alive(started[0])


def test_a_loop_that_ends_takes_a_server_along_that_nobody_cleaned_up() -> None:
    async def scenario() -> int:
        server = small()
        await server.connect()
        return int(await text(server, "who"))

    assert not is_alive(asyncio.run(scenario()))


def test_a_connect_that_is_cancelled_leaves_none_behind(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    async def scenario() -> None:
        server = MCPServerStdio({"command": "sh", "args": ["-c", f"echo $$ > {fifo}; exec sleep 600"]})
        connecting = asyncio.create_task(server.connect())
        process = int(await asyncio.to_thread(fifo.read_text))
        connecting.cancel()
        await asyncio.wait([connecting])
        assert connecting.cancelled()
        assert not is_alive(process)

    finish(scenario())


KILLED = """
import asyncio, os, signal, sys
from tests.mcp.servers import small

async def main():
    for options in ([], ["deaf"], ["deaf", "grandchild"]):
        await small(*options, params={"env": {"LIFELINE": sys.argv[1]}}).connect()
        print(flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_it_does_not_outlive_us_even_when_we_are_killed(lifeline: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(lifeline)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as ours, lifeline.open("rb") as reader:
        assert ours.stdout is not None
        assert ours.stdout.read() == b"\n\n\n"
        assert ours.wait() == -signal.SIGKILL
        assert reader.read() == b""


def test_one_that_ends_in_a_call_fails_it_with_its_last_words_and_is_started_anew() -> None:
    async def scenario() -> None:
        async with small() as server:
            first = await text(server, "who")
            with pytest.raises(
                ServiceUnavailableError,
                match=r"'small' failed when asked to call 'die': it exited with status 3; whether the request",
            ):
                await text(server, "die")
            assert await text(server, "who") != first

    finish(scenario())


def test_a_failure_of_the_servers_own_is_none_of_the_connection() -> None:
    async def scenario() -> None:
        async with small() as server:
            first = await text(server, "who")
            with pytest.raises(Exception, match="a failure of its own"):
                await text(server, "fail")
            assert await text(server, "who") == first

    finish(scenario())


def test_one_that_ended_between_two_calls_is_started_anew() -> None:
    async def scenario() -> None:
        async with small() as server:
            first = int(await text(server, "who"))
            os.kill(first, signal.SIGKILL)
            await until(lambda: server.session is None)
            assert int(await text(server, "who")) != first

    finish(scenario())


def test_calls_are_repeated_as_often_as_is_said() -> None:
    async def scenario() -> None:
        options = {"retry_backoff_seconds_base": 0.01, "retry_backoff_seconds_max": 0.02}
        async with small(max_retry_attempts=2, **options) as server:
            assert await text(server, "flaky") == "at attempt 3"
        async with small(max_retry_attempts=1, **options) as server:
            with pytest.raises(Exception, match="not yet"):
                await text(server, "flaky")

    finish(scenario())


def test_a_program_that_is_not_there_and_one_that_fails_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentctl.mcp.session_server.MIN_CONNECT_TIMEOUT", 0.5)

    async def scenario() -> None:
        with pytest.raises(
            UserError, match="cannot start MCP server 'small': no-such-program: No such file or directory"
        ):
            await small(params={"command": "no-such-program"}).connect()
        ended = "cannot connect to MCP server 'small': it exited with status 7: the licence has run out"
        with pytest.raises(UserError, match=ended):
            await small("broken").connect()
        with pytest.raises(ServiceUnavailableError, match="cannot connect to MCP server 'small': no more seats"):
            await small("refusing").connect()
        with pytest.raises(
            ServiceUnavailableError, match=r"cannot connect to MCP server 'small': no response within 0\.5 s"
        ):
            await small("silent", client_session_timeout_seconds=0.5).connect()

    finish(scenario())


def test_what_is_no_message_is_told_to_the_handler_and_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Any] = []

    async def hear(message: Any) -> None:
        heard.append(message)

    async def scenario() -> None:
        async with small("chatty", message_handler=hear) as server:
            assert await text(server, "who")

    with caplog.at_level(logging.DEBUG, "openai.agents"):
        finish(scenario())
    assert isinstance(heard[0], ValueError)
    assert "MCP server small wrote an invalid message: b'Welcome!'" in caplog.text


def test_a_call_that_is_cancelled_is_cancelled_in_the_server(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with small() as server:
            call = asyncio.create_task(server.call_tool("hang", {}))
            await text(server, "who")
            call.cancel()
            await until(lambda: "MCP server small: cancelled" in caplog.text)
            assert await text(server, "who")

    with caplog.at_level(logging.DEBUG, "openai.agents"):
        finish(scenario())


def test_an_answer_that_takes_too_long_is_an_error_that_says_so() -> None:
    async def scenario() -> None:
        async with small() as server:
            server.client_session_timeout_seconds = 0.1
            with pytest.raises(ServiceUnavailableError, match=r"'small' did not call 'hang' within 0\.1 s"):
                await text(server, "hang")
            server.client_session_timeout_seconds = servers.PATIENCE
            assert await text(server, "who")

    finish(scenario())


def test_a_list_of_several_pages_is_read_to_its_end() -> None:
    async def scenario() -> None:
        async with small("pages") as server:
            assert [tool.name for tool in await server.list_tools()][-1] == "flaky"
            server.max_list_pages = 1
            with pytest.raises(UserError, match="exceeded the limit max_list_pages=1 when asked to list its tools"):
                await server.list_tools()
        async with small("looping") as server:
            with pytest.raises(UserError, match="the same page twice"):
                await server.list_tools()

    finish(scenario())


def test_a_server_that_refuses_or_answers_with_nonsense_is_named() -> None:
    async def scenario() -> None:
        async with small("strict") as server:
            with pytest.raises(
                RequestRejectedError, match="'small' rejected the request to list its tools: no tools today"
            ):
                await server.list_tools()
        async with small("sloppy") as server:
            message = r"'small' returned an invalid response when asked to list its tools: tools\.0\.inputSchema: Input"
            with pytest.raises(ModelBehaviorError, match=message):
                await server.list_tools()

    finish(scenario())


def test_half_a_character_keeps_nobody_from_being_understood() -> None:
    async def scenario() -> None:
        async with small() as server:
            assert await text(server, "halves") == "cut ?"
            assert json.loads(await text(server, "echo", {"t": "cut \ud83d", "n": [1, "\U0001f600"]})) == [
                {"t": "cut ?", "n": [1, "\U0001f600"]},
                None,
            ]

    finish(scenario())


def test_who_is_not_connected_says_how_to_connect() -> None:
    server = small()
    with pytest.raises(UserError, match="'small' is not connected: wrap the run in `async with server:`"):
        finish(server.list_tools())


def test_a_server_of_another_loop_is_refused_and_can_be_cleaned_up() -> None:
    async def connected() -> MCPServerStdio:
        server = small()
        await server.connect()
        return server

    async def elsewhere(server: MCPServerStdio) -> None:
        with pytest.raises(UserError, match="another event loop"):
            await server.list_tools()
        await server.cleanup()
        await server.connect()
        assert await text(server, "who")
        await server.cleanup()

    server = asyncio.run(connected())
    finish(elsewhere(server))


def test_without_the_package_connecting_says_what_to_install() -> None:
    script = """
import asyncio, sys
sys.modules["mcp"] = None
from tests.mcp.servers import small
asyncio.run(small().connect())
"""
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert outcome.stderr.splitlines()[-1].endswith(f"not installed: {sys.executable} -m pip install 'mcp>=2.3,<3'")
