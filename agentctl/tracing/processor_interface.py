"""What is told of traces and spans: the seam where they are kept, shown or sent."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .spans import Span, Trace


class TracingProcessor(abc.ABC):
    """Is told of every trace and span as it begins and ends, of one thing after the other, in a thread of its own.

    What it raises is logged, and harms nothing. The work waits for it, but not for one that takes its time: that one is
    told later.
    """

    @abc.abstractmethod
    def on_trace_start(self, trace: Trace) -> None:
        """Take note that a trace begins."""

    @abc.abstractmethod
    def on_trace_end(self, trace: Trace) -> None:
        """Take note that a trace has ended."""

    @abc.abstractmethod
    def on_span_start(self, span: Span[Any]) -> None:
        """Take note that a span begins."""

    @abc.abstractmethod
    def on_span_end(self, span: Span[Any]) -> None:
        """Take note that a span has ended, and its data is whole."""

    @abc.abstractmethod
    def shutdown(self) -> None:
        """Finish what is under way: the process ends."""

    @abc.abstractmethod
    def force_flush(self) -> None:
        """Pass on now what was kept for later."""


class TracingExporter(abc.ABC):
    """Takes traces and spans out of the process: a `BatchTraceProcessor` calls it in a thread of its own."""

    @abc.abstractmethod
    def export(self, items: list[Trace | Span[Any]]) -> None:
        """Send, write or keep what has been traced."""

    def close(self) -> None:  # noqa: B027  # optional to override
        """Let go of connections and files: nothing more is exported."""
