"""Interfaces of trace processors and exporters, which store, show or send traces and spans."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .spans import Span, Trace


class TracingProcessor(abc.ABC):
    """Receives every start and end of a trace or span, one at a time, in a thread of its own.

    Its exceptions are logged and affect nothing else. The traced code waits for each delivery, but not for a slow
    processor, which receives them later.
    """

    @abc.abstractmethod
    def on_trace_start(self, trace: Trace) -> None:
        """Handle the start of a trace."""

    @abc.abstractmethod
    def on_trace_end(self, trace: Trace) -> None:
        """Handle the end of a trace."""

    @abc.abstractmethod
    def on_span_start(self, span: Span[Any]) -> None:
        """Handle the start of a span."""

    @abc.abstractmethod
    def on_span_end(self, span: Span[Any]) -> None:
        """Handle the end of a span, whose data is now complete."""

    @abc.abstractmethod
    def shutdown(self) -> None:
        """Finish pending work, since the process exits."""

    @abc.abstractmethod
    def force_flush(self) -> None:
        """Process buffered items immediately."""


class TracingExporter(abc.ABC):
    """Sends or writes traces and spans; a `BatchTraceProcessor` calls it in its own thread."""

    @abc.abstractmethod
    def export(self, items: list[Trace | Span[Any]]) -> None:
        """Send, write or store traces and spans."""

    def close(self) -> None:  # noqa: B027  # optional to override
        """Close connections and files; nothing more is exported."""
