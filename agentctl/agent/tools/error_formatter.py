"""Formatters of the model's text for failed tool calls: `RunConfig.tool_error_formatter`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Literal, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.context import RunContextWrapper, TContext
from agentctl.log import logger

FailureKind: TypeAlias = Literal["approval_rejected", "tool_not_found", "tool_exception"]
FailedTool: TypeAlias = Literal["function", "computer", "shell", "apply_patch", "custom"]


@dataclass(frozen=True)
class ToolErrorFormatterArgs(Generic[TContext]):
    """A failed tool call, as the argument of `RunConfig.tool_error_formatter`."""

    kind: FailureKind
    tool_type: FailedTool
    tool_name: str
    call_id: str
    default_message: str
    """The model's text if the formatter returns None."""
    run_context: RunContextWrapper[TContext]
    error: Exception | None = None
    """Exception of the tool."""


ToolErrorFormatter: TypeAlias = Callable[[ToolErrorFormatterArgs[Any]], str | Awaitable[str | None] | None]
"""Returns the model's text for a failed call; None keeps the default message."""


async def apply_formatter(formatter: ToolErrorFormatter, **failure: Any) -> str:
    """Return the formatter's text for a failure, or the default message if the formatter itself fails.

    The keywords are the fields of `ToolErrorFormatterArgs`.
    """
    args = ToolErrorFormatterArgs[Any](**failure)
    try:
        text: Any = formatter(args)
        if inspect.isawaitable(text):
            text = await text
    except Exception:
        logger.warning("the tool_error_formatter failed; using the default message", exc_info=True)
        return args.default_message
    if isinstance(text, str):
        return text
    if text is not None:
        logger.warning("the tool_error_formatter must return a string or None, not %s", type(text).__name__)
    return args.default_message
