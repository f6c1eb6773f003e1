"""Export of traces and spans in batches, in a background thread, so that runs never wait for it."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from agentctl.log import tracing_logger as logger
from agentctl.redaction import redact

from .processor_interface import TracingExporter, TracingProcessor

if TYPE_CHECKING:
    from .spans import Span, Trace

_MIN_DELAY = 0.01
"""Minimum seconds between two checks of the queue, so that the thread does not spin."""


class BatchTraceProcessor(TracingProcessor):
    """A processor that queues started traces and ended spans and exports them in batches; a full queue drops them.

    Its thread starts with the first item, and never keeps the process from exiting, even if an exporter hangs.
    """

    queues_only: ClassVar[bool] = True
    """Whether its methods only queue, so that the traced code calls them; a subclass has to state it, too."""
    pause: ClassVar[float] = 0.0
    """Seconds between two exports: a thread that wakes up for every span slows the run down."""

    def __init__(
        self,
        exporter: TracingExporter,
        max_queue_size: int = 8192,
        max_batch_size: int = 128,
        schedule_delay: float = 5.0,
        export_trigger_ratio: float = 0.7,
    ) -> None:
        """Export every `schedule_delay` seconds, or as soon as the queue is filled to `export_trigger_ratio`."""
        self.dropped = 0
        """Number of traces and spans lost to a full queue, the end of the process, or a failed exporter."""
        self._exporter = exporter
        self._limit = max_queue_size
        self._batch_size = max_batch_size
        self._delay = max(schedule_delay, _MIN_DELAY)
        self._trigger = max(1, int(max_queue_size * export_trigger_ratio))
        self._reset()
        _processors.add(self)

    def on_trace_start(self, trace: Trace) -> None:
        """Queue the trace."""
        self.take(trace)

    def on_trace_end(self, trace: Trace) -> None:
        """Do nothing: the trace was queued at its start."""

    def on_span_start(self, span: Span[Any]) -> None:
        """Do nothing: the span is queued at its end."""

    def on_span_end(self, span: Span[Any]) -> None:
        """Queue the span."""
        self.take(span)

    def take(self, item: Any) -> None:
        """Queue a trace or span, or news of one, for export."""
        queued = len(self._queue)
        if queued >= self._limit or self._ending.is_set():
            reason = "the processor was shut down" if self._ending.is_set() else f"the queue of {self._limit} is full"
            self._drop(1, reason)
            return
        self._queue.append(item)
        if self._thread is None:
            self._start()
        elif queued + 1 == self._trigger:
            self._wake.set()

    def force_flush(self) -> None:
        """Export the queue in the caller's thread, after any export in progress."""
        self._export_all()

    def shutdown(self, timeout: float | None = None) -> None:
        """Stop accepting items and export the queue; after `timeout` seconds the rest is dropped."""
        self.begin_shutdown()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
            if thread.is_alive():
                self._drop(len(self._queue) + self._exporting_count, "the process exited before they were exported")

    def begin_shutdown(self) -> None:
        """Stop accepting items and start exporting the queue."""
        self._ending.set()
        self._wake.set()

    def forget(self) -> None:
        """Reset in a forked process, since thread and queue belong to the parent."""
        self._reset()

    def _reset(self) -> None:
        self._queue: deque[Any] = deque()
        self._exporting_count = 0
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._counting = threading.Lock()
        self._exporting = threading.Lock()
        self._wake = threading.Event()
        self._ending = threading.Event()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="trace export", daemon=True)
                with suppress(RuntimeError):  # The interpreter is shutting down.
                    thread.start()
                    self._thread = thread

    def _work(self) -> None:
        while not self._ending.is_set():
            self._wake.wait(self._delay)
            self._wake.clear()
            self._export_all()
            if self.pause:
                self._ending.wait(self.pause)
        self._export_all()  # Items that were queued just before the end.
        self._exporter.close()

    def _export_all(self) -> None:
        with self._exporting:
            while batch := self._next_batch():
                self._exporting_count = len(batch)
                try:
                    self._exporter.export(batch)
                except Exception as error:
                    self._drop(len(batch), f"the exporter failed: {type(error).__name__}: {error}")
                self._exporting_count = 0

    def _next_batch(self) -> list[Any]:
        batch: list[Any] = []
        while self._queue and len(batch) < self._batch_size:
            batch.append(self._queue.popleft())
        return batch

    def _drop(self, count: int, reason: str) -> None:
        """Count lost items, and log the reason the first time."""
        with self._counting:
            is_first = not self.dropped
            self.dropped += count
        if is_first and count:
            logger.warning("traces and spans are dropped: %s", redact(reason))


_processors: weakref.WeakSet[BatchTraceProcessor] = weakref.WeakSet()


def _forget_all() -> None:
    for processor in list(_processors):
        processor.forget()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_all)
