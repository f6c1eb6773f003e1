"""What a run gives back: whole, or as it goes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar
from weakref import ref

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.context import AgentToolInvocation, RunContextWrapper, ToolContext
from agentctl.agent.events import (
    AgentUpdatedStreamEvent,
    RawResponsesStreamEvent,
    RunEvent,
    RunFinished,
    RunItemStreamEvent,
    StreamEvent,
)
from agentctl.agent.items.run_items import ItemHelpers, ModelResponse, RunItem, ToolApprovalItem
from agentctl.agent.wire import WireItem
from agentctl.errors import AgentsException, RunCancelled

from .active_run import ActiveRun

if TYPE_CHECKING:
    from agentctl.agent.guardrail import InputGuardrailResult, OutputGuardrailResult
    from agentctl.agent.tools.guardrails import ToolInputGuardrailResult, ToolOutputGuardrailResult
    from agentctl.run.state.run_state import RunState


T = TypeVar("T")

ToInputListMode: TypeAlias = Literal["preserve_all", "normalized"]
"""Whether a next run is given all that happened, or what the last model call was given and what came of it."""

_MOST_WAITING = 4096
"""How many events may wait for a reader before the run waits for it."""


class RunResultBase:
    """What is known of a run, ended or not."""

    def __init__(self, run: ActiveRun) -> None:
        """Show a run, of which new items and responses are there as they come."""
        self.new_items: list[RunItem] = run.history.new_items
        """What the run added, each item once, in order."""
        self.raw_responses: list[ModelResponse] = run.results.raw_responses
        self.final_output: Any = run.results.final_output
        """The text, or the value of the agent's output type; None before there is one."""
        self.input_guardrail_results: list[InputGuardrailResult] = run.results.input_guardrail_results
        self.output_guardrail_results: list[OutputGuardrailResult] = run.results.output_guardrail_results
        self.tool_input_guardrail_results: list[ToolInputGuardrailResult] = run.results.tool_input_guardrail_results
        self.tool_output_guardrail_results: list[ToolOutputGuardrailResult] = run.results.tool_output_guardrail_results
        self.context_wrapper: RunContextWrapper[Any] = run.context
        self.max_turns: int | None = run.spec.max_turns
        self._run = run
        self._released: ref[Agent[Any]] | None = None

    def __str__(self) -> str:
        agent = self._agent_if_held()
        waiting = f", {len(self.interruptions)} calls wait for a yes" if self.interruptions else ""
        return (
            f"{type(self).__name__} of {'an agent that is gone' if agent is None else f'agent {agent.name!r}'}: "
            f"{len(self.new_items)} new items, {len(self.raw_responses)} responses{waiting}; "
            f"final output: {self.final_output}"
        )

    @property
    def input(self) -> str | list[WireItem]:
        """The input as it was given; with a session what that held before it, then what is new."""
        return self._run.history.input

    @property
    def last_agent(self) -> Agent[Any]:
        """The agent that had the last word; while the run goes on, the one that has it.

        Raises:
            AgentsException: the agents were released, and nobody else holds this one.
        """
        agent = self._agent_if_held()
        if agent is None:
            raise AgentsException("the result's agents were released, and the last one is gone")
        return agent

    @property
    def last_response_id(self) -> str | None:
        """The id of the newest response."""
        return self._run.results.last_response_id

    @property
    def interruptions(self) -> list[ToolApprovalItem]:
        """The calls that wait for somebody's yes: `to_state()` takes the decisions, and a run goes on from it."""
        return list(self._run.turn.interruptions)

    def to_state(self) -> RunState:
        """Return the run as it is now, to be decided about, kept and gone on with.

        Raises:
            AgentsException: the agents were released, and nobody else holds the last one.
        """
        # Only runs that wait pay for it.
        from agentctl.run.state.run_state import RunState

        agent = self.last_agent
        run = self._run.copy()
        run.turn.agent = agent
        return RunState(run)

    @property
    def agent_tool_invocation(self) -> AgentToolInvocation | None:
        """The tool call that the run is part of, where the agent is a tool of another."""
        context = self.context_wrapper
        if not isinstance(context, ToolContext):
            return None
        return AgentToolInvocation(context.tool_name, context.tool_call_id, context.tool_arguments)

    def final_output_as(self, cls: type[T], raise_if_incorrect_type: bool = False) -> T:
        """Return the final output, for the type checker a `cls`; with the flag, raise `TypeError` if it is none."""
        if raise_if_incorrect_type and not isinstance(self.final_output, cls):
            raise TypeError(f"the final output is a {type(self.final_output).__name__}, not a {cls.__name__}")
        output: T = self.final_output
        return output

    def to_input_list(self, *, mode: ToInputListMode = "preserve_all") -> list[WireItem]:
        """Return the input and all that the run added, as input for a next run.

        `normalized` gives the history as the model knows it, which is another where a handoff filtered it.
        """
        if mode == "normalized":
            return list(self._run.history.items)
        added = map(self._run.history.to_input, self.new_items)
        return [*ItemHelpers.input_to_new_input_list(self.input), *added]

    def release_agents(self, *, release_new_items: bool = True) -> None:
        """Hold the agents of an ended run no longer, so that a kept result does not keep them."""
        if self._released is None:
            self._released = ref(self._run.agent)
            del self._run.turn.agent
            self._run.default_handoffs.clear()
        if release_new_items:
            for item in (*self.new_items, *self._run.turn.interruptions):
                item.release_agent()

    def _agent_if_held(self) -> Agent[Any] | None:
        return self._run.agent if self._released is None else self._released()


class RunResult(RunResultBase):
    """A run that has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunErrorDetails:
    """What a failed run had produced: `run_data` of the exception."""

    input: str | list[WireItem]
    new_items: list[RunItem]
    raw_responses: list[ModelResponse]
    last_agent: Agent[Any]
    context_wrapper: RunContextWrapper[Any]
    input_guardrail_results: list[InputGuardrailResult]
    output_guardrail_results: list[OutputGuardrailResult]
    tool_input_guardrail_results: list[ToolInputGuardrailResult]
    tool_output_guardrail_results: list[ToolOutputGuardrailResult]


def error_details(run: ActiveRun) -> RunErrorDetails:
    """Return what a run has produced so far."""
    return RunErrorDetails(
        input=run.history.input,
        new_items=list(run.history.new_items),
        raw_responses=list(run.results.raw_responses),
        last_agent=run.agent,
        context_wrapper=run.context,
        input_guardrail_results=list(run.results.input_guardrail_results),
        output_guardrail_results=list(run.results.output_guardrail_results),
        tool_input_guardrail_results=list(run.results.tool_input_guardrail_results),
        tool_output_guardrail_results=list(run.results.tool_output_guardrail_results),
    )


def finish(run: ActiveRun, error: Exception | None) -> RunFinished:
    """Return the last event of a run."""
    return RunFinished(
        final_output=run.results.final_output,
        agent=run.agent,
        usage=run.context.usage,
        response_id=run.results.last_response_id,
        session_id=None if run.spec.memory is None else run.spec.memory.session_id,
        error=error,
        interruptions=list(run.turn.interruptions),
    )


class RunResultStreaming(RunResultBase):
    """A run under way: it goes on by itself, whether or not its events are read.

    While somebody reads, a slow reader slows the run down instead of letting events pile up.
    """

    run_loop_task: asyncio.Task[None]

    def __init__(self, run: ActiveRun) -> None:
        super().__init__(run)
        self._waiting: deque[RunEvent] = deque()
        self._arrived = asyncio.Event()
        self._read = asyncio.Event()
        self._has_reader = False
        self._end: RunFinished | None = None

    @property
    def current_agent(self) -> Agent[Any]:
        """The agent that has the word."""
        return self.last_agent

    @property
    def current_turn(self) -> int:
        """The turn at hand, counted from 1."""
        return self._run.turn.number

    @property
    def is_complete(self) -> bool:
        """Whether the run has ended, well or not."""
        return self._end is not None

    @property
    def run_loop_exception(self) -> BaseException | None:
        """What ended the run, if it failed; None for one that was cancelled."""
        error = self._end.error if self._end else None
        return None if isinstance(error, RunCancelled) else error

    def release_agents(self, *, release_new_items: bool = True) -> None:
        """Hold the agents of an ended run no longer, so that a kept result does not keep them."""
        super().release_agents(release_new_items=release_new_items)
        if self._end is not None:
            self._end = replace(self._end, agent=None)

    async def stream_events(self) -> AsyncIterator[StreamEvent]:
        """Yield the events that the Agents SDK knows, to the end of the run; then raise what the run raised.

        After `cancel()` the events just end.
        """
        async with aclosing(self.run_events()) as events:
            async for event in events:
                if isinstance(event, RawResponsesStreamEvent | RunItemStreamEvent | AgentUpdatedStreamEvent):
                    yield event
                elif isinstance(event, RunFinished) and event.error and not isinstance(event.error, RunCancelled):
                    raise event.error

    async def run_events(self) -> AsyncGenerator[RunEvent]:
        """Yield all that happens; the last event is `RunFinished`, and carries the error instead of raising it."""
        self._has_reader = True
        waiting = self._waiting
        try:
            while True:
                while waiting:
                    event = waiting.popleft()
                    if type(event) is RunFinished:
                        yield await self._saved(event)
                        return
                    yield event
                self._read.set()
                if self._end is not None and not waiting:
                    return
                self._arrived.clear()
                await self._arrived.wait()
        finally:
            # Who left early may never come back, and the run goes on.
            self._has_reader = False
            self._read.set()

    def cancel(
        self, mode: Literal["immediate", "after_turn"] = "immediate", *, reason: AgentsException | None = None
    ) -> None:
        """Stop the run: at once, dropping events that were not read, or when the turn at hand is over.

        At once means that model calls and tools are cancelled; a tool call that was under way gets an output that says
        so, such that `to_input_list()` can be gone on from, and so can the session once the events were read to their
        end. After the turn means that its tools give their outputs.

        `reason` becomes the error of the last event; without one it is `RunCancelled`.

        Raises:
            ValueError: there is no such mode.
        """
        if mode not in ("immediate", "after_turn"):
            raise ValueError(f"cancel: mode is 'immediate' or 'after_turn', not {mode!r}")
        if self._end is not None:
            return
        if mode == "after_turn":
            self._run.stops_after_turn = True
            return
        self._run.abort()
        error = reason or RunCancelled()
        error.run_data = error_details(self._run)
        self._waiting.clear()
        self._finish(finish(self._run, error))
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
                self._run.abort()
                self._finish(finish(self._run, RunCancelled()))

    async def _saved(self, end: RunFinished) -> RunFinished:
        """Return the end once what it leaves to the session is there; it carries what the session raises."""
        if self._run.spec.memory is None:
            return end
        try:
            await self._run.spec.memory.settle()
        except Exception as error:
            self._end = replace(end, error=error)
            return self._end
        return end

    def _finish(self, end: RunFinished) -> None:
        self.final_output = end.final_output
        self._end = end
        self._waiting.append(end)
        self._arrived.set()
        self._read.set()
