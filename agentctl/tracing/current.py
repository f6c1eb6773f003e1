"""The current trace and span, in context variables of the task or thread."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .spans import Span, Trace

current_trace: ContextVar[Trace | None] = ContextVar("current_trace", default=None)
current_span: ContextVar[Span[Any] | None] = ContextVar("current_span", default=None)


def get_current_trace() -> Trace | None:
    """Return the current trace, None outside any."""
    return current_trace.get()


def get_current_span() -> Span[Any] | None:
    """Return the current span, None outside any."""
    return current_span.get()
