"""Error texts for the model about failed tool calls, worded by the tool or by the run's formatter."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from .tool import default_tool_error_function

if TYPE_CHECKING:
    from agentctl.agent.context import RunContextWrapper, ToolContext
    from agentctl.agent.run_config import RunConfig

    from .error_formatter import FailedTool, FailureKind
    from .tool import ToolErrorFunction


async def failure_text(context: ToolContext[Any], error: Exception, function: ToolErrorFunction) -> str:
    """Record the failure in the call's context and return the model's text for it.

    The run's formatter is applied unless the tool has an error function of its own.
    """
    context.failure = error
    text = function(context, error)
    if inspect.isawaitable(text):
        text = await text
    if function is not default_tool_error_function:
        return text
    return await format_failure(
        context.run_config,
        kind="tool_exception",
        tool_type="function",
        tool_name=context.tool_name,
        call_id=context.tool_call_id,
        default_message=text,
        run_context=context,
        error=error,
    )


async def format_failure(
    config: RunConfig | None,
    *,
    kind: FailureKind,
    tool_type: FailedTool,
    tool_name: str,
    call_id: str,
    default_message: str,
    run_context: RunContextWrapper[Any],
    error: Exception | None = None,
) -> str:
    """Return the model's text for a failed call, passed through the run's formatter if there is one."""
    if config is None or config.tool_error_formatter is None:
        return default_message
    # 1 ms, saved for runs without a formatter.
    from .error_formatter import apply_formatter

    return await apply_formatter(
        config.tool_error_formatter,
        kind=kind,
        tool_type=tool_type,
        tool_name=tool_name,
        call_id=call_id,
        default_message=default_message,
        run_context=run_context,
        error=error,
    )


def is_stray_cancellation() -> bool:
    """Return whether user code raised the current `CancelledError`, since the running task was not cancelled."""
    task = asyncio.current_task()
    return task is not None and not task.cancelling()
