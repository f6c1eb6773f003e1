"""A server over each transport, and both ways of a run."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import pytest

from agentctl.mcp import MCPServer
from agentctl.run.result import RunResultBase
from tests.run.conftest import run_streamed, run_whole

from . import servers

Way = Callable[..., Awaitable[RunResultBase]]
Make = Callable[..., MCPServer]


@pytest.fixture(scope="session")
def web_port() -> Iterator[int]:
    """The port of the whole server on the web."""
    with servers.serving("whole") as port:
        yield port


@pytest.fixture(params=["stdio", "sse", "http"])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes the whole server over one of the transports, not connected."""
    if request.param == "stdio":
        return servers.whole_stdio
    port: int = request.getfixturevalue("web_port")
    reach = servers.sse if request.param == "sse" else servers.http
    return lambda **fields: reach(port, **fields)


@pytest.fixture(params=[run_whole, run_streamed])
def way(request: pytest.FixtureRequest) -> Way:
    """A run, whole or streamed."""
    chosen: Way = request.param
    return chosen


def finish(scenario: Coroutine[Any, Any, Any]) -> Any:
    """Run a scenario that leaves no task behind."""

    async def alone() -> Any:
        result = await scenario
        for _ in range(10):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    return asyncio.run(alone())
