"""Handing traces and spans to an exporter in batches, from a thread of our own: the run never waits for it."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from agentctl.log import logger
from agentctl.redaction import redact

from .processor_interface import TracingExporter, TracingProcessor

if TYPE_CHECKING:
    from .spans import Span, Trace

_SHORTEST_DELAY = 0.01
"""Seconds between two looks at the queue, at least: without a pause a thread would keep a whole core busy."""


class BatchTraceProcessor(TracingProcessor):
    """Keeps traces that begin and spans that end, and exports them now and then; beyond its limit it drops them.

    Its thread begins with the first of them, and ends with the process, however much an exporter hangs.
    """

    def __init__(
        self,
        exporter: TracingExporter,
        max_queue_size: int = 8192,
        max_batch_size: int = 128,
        schedule_delay: float = 5.0,
        export_trigger_ratio: float = 0.7,
    ) -> None:
        """Export after `schedule_delay` seconds, or sooner: once the queue is filled to `export_trigger_ratio`."""
        self.dropped = 0
        """How many traces and spans came to a full queue, were kept at the end, or met an exporter that failed."""
        self._exporter = exporter
        self._limit = max_queue_size
        self._batch_size = max_batch_size
        self._delay = max(schedule_delay, _SHORTEST_DELAY)
        self._trigger = max(1, int(max_queue_size * export_trigger_ratio))
        self._begin()
        _processors.add(self)

    def on_trace_start(self, trace: Trace) -> None:
        """Keep the trace."""
        self.take(trace)

    def on_trace_end(self, trace: Trace) -> None:
        """Do nothing: the trace was kept when it began."""

    def on_span_start(self, span: Span[Any]) -> None:
        """Do nothing: a span is kept when it has ended."""

    def on_span_end(self, span: Span[Any]) -> None:
        """Keep the span."""
        self.take(span)

    def take(self, item: Trace | Span[Any]) -> None:
        """Keep a trace or span that is to be exported."""
        kept = len(self._queue)
        if kept >= self._limit or self._has_ended:
            self._drop(1, "it has ended" if self._has_ended else f"its queue is full ({self._limit})")
            return
        self._queue.append(item)
        if self._thread is None:
            self._start()
        elif kept + 1 == self._trigger:
            self._wake.set()

    def force_flush(self) -> None:
        """Export in the caller's thread all that is kept, after what is being exported now."""
        self._export_all()

    def shutdown(self, timeout: float | None = None) -> None:
        """Export all that is kept and take no more; what is not sent after so many seconds is given up."""
        self.begin_shutdown()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
            if thread.is_alive():
                self._drop(len(self._queue) + self._in_hand, "the process ends before they were exported")

    def begin_shutdown(self) -> None:
        """Begin to export all that is kept, and take no more."""
        self._has_ended = True
        self._wake.set()

    def forget(self) -> None:
        """Begin anew in a forked process: thread and traces are those of the other."""
        self._begin()

    def _begin(self) -> None:
        self._queue: deque[Trace | Span[Any]] = deque()
        self._in_hand = 0
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._counting = threading.Lock()
        self._exporting = threading.Lock()
        self._wake = threading.Event()
        self._has_ended = False

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="export of traces", daemon=True)
                with suppress(RuntimeError):  # The process ends.
                    thread.start()
                    self._thread = thread

    def _work(self) -> None:
        while not self._has_ended:
            self._wake.wait(self._delay)
            self._wake.clear()
            self._export_all()
        self._export_all()  # What was taken just before the end.
        self._exporter.close()

    def _export_all(self) -> None:
        with self._exporting:
            while batch := self._next_batch():
                self._in_hand = len(batch)
                try:
                    self._exporter.export(batch)
                except Exception as error:
                    self._drop(len(batch), f"the exporter failed: {type(error).__name__}: {error}")
                self._in_hand = 0

    def _next_batch(self) -> list[Trace | Span[Any]]:
        batch: list[Trace | Span[Any]] = []
        while self._queue and len(batch) < self._batch_size:
            batch.append(self._queue.popleft())
        return batch

    def _drop(self, count: int, why: str) -> None:
        """Count what is lost, and say why the first time."""
        with self._counting:
            is_first = not self.dropped
            self.dropped += count
        if is_first and count:
            logger.warning("traces and spans are dropped: %s", redact(why))


_processors: weakref.WeakSet[BatchTraceProcessor] = weakref.WeakSet()


def _forget_all() -> None:
    for processor in list(_processors):
        processor.forget()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_all)
