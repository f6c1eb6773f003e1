"""A run, whole and streamed: every rule of the loop holds for both, and neither leaves a task behind."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agentctl import Agent, RunConfig, Runner
from agentctl.run.result import RunResultBase

Run = Callable[..., RunResultBase]


async def run_whole(agent: Agent[Any], input: Any, **options: Any) -> RunResultBase:
    return await Runner.run(agent, input, **options)


async def run_streamed(agent: Agent[Any], input: Any, **options: Any) -> RunResultBase:
    result = Runner.run_streamed(agent, input, **options)
    try:
        async for _ in result.stream_events():
            pass
    finally:
        await asyncio.wait([result.run_loop_task])
    return result


@pytest.fixture(params=[run_whole, run_streamed])
def run(request: pytest.FixtureRequest) -> Run:
    way: Callable[..., Awaitable[RunResultBase]] = request.param

    async def alone(agent: Agent[Any], input: Any, options: dict[str, Any]) -> RunResultBase:
        try:
            return await way(agent, input, **options)
        finally:
            config = options.get("run_config")
            if isinstance(config, RunConfig):
                await config.model_provider.aclose()
                for _ in range(10):  # A socket that was was cancelled before ends a few steps later.
                    await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}

    def run(agent: Agent[Any], input: Any = "hi", **options: Any) -> RunResultBase:
        return asyncio.run(alone(agent, input, options))

    return run
