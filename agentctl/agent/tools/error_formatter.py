"""How a run words what the model is told of tool calls that failed: `RunConfig.tool_error_formatter`."""

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
    """A tool call that failed, as `RunConfig.tool_error_formatter` is told of it."""

    kind: FailureKind
    tool_type: FailedTool
    tool_name: str
    call_id: str
    default_message: str
    """What the model reads if the formatter returns None."""
    run_context: RunContextWrapper[TContext]
    error: Exception | None = None
    """What the tool raised."""


ToolErrorFormatter: TypeAlias = Callable[[ToolErrorFormatterArgs[Any]], str | Awaitable[str | None] | None]
"""Words what the model is told of a call that failed; None keeps the words that are there."""


async def worded(formatter: ToolErrorFormatter, **failure: Any) -> str:
    """Return the words of a formatter, or those that are there: a formatter that fails does the run no harm.

    The keywords are the fields of `ToolErrorFormatterArgs`.
    """
    args = ToolErrorFormatterArgs[Any](**failure)
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
