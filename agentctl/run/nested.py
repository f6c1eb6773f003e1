"""Runs within a tool call: an agent that is a tool of another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from agentctl.agent.agent import Agent
from agentctl.agent.context import ToolContext
from agentctl.agent.events import (
    AgentUpdatedStreamEvent,
    RawResponsesStreamEvent,
    RunEvent,
    RunFinished,
    RunItemStreamEvent,
    StreamEvent,
)
from agentctl.agent.ports import NestedRun
from agentctl.agent.usage import Usage

from .config import DEFAULT_MAX_TURNS
from .loop import run_loop
from .progress import Progress, begin
from .result import RunResult


async def run_nested(run: NestedRun, context: ToolContext[Any]) -> RunResult:
    """Run an agent as part of a tool call: its usage is added to that of the run around it, however it ends.

    Raises:
        AgentsException: as its subclasses say; `run_data` has what was produced until then.
    """
    progress = _begin(run, context)
    paused = context.paused.pop(context.tool_call_id, None)
    if paused is not None:
        progress = paused.copy().under(progress)
    progress.run_agent = run_nested
    try:
        async with aclosing(run_loop(progress, streamed=run.hear is not None)) as events:
            end = await (_end(events) if run.hear is None else _heard_end(events, run))
        if end is not None and end.error is not None:
            raise end.error
    finally:
        context.usage.add(progress.context.usage)
        await progress.close()
    if progress.interruptions:
        progress.context.usage = Usage()  # What it used so far is counted.
        context.paused[context.tool_call_id] = progress
    return RunResult(progress)


def _begin(run: NestedRun, context: ToolContext[Any]) -> Progress:
    return begin(
        run.agent,
        run.input,
        context=context.for_nested_run(run.tool_input),
        max_turns=DEFAULT_MAX_TURNS if run.max_turns is None else run.max_turns,
        config=context.run_config if run.run_config is None else run.run_config,
        hooks=run.hooks,
        previous_response_id=run.previous_response_id,
        conversation_id=run.conversation_id,
        session=run.session,
    )


async def _end(events: AsyncGenerator[RunEvent]) -> RunFinished | None:
    end: RunFinished | None = None
    async for event in events:
        if type(event) is RunFinished:
            end = event
    return end


async def _heard_end(events: AsyncGenerator[RunEvent], run: NestedRun) -> RunFinished | None:
    """Read the run to its end; a task beside it tells of the events, one after the other."""
    end: RunFinished | None = None
    waiting: asyncio.Queue[tuple[StreamEvent, Agent[Any]] | None] = asyncio.Queue(run.most_unheard or 0)
    agent = run.agent
    async with asyncio.TaskGroup() as group:
        group.create_task(_tell(waiting, run), name=f"events of {agent.name}")
        async for event in events:
            match event:
                case AgentUpdatedStreamEvent(new_agent=agent):
                    await waiting.put((event, agent))
                case RawResponsesStreamEvent() | RunItemStreamEvent():
                    await waiting.put((event, agent))
                case RunFinished():
                    end = event
        await waiting.put(None)
    return end


async def _tell(waiting: asyncio.Queue[tuple[StreamEvent, Agent[Any]] | None], run: NestedRun) -> None:
    assert run.hear is not None
    while (heard := await waiting.get()) is not None:
        await run.hear(*heard)
