"""The current trace and span, in context variables of the task or thread."""

from __future__ import annotations

from contextvars import ContextVar, Token
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


class Scope:
    """The current trace and span, under the names of the Agents SDK."""

    get_current_trace = staticmethod(get_current_trace)
    get_current_span = staticmethod(get_current_span)

    @staticmethod
    def set_current_trace(trace: Trace | None) -> Token[Trace | None]:
        """Set the current trace; the token is for `reset_current_trace`."""
        return current_trace.set(trace)

    @staticmethod
    def reset_current_trace(token: Token[Trace | None]) -> None:
        """Restore the trace that was the current one before."""
        current_trace.reset(token)

    @staticmethod
    def set_current_span(span: Span[Any] | None) -> Token[Span[Any] | None]:
        """Set the current span; the token is for `reset_current_span`."""
        return current_span.set(span)

    @staticmethod
    def reset_current_span(token: Token[Span[Any] | None]) -> None:
        """Restore the span that was the current one before."""
        current_span.reset(token)
