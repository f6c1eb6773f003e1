"""What a run gives back: whole, or as it goes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from agentctl.agent.agent import Agent
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.events import (
    AgentUpdatedStreamEvent,
    RawResponsesStreamEvent,
    RunEvent,
    RunFinished,
    RunItemStreamEvent,
    StreamEvent,
)
from agentctl.agent.items import ItemHelpers, ModelResponse, RunItem
from agentctl.agent.wire import WireItem
from agentctl.errors import AgentsException, RunCancelled

from .progress import Progress

T = TypeVar("T")

_MOST_WAITING = 4096
"""How many events may wait for a reader before the run waits for it."""


@dataclass(kw_only=True)
class RunResultBase:
    """What is known of a run, ended or not."""

    input: str | list[WireItem]
    """The input as it was given."""
    new_items: list[RunItem]
    """What the run added, each item once, in order."""
    raw_responses: list[ModelResponse]
    final_output: Any
    """The text, or the value of the agent's output type; None before there is one."""
    context_wrapper: RunContextWrapper[Any]
    max_turns: int | None

    @property
    def last_response_id(self) -> str | None:
        """The id of the newest response."""
        return self.raw_responses[-1].response_id if self.raw_responses else None

    def final_output_as(self, cls: type[T], raise_if_incorrect_type: bool = False) -> T:
        """Return the final output, for the type checker a `cls`; with the flag, raise `TypeError` if it is none."""
        if raise_if_incorrect_type and not isinstance(self.final_output, cls):
            raise TypeError(f"the final output is a {type(self.final_output).__name__}, not a {cls.__name__}")
        output: T = self.final_output
        return output

    def to_input_list(self) -> list[WireItem]:
        """Return the input and all that the run added, as input for a next run."""
        return [*ItemHelpers.input_to_new_input_list(self.input), *(item.to_input_item() for item in self.new_items)]


@dataclass(kw_only=True)
class RunResult(RunResultBase):
    """A run that has ended."""

    last_agent: Agent[Any]
    """The agent that had the last word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunErrorDetails:
    """What a failed run had produced: `run_data` of the exception."""

    input: str | list[WireItem]
    new_items: list[RunItem]
    raw_responses: list[ModelResponse]
    last_agent: Agent[Any]
    context_wrapper: RunContextWrapper[Any]


def error_details(progress: Progress) -> RunErrorDetails:
    """Return what a run has produced so far."""
    return RunErrorDetails(
        input=progress.input,
        new_items=list(progress.new_items),
        raw_responses=list(progress.raw_responses),
        last_agent=progress.agent,
        context_wrapper=progress.context,
    )


def finished(progress: Progress, error: Exception | None) -> RunFinished:
    """Return the last event of a run."""
    return RunFinished(
        final_output=progress.final_output,
        agent=progress.agent,
        usage=progress.context.usage,
        response_id=progress.last_response_id,
        error=error,
    )


def whole_result(progress: Progress) -> RunResult:
    """Return the result of a run that has ended well."""
    return RunResult(
        input=progress.input,
        new_items=progress.new_items,
        raw_responses=progress.raw_responses,
        final_output=progress.final_output,
        context_wrapper=progress.context,
        max_turns=progress.max_turns,
        last_agent=progress.agent,
    )


class RunResultStreaming(RunResultBase):
    """A run under way: it goes on by itself, whether or not its events are read.

    Once a reader has begun, a slow one slows the run down instead of letting events pile up.
    """

    run_loop_task: asyncio.Task[None]

    def __init__(self, progress: Progress) -> None:
        super().__init__(
            input=progress.input,
            new_items=progress.new_items,
            raw_responses=progress.raw_responses,
            final_output=None,
            context_wrapper=progress.context,
            max_turns=progress.max_turns,
        )
        self._progress = progress
        self._waiting: deque[RunEvent] = deque()
        self._arrived = asyncio.Event()
        self._read = asyncio.Event()
        self._has_reader = False
        self._end: RunFinished | None = None

    @property
    def current_agent(self) -> Agent[Any]:
        """The agent that has the word."""
        return self._progress.agent

    @property
    def last_agent(self) -> Agent[Any]:
        """The agent that had the last word; while the run goes on, the one that has it."""
        return self._progress.agent

    @property
    def current_turn(self) -> int:
        """The turn at hand, counted from 1."""
        return self._progress.turn

    @property
    def is_complete(self) -> bool:
        """Whether the run has ended, well or not."""
        return self._end is not None

    @property
    def run_loop_exception(self) -> BaseException | None:
        """What ended the run, if it failed."""
        return self._end.error if self._end else None

    async def stream_events(self) -> AsyncIterator[StreamEvent]:
        """Yield the events that the Agents SDK knows, to the end of the run; then raise what the run raised.

        After `cancel()` the events just end.
        """
        async for event in self.run_events():
            if isinstance(event, RawResponsesStreamEvent | RunItemStreamEvent | AgentUpdatedStreamEvent):
                yield event
            elif isinstance(event, RunFinished) and event.error and not isinstance(event.error, RunCancelled):
                raise event.error

    async def run_events(self) -> AsyncIterator[RunEvent]:
        """Yield all that happens; the last event is `RunFinished`, and carries the error instead of raising it."""
        self._has_reader = True
        waiting = self._waiting
        while True:
            while waiting:
                event = waiting.popleft()
                yield event
                if type(event) is RunFinished:
                    return
            self._read.set()
            if self._end is not None and not waiting:
                return
            self._arrived.clear()
            await self._arrived.wait()

    def cancel(
        self, mode: Literal["immediate", "after_turn"] = "immediate", *, reason: AgentsException | None = None
    ) -> None:
        """Stop the run: at once, dropping events that were not read, or when the turn at hand is over.

        `reason` becomes the error of the last event; without one it is `RunCancelled`.
        """
        if self._end is not None:
            return
        if mode == "after_turn":
            self._progress.ends_after_turn = True
            return
        error = reason or RunCancelled()
        error.run_data = error_details(self._progress)
        self._waiting.clear()
        self._finish(finished(self._progress, error))
        self.run_loop_task.cancel()

    async def drive(self, loop: AsyncGenerator[RunEvent]) -> None:
        """Read the loop to its end: the body of `run_loop_task`."""
        waiting, arrived = self._waiting, self._arrived
        try:
            async with aclosing(loop):
                async for event in loop:
                    if self._end is not None:
                        return
                    if type(event) is RunFinished:
                        self._finish(event)
                        return
                    waiting.append(event)
                    arrived.set()
                    if len(waiting) >= _MOST_WAITING and self._has_reader:
                        self._read.clear()
                        await self._read.wait()
        finally:
            if self._end is None:
                self._finish(finished(self._progress, RunCancelled()))

    def _finish(self, end: RunFinished) -> None:
        self.final_output = end.final_output
        self._end = end
        self._waiting.append(end)
        self._arrived.set()
        self._read.set()
