"""The loop: takes the turns of a run, as an async generator of its events.

A turn is: prepare (agent and context to a request), call (the model), plan (read what the response asks for), execute
(its tool calls, together), decide (the next step). Streamed and not streamed runs are readers of this generator.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, Literal, assert_never

from agentctl._dataclass import dataclass
from agentctl.agent.events import (
    AgentUpdatedStreamEvent,
    ApprovalRequired,
    GuardrailChecked,
    ModelRequested,
    ModelResponded,
    RunEvent,
    RunItemStreamEvent,
    RunStarted,
    Warned,
)
from agentctl.agent.items.run_items import (
    CompactionItem,
    HandoffCallItem,
    HandoffOutputItem,
    InputItem,
    MCPApprovalRequestItem,
    MCPApprovalResponseItem,
    MCPListToolsItem,
    MessageOutputItem,
    ModelResponse,
    ReasoningItem,
    RunItem,
    ToolCallItem,
    ToolCallOutputItem,
    ToolSearchCallItem,
    ToolSearchOutputItem,
    UnrecognizedItem,
)
from agentctl.agent.output import AgentOutputSchemaBase
from agentctl.agent.ports import ModelRequest, WireModel
from agentctl.agent.tape import TapedModelCall, current_tape
from agentctl.agent.tools.errors import is_stray_cancellation
from agentctl.agent.tools.tool import FunctionToolResult
from agentctl.agent.usage import Usage
from agentctl.errors import (
    AgentsException,
    MaxTurnsExceeded,
    ModelBehaviorError,
    ModelRefusalError,
    RunCancelled,
    UserError,
)
from agentctl.grammar import count
from agentctl.run.tools.calls import HandoffCall
from agentctl.run.tools.execution import execute

from .active_run import ActiveRun
from .attempt import CallEvent
from .call import CallModel, Models, call_model, model_name
from .guardrails import check_added, check_before, check_beside, check_output
from .prepare import prepare
from .result import error_details, finish
from .steps import FinalOutput, HandOver, Interrupted, NextStep, Plan, decide, final_output_of, plan

if TYPE_CHECKING:
    from types import TracebackType


async def run_loop(
    run: ActiveRun, *, streamed: bool, between_turns: Callable[[], Awaitable[None]] | None = None
) -> AsyncGenerator[RunEvent]:
    """Yield the events of a run; the last one is `RunFinished`, which carries the error of a failed run.

    `between_turns` is awaited before each turn but the first, so that a reader can cancel because of the last one.

    Cancelling the reader cancels the work in progress and raises `CancelledError`, without a last event.
    """
    calls = [item for item in run.history.new_items if isinstance(item, ToolCallItem)]
    yield RunStarted(agent=run.agent, max_turns=run.spec.max_turns, calls=calls)
    is_stopped = run.stops_after_turn  # A run that is cancelled while its first event is read still has a turn.
    yield AgentUpdatedStreamEvent(run.agent)
    failure = _FailureGuard(run)
    with failure, run.spans.run(run):
        models, memory = Models(run.config), run.spec.memory
        if memory is not None:
            await memory.begin(run)
        async with aclosing(check_before(run)) as verdicts:
            async for verdict in verdicts:
                yield verdict
        step: NextStep | None = None
        while not isinstance(step, FinalOutput | Interrupted):
            if step is not None:
                if between_turns is not None:
                    await between_turns()
                is_stopped = run.stops_after_turn
            if run.turn.interruptions:
                answer = await _pending_answer(run)
            elif is_stopped:
                raise RunCancelled
            elif run.spec.max_turns is not None and run.turn.number >= run.spec.max_turns:
                step = await _handle(
                    MaxTurnsExceeded(f"the run needs more than {count(run.spec.max_turns, 'turn')}"), run
                )
                break
            else:
                if run.spec.budget is not None:
                    run.spec.budget.check()
                if run.history.pending_input:
                    async with aclosing(_add_pending_input(run)) as begun:
                        async for event in begun:
                            yield event
                await _begin_turn(run, is_new_agent=step is None or isinstance(step, HandOver))
                call = await _prepare_call(models, run, streamed=streamed)
                yield ModelRequested(agent=run.agent, model=call.model_name, turn=run.turn.number)
                # Read here, and not in a generator of its own: each level costs every delta.
                async with aclosing(call.events) as call_events:
                    async for call_event in call_events:
                        if isinstance(call_event, ModelResponse):
                            call.record(call_event, run)
                        else:
                            yield call_event
                response = call.response
                await run.hook_calls.llm_end(response)
                yield ModelResponded(
                    response=response,
                    agent=run.agent,
                    model=call.model_name,
                    turn=run.turn.number,
                    usage=call.usage,
                )
                answer = _read_answer(response, call.request, run)
                for event in _add_answer(answer, run):
                    yield event
            async with aclosing(_follow(answer, run)) as following:
                async for outcome in following:
                    if isinstance(outcome, NextStep):
                        step = outcome
                    else:
                        yield outcome
            if memory is not None and not isinstance(step, FinalOutput | Interrupted):
                await memory.save(run)
        async with aclosing(_conclude(step, run)) as events:
            async for event in events:
                yield event
    error = failure.error
    if error is not None and run.spec.memory is not None:
        error = await run.spec.memory.end(run, error)
    yield finish(run, error)


class _FailureGuard:
    """Catches the error that ends a run; lets its cancellation through, and leaves the run ready to be saved."""

    def __init__(self, run: ActiveRun) -> None:
        self._run = run
        self.error: Exception | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        match raised:
            case None:
                return False
            case AgentsException():
                raised.run_data = error_details(self._run)
                self.error = raised
            case Exception():
                self.error = raised
            case asyncio.CancelledError() if is_stray_cancellation():
                self.error = self._foreign_end("cancelled the run from inside", raised)
            case KeyboardInterrupt() | SystemExit():
                from agentctl.threads import describe_exit, is_interrupted_by_user

                if not is_interrupted_by_user(raised):
                    self.error = self._foreign_end(describe_exit(raised), raised)
            case asyncio.CancelledError() | GeneratorExit():
                if self._run.spec.memory is not None:
                    self._run.abort()
        return self.error is not None

    def _foreign_end(self, action: str, raised: BaseException) -> UserError:
        """Return the error of a run that code of the user tried to end."""
        error = UserError(f"a hook, model or tool function {action}")
        error.run_data, error.__cause__ = error_details(self._run), raised
        return error


async def _conclude(step: FinalOutput | Interrupted, run: ActiveRun) -> AsyncGenerator[RunEvent]:
    """End the run with its last step."""
    if isinstance(step, Interrupted):
        run.turn.interruptions, run.turn.interrupted_at = step.calls, time.time()
        return
    if step.message is not None:
        yield _add(step.message, run)
    run.spans.end_turn(run)
    await run.hook_calls.agent_end(step.value)
    async with aclosing(check_output(step.value, run, of_tools=step.of_tools)) as verdicts:
        async for verdict in verdicts:
            yield verdict
    if run.spec.memory is not None:
        await run.spec.memory.conclude(run)
    run.results.final_output, run.results.has_ended = step.value, True


async def _add_pending_input(run: ActiveRun) -> AsyncGenerator[RunEvent]:
    """Check the pending input and add it before the next turn."""
    async with aclosing(check_added(run)) as verdicts:
        async for verdict in verdicts:
            yield verdict
    for added in [_add(item, run) for item in run.history.take_pending_input(run.agent)]:
        yield added


async def _begin_turn(run: ActiveRun, *, is_new_agent: bool) -> None:
    run.turn.number += 1
    run.spans.begin_turn(run)
    if is_new_agent:
        await run.hook_calls.agent_start()


@dataclass(slots=True)
class _PreparedCall:
    """A model call: its events are ready to be read, its response is there once they were."""

    request: ModelRequest
    model_name: str
    endpoint_url: str | None
    events: AsyncGenerator[CallEvent | GuardrailChecked]
    usage: Usage = field(default_factory=Usage)
    """The usage of the call, once it is recorded."""
    _response: ModelResponse | None = None

    def record(self, response: ModelResponse, run: ActiveRun) -> None:
        """Count the response at once, since its tokens are used: a guardrail may yet stop the run."""
        self._response = response
        run.results.raw_responses.append(response)
        self.usage.add(response.usage)
        entries = self.usage.request_usage_entries
        for entry in entries:
            if entry.total_tokens or entry is entries[-1]:
                entry.model, entry.endpoint_url = self.model_name, self.endpoint_url
        run.context.usage.add(self.usage)

    @property
    def response(self) -> ModelResponse:
        """The response.

        Raises:
            ModelBehaviorError: the model gave none.
        """
        if self._response is None:
            raise ModelBehaviorError(f"model {self.model_name} gave no response")
        return self._response


async def _prepare_call(models: Models, run: ActiveRun, *, streamed: bool) -> _PreparedCall:
    """Return the model call of the current turn, beside the input guardrails that run in parallel with it."""
    tape = current_tape()
    model = models.of(run.agent, tape)
    request = await prepare(run)
    if isinstance(model, WireModel) and model.takes_cache_key:
        # 3 ms that only a run at OpenAI's own service pays.
        from .cache_key import with_cache_key

        request = with_cache_key(request, run)
    await run.hook_calls.llm_start(request)
    call: CallModel = call_model
    if run.spec.journal is not None:
        # 5 ms that only a run with a journal pays.
        from .recorded import recorded_call

        call = recorded_call(run.spec.journal, run.turn.number)
    if run.spec.budget is not None:
        call = partial(run.spec.budget.call_model, call)
    if tape is None:
        events = call(model, request, run.spans, streamed=streamed)
    else:
        send = partial(call, spans=run.spans, streamed=streamed)
        taped = TapedModelCall(agent=run.agent.name, turn=run.turn.number, model=model, request=request, send=send)
        events = tape.call_model(taped)
    url = model.endpoint_url if isinstance(model, WireModel) else None
    return _PreparedCall(request, model_name(model), url, check_beside(events, run))


@dataclass(frozen=True, slots=True)
class _Answer:
    """The answer of a model, and the request that it answers."""

    response: ModelResponse
    plan: Plan
    output_schema: AgentOutputSchemaBase | None
    awaited: frozenset[str] = frozenset()
    """The ids of its calls that have waited for approval."""


def _read_answer(
    response: ModelResponse, request: ModelRequest, run: ActiveRun, awaited: frozenset[str] = frozenset()
) -> _Answer:
    planned = plan(response, request, run.agent, run.config.tool_not_found_behavior)
    count, limit = len(planned.calls) + len(planned.handoffs), run.config.max_tool_calls
    if limit is not None and count > limit:
        raise ModelBehaviorError(
            f"the model made {count} tool calls in one response, more than the {limit} of max_tool_calls; raise it if "
            "so many are wanted"
        )
    return _Answer(response, planned, request.output_schema, awaited)


def _add_answer(answer: _Answer, run: ActiveRun) -> list[RunItemStreamEvent]:
    """Append the items of an answer to the run, and return their events."""
    run.turn.first_item = len(run.history.new_items)
    events = [_add(item, run) for item in answer.plan.items]
    run.history.record_server_history(answer.response)
    return events


async def _pending_answer(run: ActiveRun) -> _Answer:
    """Return the answer whose calls wait for approval, as it was when it came."""
    awaited = frozenset(item.call_id or "" for item in run.turn.interruptions)
    answer = _read_answer(run.results.raw_responses[-1], await prepare(run), run, awaited)
    run.turn.interruptions = []
    return answer


async def _follow(answer: _Answer, run: ActiveRun) -> AsyncGenerator[RunEvent | NextStep]:
    """Make the calls of an answer, and yield the next step last."""
    planned, response = answer.plan, answer.response
    results: list[FunctionToolResult] = []
    if planned.calls:
        executed = await execute(planned.calls, run, answer.awaited)
        if executed.waiting:
            for item in executed.waiting:
                yield ApprovalRequired(item=item)
            yield Interrupted(executed.waiting)
            return
        results = [result for result in executed.results if isinstance(result, FunctionToolResult)]
        items = [result.run_item if isinstance(result, FunctionToolResult) else result for result in executed.results]
        for added in [_add(item, run) for item in items]:
            yield added
    if planned.uses_tools:
        run.turn.tool_users.add(run.agent.name)
    step: NextStep
    try:
        tool_result = await final_output_of(results, run.agent, run.context)
        step = decide(planned, tool_result, response, answer.output_schema)
    except (ModelRefusalError, ModelBehaviorError) as error:
        step = await _handle(error, run)
    if isinstance(step, HandOver):
        for event in await _hand_over(step.calls, run.history.new_items[run.turn.first_item :], run):
            yield event
    elif isinstance(step, FinalOutput) and response.incomplete:
        yield Warned(message=f"the answer was cut before its end ({response.incomplete})")
    yield step


async def _handle(error: MaxTurnsExceeded | ModelRefusalError | ModelBehaviorError, run: ActiveRun) -> FinalOutput:
    """Return the final output of the run's error handler, or raise the error."""
    if run.spec.error_handlers is None:
        raise error
    # 2 ms that a run without error handlers does not pay.
    from .error_handlers import final_message, handle_error

    result = await handle_error(error, run)
    if result is None:
        raise error
    return FinalOutput(result.final_output, final_message(result, run) if result.include_in_history else None)


def _add(item: RunItem, run: ActiveRun) -> RunItemStreamEvent:
    """Append a new item to the run, and return its event."""
    run.add(item)
    return RunItemStreamEvent(_event_name(item), item)


async def _hand_over(calls: list[HandoffCall], turn_items: list[RunItem], run: ActiveRun) -> list[RunEvent]:
    # 3 ms that a run without handoffs does not pay.
    from .handoffs import hand_over

    handed = await hand_over(calls, turn_items, run)
    events: list[RunEvent] = [_add(item, run) for item in handed.items]
    if handed.override is not None:
        run.history.replace_beginning(handed.override)
    if handed.warning is not None:
        events.append(Warned(message=handed.warning))
    if (tape := current_tape()) is not None:
        tape.note("handoff", source=run.agent.name, target=handed.agent.name)
    run.turn.agent = handed.agent
    return [*events, AgentUpdatedStreamEvent(handed.agent)]


_EventName = Literal[
    "message_output_created",
    "handoff_requested",
    "handoff_occured",
    "tool_called",
    "tool_output",
    "reasoning_item_created",
    "mcp_approval_requested",
    "mcp_approval_response",
    "mcp_list_tools",
    "tool_search_called",
    "tool_search_output_created",
    "item_created",
]


def _event_name(item: RunItem) -> _EventName:
    match item:
        case MessageOutputItem():
            return "message_output_created"
        case ToolCallItem():
            return "tool_called"
        case ToolCallOutputItem():
            return "tool_output"
        case ReasoningItem():
            return "reasoning_item_created"
        case HandoffCallItem():
            return "handoff_requested"
        case HandoffOutputItem():
            return "handoff_occured"
        case MCPListToolsItem():
            return "mcp_list_tools"
        case MCPApprovalRequestItem():
            return "mcp_approval_requested"
        case MCPApprovalResponseItem():
            return "mcp_approval_response"
        case ToolSearchCallItem():
            return "tool_search_called"
        case ToolSearchOutputItem():
            return "tool_search_output_created"
        case InputItem() | CompactionItem() | UnrecognizedItem():
            return "item_created"
        case never:
            assert_never(never)
