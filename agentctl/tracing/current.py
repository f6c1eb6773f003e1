"""The trace and the span that work is part of: each task and thread has its own."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .spans import Span, Trace

current_trace: ContextVar[Trace | None] = ContextVar("current_trace", default=None)
current_span: ContextVar[Span[Any] | None] = ContextVar("current_span", default=None)


def get_current_trace() -> Trace | None:
    """Return the trace that we are in, None outside any."""
    return current_trace.get()


def get_current_span() -> Span[Any] | None:
    """Return the span that we are in, None outside any."""
    return current_span.get()
