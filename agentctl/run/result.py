"""Results of a run: complete, or streamed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, TypeVar
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
    ToolProgressed,
)
from agentctl.agent.items.run_items import ItemHelpers, ModelResponse, RunItem, ToolApprovalItem
from agentctl.agent.run_config import DEFAULT_MAX_TURNS
from agentctl.agent.wire import WireItem
from agentctl.errors import AgentsException, RunCancelled, UserError
from agentctl.grammar import add_article, count

from .active_run import ActiveRun, begin
from .results import Results

if TYPE_CHECKING:
    from agentctl.agent.guardrail import InputGuardrailResult, OutputGuardrailResult
    from agentctl.agent.output import AgentOutputSchemaBase
    from agentctl.agent.tools.guardrails import ToolInputGuardrailResult, ToolOutputGuardrailResult
    from agentctl.run.state.run_state import RunState
    from agentctl.tracing.spans import Trace


T = TypeVar("T")

ToInputListMode: TypeAlias = Literal["preserve_all", "normalized"]
"""Whether a next run gets all items, or the history as the last model call saw it."""

_SDK_EVENTS = (RawResponsesStreamEvent, RunItemStreamEvent, AgentUpdatedStreamEvent)
_MOST_WAITING = 4096
"""The number of events that may wait for a reader before the run waits, too."""


class RunResultBase:
    """The result of a run so far."""

    def __init__(
        self,
        input: str | list[WireItem],
        new_items: list[RunItem],
        raw_responses: list[ModelResponse],
        final_output: Any,
        input_guardrail_results: list[InputGuardrailResult],
        output_guardrail_results: list[OutputGuardrailResult],
        tool_input_guardrail_results: list[ToolInputGuardrailResult],
        tool_output_guardrail_results: list[ToolOutputGuardrailResult],
        context_wrapper: RunContextWrapper[Any],
        _last_agent: Agent[Any] | None = None,
        *,
        max_turns: int | None = DEFAULT_MAX_TURNS,
        interruptions: list[ToolApprovalItem] | None = None,
    ) -> None:
        """Make a result by hand, for tests for instance; the results of runs wrap the run."""
        agent = Agent(name="agent") if _last_agent is None else _last_agent
        run = begin(agent, input, context=context_wrapper, max_turns=max_turns, config=None)
        run.history.new_items = new_items
        run.turn.interruptions = interruptions or []
        run.results = Results(
            raw_responses=raw_responses,
            input_guardrail_results=input_guardrail_results,
            output_guardrail_results=output_guardrail_results,
            tool_input_guardrail_results=tool_input_guardrail_results,
            tool_output_guardrail_results=tool_output_guardrail_results,
            final_output=final_output,
        )
        run.history.rebuild()
        self._wrap(run)

    @classmethod
    def of_run(cls, run: ActiveRun) -> Self:
        """Return the result of a run; new items and responses appear as they come."""
        result = cls.__new__(cls)
        result._wrap(run)
        return result

    def _wrap(self, run: ActiveRun) -> None:
        self.new_items: list[RunItem] = run.history.new_items
        """The items that the run added, in order."""
        self.raw_responses: list[ModelResponse] = run.results.raw_responses
        self.final_output: Any = run.results.final_output
        """The text, or the value of the agent's output type; None until the run has ended."""
        self.input_guardrail_results: list[InputGuardrailResult] = run.results.input_guardrail_results
        self.output_guardrail_results: list[OutputGuardrailResult] = run.results.output_guardrail_results
        self.tool_input_guardrail_results: list[ToolInputGuardrailResult] = run.results.tool_input_guardrail_results
        self.tool_output_guardrail_results: list[ToolOutputGuardrailResult] = run.results.tool_output_guardrail_results
        self.context_wrapper: RunContextWrapper[Any] = run.context
        self.max_turns: int | None = run.spec.max_turns
        self._run = run
        self._released: ref[Agent[Any]] | None = None

    def __str__(self) -> str:
        agent = self._agent_if_alive()
        waiting = f", {count(len(self.interruptions), 'call')} to approve" if self.interruptions else ""
        return (
            f"{type(self).__name__} of {'a released agent' if agent is None else f'agent {agent.name!r}'}: "
            f"{count(len(self.new_items), 'new item')}, {count(len(self.raw_responses), 'response')}{waiting}; "
            f"final output: {self.final_output}"
        )

    @property
    def input(self) -> str | list[WireItem]:
        """The input as the caller gave it; with a session, the session's items first."""
        return self._run.history.input

    @property
    def last_agent(self) -> Agent[Any]:
        """The current agent; once the run has ended, the agent that gave the final output.

        Raises:
            AgentsException: the agents were released, and this one is gone.
        """
        agent = self._agent_if_alive()
        if agent is None:
            raise AgentsException("the agents of this result were released, and the last one is gone")
        return agent

    @property
    def last_response_id(self) -> str | None:
        """The id of the newest response."""
        return self._run.results.last_response_id

    @property
    def interruptions(self) -> list[ToolApprovalItem]:
        """The calls that wait for approval: decide them on `to_state()`, and resume the run from it."""
        return list(self._run.turn.interruptions)

    def to_state(self) -> RunState:
        """Return the state of the run, to decide its interruptions, save it and resume it.

        Raises:
            AgentsException: the agents were released, and the last one is gone.
        """
        # 5 ms that only a run that is interrupted pays.
        from agentctl.run.state.run_state import RunState

        agent = self.last_agent
        run = self._run.copy()
        run.turn.agent = agent
        return RunState.of_run(run)

    @property
    def agent_tool_invocation(self) -> AgentToolInvocation | None:
        """The tool call that the run is part of, where the agent is a tool of another."""
        context = self.context_wrapper
        if not isinstance(context, ToolContext):
            return None
        return AgentToolInvocation(context.tool_name, context.tool_call_id, context.tool_arguments)

    def final_output_as(self, cls: type[T], raise_if_incorrect_type: bool = False) -> T:
        """Return the final output, typed as `cls`; with the flag, raise `TypeError` if it is not an instance."""
        if raise_if_incorrect_type and not isinstance(self.final_output, cls):
            found, wanted = add_article(type(self.final_output).__name__), add_article(cls.__name__)
            raise TypeError(f"the final output is {found}, not {wanted}")
        output: T = self.final_output
        return output

    def to_input_list(self, *, mode: ToInputListMode = "preserve_all") -> list[WireItem]:
        """Return the input and the items of the run, as input for a next run.

        `normalized` gives the history as the model saw it, which differs after a handoff that filtered it.
        """
        if mode == "normalized":
            return list(self._run.history.items)
        added = map(self._run.history.to_input, self.new_items)
        return [*ItemHelpers.input_to_new_input_list(self.input), *added]

    def release_agents(self, *, release_new_items: bool = True) -> None:
        """Drop the references to the agents of an ended run, so that a stored result does not keep them alive."""
        if self._released is None:
            self._released = ref(self._run.agent)
            del self._run.turn.agent
            self._run.default_handoffs.clear()
        if release_new_items:
            for item in (*self.new_items, *self._run.turn.interruptions):
                item.release_agent()

    def _agent_if_alive(self) -> Agent[Any] | None:
        return self._run.agent if self._released is None else self._released()


class RunResult(RunResultBase):
    """A run that has ended."""


@dataclass(frozen=True, slots=True)
class RunErrorDetails:
    """The data of a failed run: `run_data` of the exception."""

    input: str | list[WireItem]
    new_items: list[RunItem]
    raw_responses: list[ModelResponse]
    last_agent: Agent[Any]
    context_wrapper: RunContextWrapper[Any]
    input_guardrail_results: list[InputGuardrailResult]
    output_guardrail_results: list[OutputGuardrailResult]
    tool_input_guardrail_results: list[ToolInputGuardrailResult] = field(default_factory=list)
    tool_output_guardrail_results: list[ToolOutputGuardrailResult] = field(default_factory=list)


def error_details(run: ActiveRun) -> RunErrorDetails:
    """Return the data of a run so far."""
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
        trace_id=None if run.trace is None or run.trace.processor is None else run.trace.trace_id,
        error=error,
        interruptions=list(run.turn.interruptions),
    )


class RunResultStreaming(RunResultBase):
    """A run in progress, which continues whether or not its events are read.

    A slow reader slows the run down; without a reader, events are queued.
    """

    run_loop_task: asyncio.Task[None]

    def __init__(
        self,
        input: str | list[WireItem],
        new_items: list[RunItem],
        raw_responses: list[ModelResponse],
        final_output: Any,
        input_guardrail_results: list[InputGuardrailResult],
        output_guardrail_results: list[OutputGuardrailResult],
        tool_input_guardrail_results: list[ToolInputGuardrailResult],
        tool_output_guardrail_results: list[ToolOutputGuardrailResult],
        context_wrapper: RunContextWrapper[Any],
        current_agent: Agent[Any],
        current_turn: int = 0,
        max_turns: int | None = DEFAULT_MAX_TURNS,
        _current_agent_output_schema: AgentOutputSchemaBase | None = None,
        trace: Trace | None = None,
        is_complete: bool = False,
        *,
        run_loop_task: asyncio.Task[None] | None = None,
        interruptions: list[ToolApprovalItem] | None = None,
    ) -> None:
        """Make a result by hand, for tests for instance; the results of runs wrap the run."""
        super().__init__(
            input,
            new_items,
            raw_responses,
            final_output,
            input_guardrail_results,
            output_guardrail_results,
            tool_input_guardrail_results,
            tool_output_guardrail_results,
            context_wrapper,
            current_agent,
            max_turns=max_turns,
            interruptions=interruptions,
        )
        self._run.turn.number, self._run.trace = current_turn, trace
        if run_loop_task is not None:
            self.run_loop_task = run_loop_task
        if is_complete:
            self._finish(finish(self._run, None))

    def _wrap(self, run: ActiveRun) -> None:
        super()._wrap(run)
        self._waiting: deque[RunEvent] = deque()
        self._arrived = asyncio.Event()
        self._read = asyncio.Event()
        self._reader: asyncio.Task[Any] | None = None
        self._has_reader = False
        self._is_asking = False
        self._end: RunFinished | None = None
        self._foreign_error: BaseException | None = None
        """What code of the user raised that is no `Exception`."""

    @property
    def current_agent(self) -> Agent[Any]:
        """The current agent."""
        return self.last_agent

    @property
    def current_turn(self) -> int:
        """The current turn, counted from 1."""
        return self._run.turn.number

    @property
    def trace(self) -> Trace | None:
        """The trace that the run is in."""
        return self._run.trace

    @property
    def is_complete(self) -> bool:
        """Return whether the run has ended, successfully or not."""
        return self._end is not None

    @property
    def run_loop_exception(self) -> BaseException | None:
        """The error of a failed run; None if it was cancelled."""
        error = self._end.error if self._end else None
        return None if isinstance(error, RunCancelled) else error

    def release_agents(self, *, release_new_items: bool = True) -> None:
        """Drop the references to the agents of an ended run, so that a stored result does not keep them alive."""
        super().release_agents(release_new_items=release_new_items)
        if self._end is not None:
            self._end = replace(self._end, agent=None)

    async def stream_events(self) -> AsyncIterator[StreamEvent]:
        """Yield the events that the Agents SDK defines, to the end of the run; then raise the error of the run.

        After `cancel()` the events end without an error.
        """
        async with aclosing(self._events()) as events:
            async for event in events:
                if isinstance(event, _SDK_EVENTS):
                    yield event
                elif self._foreign_error is not None:
                    raise self._foreign_error
                elif isinstance(event, RunFinished) and event.error and not isinstance(event.error, RunCancelled):
                    raise event.error

    def run_events(self) -> AsyncGenerator[RunEvent]:
        """Yield every event; the last is `RunFinished`, which carries the error instead of raising it."""
        self._run.report = self._take_report
        return self._events()

    async def _events(self) -> AsyncGenerator[RunEvent]:
        waiting = self._waiting
        self._register_reader()
        try:
            while True:
                while waiting:
                    event = waiting.popleft()
                    if type(event) is RunFinished:
                        yield await self._settle(event)
                        return
                    yield event
                    if asyncio.current_task() is not self._reader:
                        self._register_reader()
                self._is_asking = True
                self._read.set()
                if self._end is not None and not waiting:
                    return
                self._arrived.clear()
                await self._arrived.wait()
                self._is_asking = False
        finally:
            # The reader may have left early, and the run continues.
            self._unregister_reader()

    def cancel(
        self, mode: Literal["immediate", "after_turn"] = "immediate", *, reason: AgentsException | None = None
    ) -> None:
        """Cancel the run: at once, dropping unread events, or after the current turn.

        `immediate` cancels model calls and tools; a tool call in progress gets an output that says so, so that
        `to_input_list()` is valid input for a next run, and so is the session once the events were read to the end.
        `after_turn` lets the tools of the turn give their outputs.

        `reason` becomes the error of the last event, instead of `RunCancelled`.

        Raises:
            ValueError: the mode is not one of these.
        """
        if mode not in ("immediate", "after_turn"):
            raise ValueError(f"cancel: mode must be 'immediate' or 'after_turn', not {mode!r}")
        if self._end is not None:
            if mode == "immediate" and reason is None:
                while len(self._waiting) > 1:
                    self._waiting.popleft()
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
        except (Exception, asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as raised:
            # Code of the user may raise what is no `Exception`, as pytest does; the reader of this task would miss it.
            self._foreign_error = raised
            error = UserError(f"a hook, model or tool function raised {type(raised).__name__}: {raised}")
            error.run_data, error.__cause__ = error_details(self._run), raised
            self._finish(finish(self._run, error))
        finally:
            if self._end is None:
                self._run.abort()
                self._finish(finish(self._run, RunCancelled()))

    def _take_report(self, event: RunEvent) -> None:
        """Add an event of a running tool call, which may come from another thread, to those that wait."""
        loop = self.run_loop_task.get_loop()
        try:
            is_here = asyncio.get_running_loop() is loop
        except RuntimeError:
            is_here = False
        if is_here:
            self._add_report(event)
            return
        with suppress(RuntimeError):  # The loop was closed, and the thread was left behind.
            loop.call_soon_threadsafe(self._add_report, event)

    def _add_report(self, event: RunEvent) -> None:
        # Progress that the reader is too slow for is soon out of date.
        is_late = isinstance(event, ToolProgressed) and len(self._waiting) >= _MOST_WAITING
        if self._end is None and not is_late:
            self._waiting.append(event)
            self._arrived.set()

    async def wait_for_reader(self) -> None:
        """Wait until the reader, if there is one, has read every event so far and asks for the next."""
        if not self._has_reader:
            await asyncio.sleep(0)  # One that was created just now begins.
        while self._has_reader and self._end is None and (self._waiting or not self._is_asking):
            self._read.clear()
            await self._read.wait()

    def _register_reader(self) -> None:
        """Note the task that reads; each event may be read by a task of its own."""
        if self._reader is not None:
            self._reader.remove_done_callback(self._reader_done)
        self._is_asking, self._has_reader, self._reader = False, True, asyncio.current_task()
        if self._reader is not None:
            self._reader.add_done_callback(self._reader_done)

    def _unregister_reader(self) -> None:
        if self._reader is not None:
            self._reader.remove_done_callback(self._reader_done)
        self._has_reader, self._reader, self._run.report = False, None, None
        self._read.set()

    def _reader_done(self, task: asyncio.Task[Any]) -> None:
        """Let the run continue without a reader that was cancelled or failed, though its generator may be open."""
        if task is self._reader and (task.cancelled() or task.exception() is not None):
            self._unregister_reader()

    async def _settle(self, end: RunFinished) -> RunFinished:
        """Return the last event once the session is saved, and the run has let go of its provider.

        It carries an error of the session.
        """
        if self._run.spec.memory is not None:
            try:
                await self._run.spec.memory.settle()
            except Exception as error:
                end = self._end = replace(end, error=error)
        task = getattr(self, "run_loop_task", None)  # A result made by hand has none.
        if task is not None and task is not asyncio.current_task():
            await asyncio.wait({task})
        return end

    def _finish(self, end: RunFinished) -> None:
        self.final_output = end.final_output
        self._end = end
        self._waiting.append(end)
        self._arrived.set()
        self._read.set()
