"""Running the tool calls of a response: together, each failure told apart, outputs in the order of the calls."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, TypeAlias

from agentctl._lazy import exporter
from agentctl.agent.context import ToolContext
from agentctl.agent.items import ToolCallOutputItem
from agentctl.agent.tool import FunctionTool
from agentctl.agent.tool_output import output_text, output_wire
from agentctl.agent.tool_use import FunctionToolResult
from agentctl.errors import AgentsException, ToolTimeoutError, UserError
from agentctl.tracing.current import get_current_span

from .steps import FunctionCall
from .unknown_tools import UnknownCall, answer_unknown

if TYPE_CHECKING:
    from .progress import Progress
    from .steps import ToolCall

Given: TypeAlias = FunctionToolResult | ToolCallOutputItem
"""What a call gave: of a function tool all that is known of it, of any other the output item."""

# 5 ms that a run with function tools alone does not pay.
_load = exporter(__name__, {"execute_local": "agentctl.run.local_tools"})[0]


async def execute(calls: list[ToolCall], progress: Progress) -> list[Given]:
    """Run the calls together and return what they gave, in call order.

    The first call that raises cancels the others; what it raised comes out, never a group.

    Raises:
        AgentsException: as a tool raised it.
        ToolTimeoutError: a tool took too long, and was told not to hide it from the run.
        GuardrailTripwireTriggered: a guardrail of a tool stopped the run.
        UserError: a tool raised anything else, and was told not to hide it from the run.
    """
    if len(calls) == 1:
        return [await _answer(calls[0], progress)]
    config = progress.config.tool_execution
    most = config.max_function_tool_concurrency if config else None
    turnstile = asyncio.Semaphore(most) if most is not None and most < len(calls) else None
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_in_turn(call, progress, turnstile), name=f"tool call {call.call_id}")
                for call in calls
            ]
    except BaseExceptionGroup as failures:
        raise _first(failures) from None
    return [task.result() for task in tasks]


async def _in_turn(call: ToolCall, progress: Progress, turnstile: asyncio.Semaphore | None) -> Given:
    if turnstile is None:
        return await _answer(call, progress)
    async with turnstile:
        return await _answer(call, progress)


async def _answer(call: ToolCall, progress: Progress) -> Given:
    if isinstance(call, FunctionCall):
        return await _invoke(call, progress)
    if isinstance(call, UnknownCall):
        return await answer_unknown(call, progress)
    execute_local = _load("execute_local")
    assert callable(execute_local)
    item = await execute_local(call, progress)
    assert isinstance(item, ToolCallOutputItem)
    return item


async def _invoke(call: FunctionCall, progress: Progress) -> FunctionToolResult:
    tool = call.tool
    context = _context(call, progress)
    with progress.spans.tool_call(call) as gave:
        rejected = await _objection_to_call(tool, context, progress) if tool.tool_input_guardrails else None
        if rejected is not None:
            output: Any = rejected
        else:
            output = await _output(tool, context)
            if tool.tool_output_guardrails:
                output = await _checked(tool, context, output, progress)
        if context.failure is not None:
            _mark_failed(context.failure, progress)
        gave(output_text(output))
    item = _output_item(call.call_id, output, progress)
    return FunctionToolResult(tool=tool, output=output, run_item=item)


def _context(call: FunctionCall, progress: Progress) -> ToolContext[Any]:
    return ToolContext(
        progress.context.context,
        progress.context.usage,
        call.tool.name,
        call.call_id,
        call.arguments,
        call.item,
        turn_input=progress.context.turn_input,
        tool_input=progress.context.tool_input,
        agent=progress.agent,
        run_config=progress.config,
        run_agent=progress.run_agent,
    )


async def _output(tool: FunctionTool, context: ToolContext[Any]) -> Any:
    """Return what the tool returns, or the text that the model reads in its place."""
    try:
        if tool.timeout_seconds is None:
            return await tool.on_invoke_tool(context, context.tool_arguments)
        async with asyncio.timeout(tool.timeout_seconds) as limit:
            return await tool.on_invoke_tool(context, context.tool_arguments)
    except TimeoutError as error:
        if tool.timeout_seconds is None or not limit.expired():
            raise _failed(tool, error) from error
        timeout = ToolTimeoutError(tool.name, tool.timeout_seconds)
    except AgentsException:
        raise
    except Exception as error:
        raise _failed(tool, error) from error
    if tool.timeout_behavior == "raise_exception":
        raise timeout
    context.failure = timeout
    if tool.timeout_error_function is None:
        return f"Error: {timeout}"
    text = tool.timeout_error_function(context, timeout)
    return await text if inspect.isawaitable(text) else text


def _failed(tool: FunctionTool, error: Exception) -> UserError:
    return UserError(f"tool {tool.name!r} failed: {type(error).__name__}: {error}")


async def _objection_to_call(tool: FunctionTool, context: ToolContext[Any], progress: Progress) -> str | None:
    # Only tools with guardrails pay for them.
    from .tool_guardrails import objection_to_call

    return await objection_to_call(tool, context, progress)


async def _checked(tool: FunctionTool, context: ToolContext[Any], output: Any, progress: Progress) -> Any:
    from .tool_guardrails import checked_output

    return await checked_output(tool, context, output, progress)


def _mark_failed(error: Exception, progress: Progress) -> None:
    """Let the span of the tool call show what the model is told in a text, and the run does not see at all."""
    span = get_current_span()
    if span is not None and span.span_data.type == "function":
        data = {"error": str(error)} if progress.config.trace_include_sensitive_data else None
        span.set_error({"message": type(error).__name__, "data": data})


def _output_item(call_id: str, output: Any, progress: Progress) -> ToolCallOutputItem:
    wire = {"type": "function_call_output", "call_id": call_id, "output": output_wire(output)}
    return ToolCallOutputItem(progress.agent, wire, output=output)


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
