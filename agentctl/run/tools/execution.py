"""Running the tool calls of a response: together, each failure told apart, outputs in the order of the calls."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import field
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.agent.context import ToolContext
from agentctl.agent.items.run_items import ToolApprovalItem, ToolCallOutputItem
from agentctl.agent.items.tool_output import output_wire, wire_text
from agentctl.agent.tools.errors import is_stray_cancellation
from agentctl.agent.tools.tool import FunctionTool, FunctionToolResult
from agentctl.errors import AgentsException, ToolTimeoutError, UserError
from agentctl.run.tools.calls import FunctionCall, HostedCall, UnknownCall, answer_unknown

from .approvals import (
    CallResult,
    approval_response,
    check_unique_call_ids,
    may_need_approval,
    sort_by_approval,
)
from .call import mark_failed, tool_context

if TYPE_CHECKING:
    from agentctl.run.active_run import ActiveRun
    from agentctl.run.tools.calls import ToolCall


@dataclass(frozen=True, slots=True)
class Executed:
    """What came of the calls of a turn."""

    given: list[CallResult]
    """What they gave, in call order; empty while one waits."""
    waiting: list[ToolApprovalItem] = field(default_factory=list)
    """The calls that wait for somebody's yes."""


async def execute(calls: list[ToolCall], run: ActiveRun, asked: frozenset[str] = frozenset()) -> Executed:
    """Run the calls of a turn together; where some have to wait for a yes, what the others gave is held for later.

    `asked` are the ids of the calls that waited before.

    Raises:
        ModelBehaviorError: calls wait that cannot be told apart.
        AgentsException: as a tool raised it.
        ToolTimeoutError: a tool took too long, and was told not to hide it from the run.
        GuardrailTripwireTriggered: a guardrail of a tool stopped the run.
        UserError: a tool raised anything else, and was told not to hide it from the run.
    """
    held, waiting = run.turn.completed_results, []
    if not held and not any(may_need_approval(call, asked) for call in calls):
        ready = calls
    else:
        check_unique_call_ids(calls, [])
        found = await sort_by_approval([call for call in calls if call.call_id not in held], run, asked)
        held |= found.refused
        ready, waiting = found.ready, found.waiting
    given = await _run(ready, run)
    if not waiting and not held and not run.turn.nested_runs:
        return Executed(given)
    for call, one in zip(ready, given, strict=True):
        paused = run.turn.nested_runs.get(call.call_id)
        if paused is None:
            held[call.call_id] = one
        else:
            waiting = [*waiting, *paused.turn.interruptions]
    if waiting:
        check_unique_call_ids(calls, waiting)
        return Executed([], waiting)
    whole = [_given(call, held[call.call_id]) for call in calls]
    held.clear()
    return Executed(whole)


def _given(call: ToolCall, held: CallResult) -> CallResult:
    """Return what a call gave as it was when it was made: a state keeps only its item."""
    if isinstance(call, FunctionCall) and isinstance(held, ToolCallOutputItem):
        return FunctionToolResult(tool=call.tool, output=held.output, run_item=held)
    return held


async def _run(calls: list[ToolCall], run: ActiveRun) -> list[CallResult]:
    """Return what the calls gave, in their order.

    The first call that raises cancels the others; what it raised comes out, never a group.
    """
    if len(calls) == 1:
        return [await _answer(calls[0], run)]
    config = run.config.tool_execution
    most = config.max_function_tool_concurrency if config else None
    turnstile = asyncio.Semaphore(most) if most is not None and most < len(calls) else None
    # A shell, or an editor, does one thing after the other: what comes later may build on what went before.
    queues = {
        call.tool.name: asyncio.Lock()
        for call in calls
        if not isinstance(call, FunctionCall | UnknownCall | HostedCall)
    }
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_in_turn(call, run, turnstile, queues), name=f"tool call {call.call_id}")
                for call in calls
            ]
    except BaseExceptionGroup as failures:
        raise _first(failures) from None
    return [task.result() for task in tasks]


async def _in_turn(
    call: ToolCall, run: ActiveRun, turnstile: asyncio.Semaphore | None, queues: dict[str, asyncio.Lock]
) -> CallResult:
    if isinstance(call, UnknownCall | HostedCall):
        return await _answer(call, run)
    waits_for = turnstile if isinstance(call, FunctionCall) else queues[call.tool.name]
    if waits_for is None:
        return await _answer(call, run)
    await waits_for.acquire()
    given = await _answer(call, run)
    # A call that raises keeps its place: nobody is to begin in it while the others are cancelled.
    waits_for.release()
    return given


async def _answer(call: ToolCall, run: ActiveRun) -> CallResult:
    if isinstance(call, FunctionCall):
        return await _invoke(call, run)
    if isinstance(call, UnknownCall):
        return await answer_unknown(call, run)
    if isinstance(call, HostedCall):
        return approval_response(call, run)
    # 5 ms that a run with function tools alone does not pay.
    from .local import execute_local

    return await execute_local(call, run)


async def _invoke(call: FunctionCall, run: ActiveRun) -> FunctionToolResult:
    tool, context = call.tool, tool_context(call, run)
    is_new = call.call_id not in run.turn.nested_runs
    with run.spans.tool_call(call) as gave:
        objection = await _objection(tool, context, run) if is_new and tool.tool_input_guardrails else None
        output = await _output(tool, context, run, is_new=is_new) if objection is None else objection
        wire = output_wire(output)
        item = ToolCallOutputItem(
            run.agent,
            {"type": "function_call_output", "call_id": call.call_id, "output": wire},
            output=output,
            tool_origin=tool.origin,
            failed=context.failure is not None,
        )
        if objection is None and call.call_id not in run.turn.nested_runs:
            if tool.custom_data_extractor is not None:
                # 2 ms that tools without custom data do not pay.
                from .custom_data import custom_data_of

                item.custom_data = await custom_data_of(tool, context, item)
            await run.hook_calls.tool_end(context, tool, output)
        if context.failure is not None:
            mark_failed(context.failure, run)
        gave(wire_text(wire))
    return FunctionToolResult(tool=tool, output=output, run_item=item, agent_run_result=context.agent_run_result)


async def _objection(tool: FunctionTool, context: ToolContext[Any], run: ActiveRun) -> str | None:
    # 2 ms that tools without guardrails do not pay.
    from .guardrails import objection_to_call

    return await objection_to_call(tool, context, run)


async def _output(tool: FunctionTool, context: ToolContext[Any], run: ActiveRun, *, is_new: bool) -> Any:
    """Return what the tool returns, or what the model reads in its place."""
    if is_new:
        await run.hook_calls.tool_start(context, tool)
    try:
        if tool.timeout_seconds is None:
            output = await tool.on_invoke_tool(context, context.tool_arguments)
        else:
            output = await _in_time(tool, context, tool.timeout_seconds)
    except AgentsException:
        raise
    except asyncio.CancelledError as error:
        if not is_stray_cancellation():
            raise
        raise _failed(tool, error) from error
    except Exception as error:
        raise _failed(tool, error) from error
    if not tool.tool_output_guardrails or context.tool_call_id in run.turn.nested_runs:
        return output
    # 2 ms that tools without guardrails do not pay.
    from .guardrails import checked_output

    return await checked_output(tool, context, output, run)


async def _in_time(tool: FunctionTool, context: ToolContext[Any], seconds: float) -> Any:
    """Return what the tool returns, or what the model reads in its place if that takes too long."""
    try:
        async with asyncio.timeout(seconds) as limit:
            return await tool.on_invoke_tool(context, context.tool_arguments)
    except TimeoutError as error:
        if not limit.expired():
            raise  # It is the tool's own.
        timeout = ToolTimeoutError(tool.name, seconds)
        if tool.timeout_behavior == "raise_exception":
            raise timeout from error
    context.failure = timeout
    if tool.timeout_error_function is None:
        return f"Error: {timeout}"
    text = tool.timeout_error_function(context, timeout)
    return await text if inspect.isawaitable(text) else text


def _failed(tool: FunctionTool, error: BaseException) -> UserError:
    return UserError(f"tool {tool.name!r} failed: {type(error).__name__}: {error}")


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
