"""What is told of traces and spans: the seam where they are kept, shown or sent."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agentctl.log import logger

if TYPE_CHECKING:
    from .spans import Span
    from .traces import Trace


class TracingProcessor(abc.ABC):
    """Is told of every trace and span as it begins and ends, in the thread that does the work: it must not wait.

    What it raises is logged, and harms nothing.
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


class FanOut(TracingProcessor):
    """Tells several processors, in order; the first failure of each is logged, and the others hear of everything."""

    def __init__(self) -> None:
        self._processors: tuple[TracingProcessor, ...] = ()
        self._failed: list[TracingProcessor] = []

    def __bool__(self) -> bool:
        return bool(self._processors)

    def add(self, processor: TracingProcessor) -> None:
        """Tell this one, too."""
        self._processors = (*self._processors, processor)

    def replace(self, processors: list[TracingProcessor]) -> None:
        """Tell these from now on, and nobody else."""
        self._processors = tuple(processors)
        self._failed.clear()

    def on_trace_start(self, trace: Trace) -> None:
        """Tell every processor."""
        self._tell(lambda processor: processor.on_trace_start(trace))

    def on_trace_end(self, trace: Trace) -> None:
        """Tell every processor."""
        self._tell(lambda processor: processor.on_trace_end(trace))

    def on_span_start(self, span: Span[Any]) -> None:
        """Tell every processor."""
        self._tell(lambda processor: processor.on_span_start(span))

    def on_span_end(self, span: Span[Any]) -> None:
        """Tell every processor."""
        self._tell(lambda processor: processor.on_span_end(span))

    def shutdown(self) -> None:
        """Tell every processor."""
        self._tell(lambda processor: processor.shutdown())

    def force_flush(self) -> None:
        """Tell every processor."""
        self._tell(lambda processor: processor.force_flush())

    def _tell(self, news: Callable[[TracingProcessor], None]) -> None:
        for processor in self._processors:
            try:
                news(processor)
            except Exception:
                if not any(processor is failed for failed in self._failed):
                    self._failed.append(processor)
                    logger.exception("trace processor %s failed; the run goes on", type(processor).__name__)
