"""What the model is told of a tool call that failed, and who may word it: the tool, or the run."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias

from agentctl.log import logger

from .context import RunContextWrapper, TContext, ToolContext
from .tool import ToolErrorFunction
from .tool import default_tool_error_function as default_tool_error_function


@dataclass(frozen=True, slots=True)
class ToolErrorFormatterArgs(Generic[TContext]):
    """A tool call that failed, as `RunConfig.tool_error_formatter` is told of it."""

    kind: Literal["approval_rejected", "tool_not_found", "tool_exception"]
    tool_type: Literal["function", "computer", "shell", "apply_patch", "custom"]
    tool_name: str
    call_id: str
    default_message: str
    """What the model reads if the formatter returns None."""
    run_context: RunContextWrapper[TContext]
    error: Exception | None = None
    """What the tool raised."""


ToolErrorFormatter: TypeAlias = Callable[[ToolErrorFormatterArgs[Any]], str | Awaitable[str | None] | None]
"""Words what the model is told of a call that failed; None keeps the words that are there."""


async def failure_text(context: ToolContext[Any], error: Exception, function: ToolErrorFunction) -> str:
    """Note in its context that a call failed, and return what the model is told of it.

    The formatter of the run has a say where the tool has no function of its own.
    """
    context.failure = error
    text = function(context, error)
    if inspect.isawaitable(text):
        text = await text
    formatter = context.run_config.tool_error_formatter if context.run_config else None
    if formatter is None or function is not default_tool_error_function:
        return text
    return await formatted(
        formatter,
        ToolErrorFormatterArgs(
            kind="tool_exception",
            tool_type="function",
            tool_name=context.tool_name,
            call_id=context.tool_call_id,
            default_message=text,
            run_context=context,
            error=error,
        ),
    )


async def formatted(formatter: ToolErrorFormatter, args: ToolErrorFormatterArgs[Any]) -> str:
    """Return the words of a formatter, or those that are there: a formatter that fails does the run no harm."""
    try:
        text: Any = formatter(args)
        if inspect.isawaitable(text):
            text = await text
    except Exception:
        logger.warning("the tool_error_formatter failed; its words are left out", exc_info=True)
        return args.default_message
    if isinstance(text, str):
        return text
    if text is not None:
        logger.warning("the tool_error_formatter returned a %s, not a text", type(text).__name__)
    return args.default_message


def is_stray_cancellation() -> bool:
    """Return whether a `CancelledError` at hand is of the tool's own making: nobody cancelled the task it runs in."""
    task = asyncio.current_task()
    return task is not None and not task.cancelling()
