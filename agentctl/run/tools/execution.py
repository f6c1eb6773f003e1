"""Executes the tool calls of a response: together, with outputs in the order of the calls."""

from __future__ import annotations

import asyncio
import inspect
import logging
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.agent.context import ToolContext
from agentctl.agent.items.run_items import ToolApprovalItem, ToolCallOutputItem
from agentctl.agent.items.tool_output import output_wire, wire_text
from agentctl.agent.tape import TapedToolCall, current_tape
from agentctl.agent.tools.errors import is_stray_cancellation
from agentctl.agent.tools.tool import FunctionTool, FunctionToolResult
from agentctl.errors import AgentsException, ToolTimeoutError, UserError
from agentctl.log import logger
from agentctl.run.tools.calls import FunctionCall, HostedCall, UnknownCall, answer_unknown

from .approvals import (
    CallResult,
    approval_response,
    check_unique_call_ids,
    may_need_approval,
    split_by_approval,
)
from .call import call_scope, record_failure, tool_context

if TYPE_CHECKING:
    from agentctl.run.active_run import ActiveRun
    from agentctl.run.tools.calls import ToolCall

    from .local import LocalCall


@dataclass(frozen=True, slots=True)
class Executed:
    """The results of the calls of a turn."""

    results: list[CallResult]
    """In call order; empty while one waits."""
    waiting: list[ToolApprovalItem] = field(default_factory=list)
    """The calls that wait for approval."""


async def execute(calls: list[ToolCall], run: ActiveRun, awaited: frozenset[str] = frozenset()) -> Executed:
    """Run the calls of a turn together; where some wait for approval, the results of the others are kept for later.

    `awaited` are the ids of the calls that waited before.

    Raises:
        ModelBehaviorError: calls that wait have the same id.
        AgentsException: a tool raised it.
        ToolTimeoutError: a tool took too long, and its timeout_behavior is `raise_exception`.
        GuardrailTripwireTriggered: a guardrail of a tool stopped the run.
        UserError: a tool raised anything else, and has no error function.
    """
    completed, waiting = run.turn.completed_results, []
    if not completed and not any(may_need_approval(call, awaited, run.config) for call in calls):
        ready = calls
    else:
        check_unique_call_ids(calls, [])
        split = await split_by_approval([call for call in calls if call.call_id not in completed], run, awaited)
        completed |= split.rejected
        ready, waiting = split.ready, split.waiting
    results = await _run(ready, run)
    if not waiting and not completed and not run.turn.nested_runs:
        return Executed(results)
    for call, one in zip(ready, results, strict=True):
        nested = run.turn.nested_runs.get(call.call_id)
        if nested is None:
            completed[call.call_id] = one
        else:
            waiting = [*waiting, *nested.turn.interruptions]
    if waiting:
        check_unique_call_ids(calls, waiting)
        return Executed([], waiting)
    results = [_complete_result(call, completed[call.call_id]) for call in calls]
    completed.clear()
    return Executed(results)


def _complete_result(call: ToolCall, result: CallResult) -> CallResult:
    """Return the result of a call with its output; a state keeps only its item."""
    if isinstance(call, FunctionCall) and isinstance(result, ToolCallOutputItem):
        return FunctionToolResult(tool=call.tool, output=result.output, run_item=result)
    return result


async def _run(calls: list[ToolCall], run: ActiveRun) -> list[CallResult]:
    """Return the results of the calls, in their order.

    The first call that raises cancels the others; its exception is raised as it is, never in a group.
    """
    if len(calls) == 1:
        return [await _answer(calls[0], run)]
    config = run.config.tool_execution
    most = config.max_function_tool_concurrency if config else None
    turnstile = asyncio.Semaphore(most) if most is not None and most < len(calls) else None
    # A shell or an editor runs its calls one after the other: a later one may depend on an earlier one.
    queues = {
        call.tool.name: asyncio.Lock()
        for call in calls
        if not isinstance(call, FunctionCall | UnknownCall | HostedCall)
    }
    # Loaded by the tools that are functions; a run without tools needs none of it.
    from agentctl.threads import guard_exit

    failure: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(guard_exit(name, _run_queued, call, run, turnstile, queues), name=name)
                for call in calls
                for name in [f"tool call {call.call_id}"]
            ]
    except BaseExceptionGroup as failures:
        failure = failures.exceptions[0]
    if failure is not None:
        raise failure  # Outside of `except`, where `raise` would replace its context, and `from None` its cause.
    return [task.result() for task in tasks]


async def _run_queued(
    call: ToolCall, run: ActiveRun, turnstile: asyncio.Semaphore | None, queues: dict[str, asyncio.Lock]
) -> CallResult:
    if isinstance(call, UnknownCall | HostedCall):
        return await _answer(call, run)
    slot = turnstile if isinstance(call, FunctionCall) else queues[call.tool.name]
    if slot is None:
        return await _answer(call, run)
    await slot.acquire()
    result = await _answer(call, run)
    # A call that raises keeps its place: no other call may start while the rest are cancelled.
    slot.release()
    return result


async def _answer(call: ToolCall, run: ActiveRun) -> CallResult:
    if not logger.isEnabledFor(logging.DEBUG):
        return await _execute(call, run)
    # 1 ms that a run without verbose logging does not pay.
    from .verbose import log_call

    with log_call(call, run) as record_result:
        result = await _execute(call, run)
        record_result(result)
    return result


async def _execute(call: ToolCall, run: ActiveRun) -> CallResult:
    if run.is_aborted:
        # The call has its output, which says that there is none; its task is cancelled, but would begin before that.
        raise asyncio.CancelledError
    if isinstance(call, UnknownCall):
        return await answer_unknown(call, run)
    if isinstance(call, HostedCall):
        return approval_response(call, run)
    if run.report is None:
        return await _execute_here(call, run)
    # 1 ms that a run whose events are not read does not pay.
    from .reports import report_call

    with report_call(call, run.report, run) as record_result:
        result = await _execute_here(call, run)
        record_result(result)
    return result


async def _execute_here(call: FunctionCall | LocalCall, run: ActiveRun) -> CallResult:
    if isinstance(call, FunctionCall):
        return await _invoke(call, run)
    # 5 ms that a run with function tools alone does not pay.
    from .local import execute_local

    return await execute_local(call, run)


async def _invoke(call: FunctionCall, run: ActiveRun) -> FunctionToolResult:
    context = tool_context(call, run)
    if run.spec.journal is None:
        return await _invoke_in(context, call, run)
    from agentctl.run.journal import use_journal

    context.journal = call_scope(call, run.spec.journal, run)
    with use_journal(context.journal):
        return await _invoke_in(context, call, run)


async def _invoke_in(context: ToolContext[Any], call: FunctionCall, run: ActiveRun) -> FunctionToolResult:
    tool = call.tool
    is_new = call.call_id not in run.turn.nested_runs
    with run.spans.tool_call(call) as record_output:
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
            record_failure(context.failure, run)
        record_output(wire_text(wire))
    return FunctionToolResult(tool=tool, output=output, run_item=item, agent_run_result=context.agent_run_result)


async def _objection(tool: FunctionTool, context: ToolContext[Any], run: ActiveRun) -> str | None:
    # 2 ms that tools without guardrails do not pay.
    from .guardrails import check_call

    return await check_call(tool, context, run)


async def _output(tool: FunctionTool, context: ToolContext[Any], run: ActiveRun, *, is_new: bool) -> Any:
    """Return the output of the tool, or the text that the model reads instead."""
    if is_new:
        await run.hook_calls.tool_start(context, tool)
    # Loaded by the tools that are functions; a run without tools needs none of it.
    from agentctl.threads import ExitGuard

    try:
        with ExitGuard(f"tool {tool.name}"):
            tape = current_tape()
            if tape is not None:
                output = await tape.call_tool(_taped_call(tool, context, run))
            elif context.journal is None or tool.agent is not None:  # The journal keeps the calls of an agent.
                output = await _call_tool(tool, context)
            else:
                # 1 ms that only a run with a journal pays.
                from .recorded import recorded_output

                output = await recorded_output(context, lambda: _call_tool(tool, context))
    except AgentsException:
        raise
    except asyncio.CancelledError as error:
        if not is_stray_cancellation():
            raise
        raise _tool_error(tool, error) from error
    except Exception as error:
        raise _tool_error(tool, error) from error
    if not tool.tool_output_guardrails or context.tool_call_id in run.turn.nested_runs:
        return output
    # 2 ms that tools without guardrails do not pay.
    from .guardrails import check_tool_output

    return await check_tool_output(tool, context, output, run)


def _taped_call(tool: FunctionTool, context: ToolContext[Any], run: ActiveRun) -> TapedToolCall:
    return TapedToolCall(
        agent=run.agent.name,
        tool=tool.name,
        call_id=context.tool_call_id,
        arguments=context.tool_arguments,
        run=partial(_call_tool, tool, context),
        context=context,
        is_agent=tool.agent is not None,
    )


async def _call_tool(tool: FunctionTool, context: ToolContext[Any]) -> Any:
    if tool.timeout_seconds is None:
        return await tool.on_invoke_tool(context, context.tool_arguments)
    return await _output_in_time(tool, context, tool.timeout_seconds)


async def _output_in_time(tool: FunctionTool, context: ToolContext[Any], seconds: float) -> Any:
    """Return the output of the tool, or the text that the model reads instead if it takes too long."""
    try:
        async with asyncio.timeout(seconds) as limit:
            return await tool.on_invoke_tool(context, context.tool_arguments)
    except TimeoutError as error:
        if not limit.expired():
            raise  # The tool itself raised it.
        timeout = ToolTimeoutError(tool.name, seconds)
        if tool.timeout_behavior == "raise_exception":
            raise timeout from error
    context.failure = timeout
    if tool.timeout_error_function is None:
        return f"Error: {timeout}"
    text = tool.timeout_error_function(context, timeout)
    return await text if inspect.isawaitable(text) else text


def _tool_error(tool: FunctionTool, error: BaseException) -> UserError:
    return UserError(f"tool {tool.name!r} failed: {type(error).__name__}: {error}")
