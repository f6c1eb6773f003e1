"""What the model is told of a tool call that failed, and who may word it: the tool, or the run."""

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
    """Note in its context that a call failed, and return what the model is told of it.

    The formatter of the run has a say where the tool has no function of its own.
    """
    context.failure = error
    text = function(context, error)
    if inspect.isawaitable(text):
        text = await text
    if function is not default_tool_error_function:
        return text
    return await words_of_run(
        context.run_config,
        kind="tool_exception",
        tool_type="function",
        tool_name=context.tool_name,
        call_id=context.tool_call_id,
        default_message=text,
        run_context=context,
        error=error,
    )


async def words_of_run(
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
    """Return what the model is told of a call that failed: the run's formatter may put it in other words."""
    if config is None or config.tool_error_formatter is None:
        return default_message
    # A millisecond that a run without a formatter does not pay.
    from .error_formatter import worded

    return await worded(
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
    """Return whether a `CancelledError` at hand is of user code's own making: nobody cancelled the task it runs in."""
    task = asyncio.current_task()
    return task is not None and not task.cancelling()
