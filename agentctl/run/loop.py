"""The loop: the one place where turns are taken, as an async generator of all that happens.

A turn is: prepare (agent and context to a request), call (the model), plan (what the response asks for), execute (its
tools, together), decide (what follows). Streamed and not streamed runs are readers of this generator.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Literal, assert_never

from agentctl._dataclass import dataclass
from agentctl.agent.events import (
    AgentUpdatedStreamEvent,
    ApprovalRequired,
    ModelRequested,
    ModelResponded,
    RunEvent,
    RunItemStreamEvent,
    RunStarted,
    Warned,
)
from agentctl.agent.items.run_items import (
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
    UnrecognizedItem,
)
from agentctl.agent.output import AgentOutputSchemaBase
from agentctl.agent.tools.errors import is_stray_cancellation
from agentctl.agent.tools.tool import FunctionToolResult
from agentctl.errors import (
    AgentsException,
    MaxTurnsExceeded,
    ModelBehaviorError,
    ModelRefusalError,
    RunCancelled,
    UserError,
)
from agentctl.run.tools.calls import HandoffCall
from agentctl.run.tools.execution import execute

from .active_run import ActiveRun
from .call import Models, call_model, model_name
from .guardrails import check_added, check_before, check_beside, check_output
from .prepare import prepare
from .result import error_details, finished
from .steps import FinalOutput, HandOver, Interrupted, NextStep, Plan, decide, final_output_of, plan


async def run_loop(run: ActiveRun, *, streamed: bool) -> AsyncGenerator[RunEvent]:
    """Yield everything that happens in a run; the last event is `RunFinished`, which carries the error of a failed run.

    Cancelling the reader cancels what is under way and comes out as `CancelledError`, without a last event.
    """
    calls = [item for item in run.history.new_items if isinstance(item, ToolCallItem)]
    yield RunStarted(agent=run.agent, max_turns=run.spec.max_turns, calls=calls)
    yield AgentUpdatedStreamEvent(run.agent)
    error: Exception | None = None
    try:
        with run.spans.run(run):
            async with aclosing(_turns(run, streamed=streamed)) as turns:
                async for event in turns:
                    yield event
    except AgentsException as raised:
        raised.run_data = error_details(run)
        error = raised
    except Exception as raised:
        error = raised
    except (asyncio.CancelledError, GeneratorExit) as ended:
        if isinstance(ended, GeneratorExit) or not is_stray_cancellation():
            if run.spec.memory is not None:
                run.abort()
            raise
        error = _cancelled_by_others(ended, run)
    if run.spec.memory is not None and error is not None:
        error = await run.spec.memory.end(run, error)
    yield finished(run, error)


def _cancelled_by_others(ended: asyncio.CancelledError, run: ActiveRun) -> UserError:
    """Return the error of a run that nobody cancelled, and that cannot go on."""
    error = UserError("the run waited for something that other code cancelled: a hook, a model or a function of yours")
    error.run_data, error.__cause__ = error_details(run), ended
    return error


async def _turns(run: ActiveRun, *, streamed: bool) -> AsyncGenerator[RunEvent]:
    models = Models(run.config)
    if run.spec.memory is not None:
        await run.spec.memory.begin(run)
    async with aclosing(check_before(run)) as verdicts:
        async for verdict in verdicts:
            yield verdict
    step: NextStep | None = None
    while not isinstance(step, FinalOutput | Interrupted):
        if streamed:
            await asyncio.sleep(0)  # Who reads along may cancel for what a turn has shown, before the next one begins.
        if run.turn.interruptions:
            answer = await _answer_at_hand(run)
        elif run.stops_after_turn:
            raise RunCancelled
        elif run.spec.max_turns is not None and run.turn.number >= run.spec.max_turns:
            step = await _handled(MaxTurnsExceeded(f"the run needs more than {run.spec.max_turns} turns"), run)
            break
        else:
            if run.spec.budget is not None:
                run.spec.budget.check()
            async with aclosing(check_added(run)) as verdicts:
                async for verdict in verdicts:
                    yield verdict
            for added in [_added(item, run) for item in run.history.take_pending_input(run.agent)]:
                yield added
            run.turn.number += 1
            run.spans.begin_turn(run)
            if step is None or isinstance(step, HandOver):
                await run.hook_calls.agent_start()
            async with aclosing(_ask(models, run, streamed=streamed)) as asked:
                async for event in asked:
                    if isinstance(event, _Answer):
                        answer = event
                    else:
                        yield event
        async with aclosing(_follow(answer, run)) as followed:
            async for told in followed:
                if isinstance(told, NextStep):
                    step = told
                else:
                    yield told
        if run.spec.memory is not None and not isinstance(step, FinalOutput | Interrupted):
            await run.spec.memory.save(run)

    if isinstance(step, Interrupted):
        run.turn.interruptions = step.calls
        return
    if step.message is not None:
        yield _added(step.message, run)
    run.spans.end_turn(run)
    await run.hook_calls.agent_end(step.value)
    async with aclosing(check_output(step.value, run, of_tools=step.of_tools)) as verdicts:
        async for verdict in verdicts:
            yield verdict
    if run.spec.memory is not None:
        await run.spec.memory.save(run)
    run.results.final_output, run.results.has_ended = step.value, True


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a model answered, and what was asked of it."""

    response: ModelResponse
    planned: Plan
    output_schema: AgentOutputSchemaBase | None
    asked: frozenset[str] = frozenset()
    """The ids of its calls that have waited for somebody's yes."""


async def _ask(models: Models, run: ActiveRun, *, streamed: bool) -> AsyncGenerator[RunEvent | _Answer]:
    """Call the model of the agent at hand, take what it answers into the run, and yield it last."""
    model = models.of(run.agent)
    name = model_name(model)
    request = await prepare(run)
    await run.hook_calls.llm_start(request)
    yield ModelRequested(agent=run.agent, model=name, turn=run.turn.number)

    response: ModelResponse | None = None
    call = call_model if run.spec.budget is None else run.spec.budget.call_model
    events = call(model, request, run.spans, streamed=streamed)
    async with aclosing(check_beside(events, run) if run.turn.number == 1 else events) as reader:
        async for event in reader:
            if isinstance(event, ModelResponse):
                # At once, since it has cost what it cost: a guardrail may yet stop the run.
                response = event
                run.results.raw_responses.append(response)
                run.context.usage.add(response.usage)
            else:
                yield event
    if response is None:
        raise ModelBehaviorError(f"model {name} gave no response")
    await run.hook_calls.llm_end(response)
    yield ModelResponded(response=response, model=name, turn=run.turn.number)

    planned = plan(response, request, run.agent, run.config.tool_not_found_behavior)
    run.turn.first_item = len(run.history.new_items)
    for added in [_added(item, run) for item in planned.items]:
        yield added
    run.history.record_server_history(response)
    yield _Answer(response, planned, request.output_schema)


async def _answer_at_hand(run: ActiveRun) -> _Answer:
    """Return the answer whose calls wait for somebody's yes, as it was when it came."""
    request, response = await prepare(run), run.results.raw_responses[-1]
    planned = plan(response, request, run.agent, run.config.tool_not_found_behavior)
    asked = frozenset(item.call_id or "" for item in run.turn.interruptions)
    run.turn.interruptions = []
    return _Answer(response, planned, request.output_schema, asked)


async def _follow(answer: _Answer, run: ActiveRun) -> AsyncGenerator[RunEvent | NextStep]:
    """Make the calls of an answer, and yield last what follows from it all."""
    planned, response = answer.planned, answer.response
    results: list[FunctionToolResult] = []
    if planned.calls:
        done = await execute(planned.calls, run, answer.asked)
        if done.waiting:
            for item in done.waiting:
                yield ApprovalRequired(item=item)
            yield Interrupted(done.waiting)
            return
        results = [given for given in done.given if isinstance(given, FunctionToolResult)]
        items = [given.run_item if isinstance(given, FunctionToolResult) else given for given in done.given]
        for added in [_added(item, run) for item in items]:
            yield added
    if planned.uses_tools:
        run.turn.tool_users.add(run.agent.name)
    step: NextStep
    try:
        step = decide(planned, await final_output_of(results, run.agent, run.context), response, answer.output_schema)
    except (ModelRefusalError, ModelBehaviorError) as error:
        step = await _handled(error, run)
    if isinstance(step, HandOver):
        for told in await _hand_over(step.calls, run.history.new_items[run.turn.first_item :], run):
            yield told
    elif isinstance(step, FinalOutput) and response.incomplete:
        yield Warned(message=f"the answer was cut before its end ({response.incomplete})")
    yield step


async def _handled(error: MaxTurnsExceeded | ModelRefusalError | ModelBehaviorError, run: ActiveRun) -> FinalOutput:
    """Return the final output that the run's handler of an error gives, or raise the error."""
    if run.spec.error_handlers is None:
        raise error
    # 2 ms that a run without error handlers does not pay.
    from .error_handlers import final_message, handled

    result = await handled(error, run)
    if result is None:
        raise error
    return FinalOutput(result.final_output, final_message(result, run) if result.include_in_history else None)


def _added(item: RunItem, run: ActiveRun) -> RunItemStreamEvent:
    """Take a new item into the run, and return what is told of it."""
    run.add(item)
    return RunItemStreamEvent(_event_name(item), item)


async def _hand_over(calls: list[HandoffCall], turn_items: list[RunItem], run: ActiveRun) -> list[RunEvent]:
    # 3 ms that a run without handoffs does not pay.
    from .handoffs import hand_over

    handed = await hand_over(calls, turn_items, run)
    events: list[RunEvent] = [_added(item, run) for item in handed.items]
    if handed.shown is not None:
        run.history.replace_beginning(handed.shown)
    if handed.warning is not None:
        events.append(Warned(message=handed.warning))
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
        case InputItem() | UnrecognizedItem():
            return "item_created"
        case never:
            assert_never(never)
