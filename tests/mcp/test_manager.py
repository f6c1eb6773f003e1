"""Several servers at once: connected side by side, cleaned up whatever happens, the failed ones apart."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from agentctl import Agent, Runner, UserError
from agentctl.mcp import MCPServer, MCPServerManager
from agentctl.testing import ScriptedModel

from .conftest import finish
from .servers import is_alive, small

NAMES = {"allowed_tool_names": ["who"]}


class Own(MCPServer):
    """A server of somebody else's making, whose connecting lasts until it is let go on."""

    def __init__(self, name: str, *, error: Exception | None = None) -> None:
        super().__init__()
        self.goes_on = asyncio.Event()
        self.news: list[Any] = []
        self._name = name
        self._error = error

    @property
    def name(self) -> str:
        return self._name

    async def connect(self) -> None:
        self.news.append(("connect", asyncio.current_task()))
        await self.goes_on.wait()
        if self._error is not None:
            raise self._error

    async def cleanup(self) -> None:
        self.news.append(("cleanup", asyncio.current_task()))

    async def list_tools(self, run_context: Any = None, agent: Any = None) -> list[Any]:
        return []

    async def call_tool(self, tool_name: str, arguments: Any, meta: Any = None) -> Any:
        raise NotImplementedError

    async def list_prompts(self) -> Any:
        raise NotImplementedError

    async def get_prompt(self, name: str, arguments: Any = None) -> Any:
        raise NotImplementedError


def test_servers_are_there_for_a_run_and_gone_after_it() -> None:
    async def scenario() -> list[int]:
        first, second = small(name="1"), small(name="2", tool_filter=NAMES)
        async with MCPServerManager([first, second, first]) as manager:
            assert manager.active_servers == manager.all_servers == [first, second]
            agent = Agent(name="a", model=ScriptedModel(["done"]), mcp_servers=manager.active_servers[1:])
            assert (await Runner.run(agent, "hi")).final_output == "done"
            results: list[Any] = [await server.call_tool("who", {}) for server in (first, second)]
        return [int(result.content[0].text) for result in results]

    assert not any(map(is_alive, finish(scenario())))


def test_servers_start_side_by_side(tmp_path: Path) -> None:
    fifos = [tmp_path / "1", tmp_path / "2"]
    for fifo in fifos:
        os.mkfifo(fifo)

    async def scenario() -> None:
        manager = MCPServerManager(small(name=fifo.name, params={"env": {"LIFELINE": str(fifo)}}) for fifo in fifos)
        connecting = asyncio.create_task(manager.connect_all())
        for fifo in reversed(fifos):  # None can be connected before somebody reads from its pipe.
            (await asyncio.to_thread(fifo.open, "rb")).close()
        assert len(await connecting) == 2
        await manager.cleanup_all()

    finish(scenario())


def test_a_server_that_fails_is_left_out_and_can_be_tried_again() -> None:
    async def scenario() -> None:
        good, bad = small(), small("broken", name="bad")
        async with MCPServerManager([bad, good]) as manager:
            assert manager.active_servers == [good]
            assert manager.failed_servers == [bad]
            assert "the licence has run out" in str(manager.errors[bad])
            assert isinstance(bad.params, dict)
            bad.params["args"].remove("broken")
            assert await manager.reconnect() == [bad, good]
            assert manager.errors == {}
            assert await manager.reconnect(failed_only=False) == [bad, good]
        async with MCPServerManager([small("broken"), good], drop_failed_servers=False) as manager:
            assert len(manager.active_servers) == 2

    finish(scenario())


def test_strictly_the_first_failure_is_raised_and_the_others_are_cleaned_up() -> None:
    async def scenario() -> None:
        good = small()
        manager = MCPServerManager([good, small("broken", name="bad")], strict=True)
        with pytest.raises(UserError, match="cannot connect to MCP server 'bad'"):
            await manager.connect_all()
        assert not good.is_connected

    finish(scenario())


def test_servers_of_other_makers_are_connected_one_by_one_or_side_by_side_each_in_a_task_of_its_own() -> None:
    async def scenario() -> None:
        one, two = Own("1"), Own("2")
        connecting = asyncio.create_task(MCPServerManager([one, two]).connect_all())
        await asyncio.sleep(0.01)
        assert (len(one.news), len(two.news)) == (1, 0)
        connecting.cancel()
        await asyncio.wait([connecting])
        assert [news for news, _ in one.news] == ["connect", "cleanup"]
        assert two.news == []
        one, two = Own("1"), Own("2", error=ValueError("no"))
        manager = MCPServerManager([one, two], connect_in_parallel=True)
        connecting = asyncio.create_task(manager.connect_all())
        await asyncio.sleep(0.01)
        assert (len(one.news), len(two.news)) == (1, 1)
        one.goes_on.set()
        two.goes_on.set()
        assert await connecting == [one]
        await manager.cleanup_all()
        assert [task for _, task in one.news] == [one.news[0][1]] * 2
        assert [news for news, _ in two.news] == ["connect", "cleanup"]

    finish(scenario())


def test_connecting_that_takes_too_long_is_a_failure() -> None:
    async def scenario() -> None:
        slow = Own("slow")
        async with MCPServerManager([slow], connect_timeout_seconds=0.01) as manager:
            assert manager.active_servers == []
            assert str(manager.errors[slow]) == "connecting timed out after 0.01 s"

    finish(scenario())


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_a_timeout_is_a_positive_number_of_seconds(seconds: float) -> None:
    with pytest.raises(ValueError, match="connect_timeout_seconds must be a finite number"):
        MCPServerManager([], connect_timeout_seconds=seconds)
    with pytest.raises(ValueError, match="cleanup_timeout_seconds must be a finite number"):
        MCPServerManager([], cleanup_timeout_seconds=seconds)
