"""The way in: run an agent to the end, or read along."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from agentctl.agent.agent import Agent
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.events import RunFinished
from agentctl.agent.wire import WireItem
from agentctl.errors import UserError

from .config import DEFAULT_MAX_TURNS, RunConfig, run_config
from .loop import run_loop
from .progress import Progress
from .result import RunResult, RunResultStreaming, whole_result


class Runner:
    """Runs agents."""

    @classmethod
    async def run(
        cls,
        starting_agent: Agent[Any],
        input: str | list[WireItem],
        *,
        context: Any = None,
        max_turns: int | None = DEFAULT_MAX_TURNS,
        run_config: RunConfig | dict[str, Any] | None = None,
    ) -> RunResult:
        """Run an agent until it has its final output.

        Raises:
            AgentsException: as its subclasses say; `run_data` has what was produced until then.
        """
        progress = _begin(starting_agent, input, context, max_turns, run_config)
        try:
            async with aclosing(run_loop(progress, streamed=False)) as events:
                async for event in events:
                    if type(event) is RunFinished and event.error:
                        raise event.error
        finally:
            if run_config is None:
                await progress.config.model_provider.aclose()
        return whole_result(progress)

    @classmethod
    def run_sync(
        cls,
        starting_agent: Agent[Any],
        input: str | list[WireItem],
        *,
        context: Any = None,
        max_turns: int | None = DEFAULT_MAX_TURNS,
        run_config: RunConfig | dict[str, Any] | None = None,
    ) -> RunResult:
        """Do what `run` does, from code that is not async; inside a running event loop it raises `RuntimeError`."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise RuntimeError("Runner.run_sync was called inside a running event loop: await Runner.run instead")
        return asyncio.run(cls.run(starting_agent, input, context=context, max_turns=max_turns, run_config=run_config))

    @classmethod
    def run_streamed(
        cls,
        starting_agent: Agent[Any],
        input: str | list[WireItem],
        context: Any = None,
        max_turns: int | None = DEFAULT_MAX_TURNS,
        run_config: RunConfig | dict[str, Any] | None = None,
    ) -> RunResultStreaming:
        """Start a run in the running event loop and return it at once, to be read as it goes."""
        progress = _begin(starting_agent, input, context, max_turns, run_config)
        result = RunResultStreaming(progress)

        async def drive() -> None:
            try:
                await result.drive(run_loop(progress, streamed=True))
            finally:
                if run_config is None:
                    await progress.config.model_provider.aclose()

        result.run_loop_task = asyncio.get_running_loop().create_task(drive(), name=f"run of {starting_agent.name}")
        return result


def _begin(
    agent: Agent[Any],
    input: str | list[WireItem],
    context: Any,
    max_turns: int | None,
    config: RunConfig | dict[str, Any] | None,
) -> Progress:
    if not isinstance(agent, Agent):
        raise UserError(f"the agent to run is an Agent, not {type(agent).__name__}")
    if not isinstance(input, str | list):
        raise UserError(f"the input of a run is a text or a list of items, not {type(input).__name__}")
    if max_turns is not None and max_turns < 1:
        raise UserError(f"max_turns is at least 1, or None for no limit, not {max_turns}")
    return Progress(
        input=input,
        agent=agent,
        context=context if isinstance(context, RunContextWrapper) else RunContextWrapper(context),
        config=run_config(config),
        max_turns=max_turns,
    )
