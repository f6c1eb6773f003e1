"""Delivery of trace events to several processors, each in a thread of its own, isolated from the traced code."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeAlias

from agentctl.log import tracing_logger as logger
from agentctl.redaction import redact

from .batch import BatchTraceProcessor
from .processor_interface import TracingProcessor

if TYPE_CHECKING:
    from .spans import Span, Trace

Notification: TypeAlias = Callable[[TracingProcessor], None]
"""Calls a method of a processor."""

DELIVERY_TIMEOUT = 0.25
"""Seconds that the traced code waits for a processor; after one timeout, deliveries to it are asynchronous."""

SHUTDOWN_TIMEOUT = 2.0
"""Seconds that the exit of the process waits for all processors together."""

_MAX_QUEUE = 8192


class FanOut(TracingProcessor):
    """Delivers to several processors, in order; a failure of one does not affect the others."""

    def __init__(self) -> None:
        self._all: tuple[Delivery, ...] = ()
        self._batches: tuple[BatchTraceProcessor, ...] = ()
        """Batch processors, which only queue items, and are called directly."""
        self._threaded: tuple[ThreadedDelivery, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._all)

    def set(self, *deliveries: Delivery) -> None:
        """Replace the processors."""
        self._all = deliveries
        self._batches = tuple(each.processor for each in deliveries if isinstance(each, DirectDelivery))
        self._threaded = tuple(each for each in deliveries if isinstance(each, ThreadedDelivery))

    def on_trace_start(self, trace: Trace) -> None:
        """Deliver the event to every processor."""
        for batch in self._batches:
            batch.on_trace_start(trace)
        for each in self._threaded:
            each.deliver(lambda processor: processor.on_trace_start(trace))

    def on_trace_end(self, trace: Trace) -> None:
        """Deliver the event to every processor."""
        for batch in self._batches:
            batch.on_trace_end(trace)
        for each in self._threaded:
            each.deliver(lambda processor: processor.on_trace_end(trace))

    def on_span_start(self, span: Span[Any]) -> None:
        """Deliver the event to every processor."""
        for batch in self._batches:
            batch.on_span_start(span)
        for each in self._threaded:
            each.deliver(lambda processor: processor.on_span_start(span))

    def on_span_end(self, span: Span[Any]) -> None:
        """Deliver the event to every processor."""
        for batch in self._batches:
            batch.on_span_end(span)
        for each in self._threaded:
            each.deliver(lambda processor: processor.on_span_end(span))

    def shutdown(self) -> None:
        """Shut down every processor, and wait at most `SHUTDOWN_TIMEOUT` seconds."""
        deadline = time.monotonic() + SHUTDOWN_TIMEOUT
        deliveries = self._all
        self.set()
        for each in deliveries:
            each.begin_shutdown()
        for each in deliveries:
            each.wait(deadline)

    def force_flush(self) -> None:
        """Flush every processor, and wait for it."""
        for each in self._all:
            each.flush()


class DirectDelivery:
    """Delivery to a batch processor, which only queues items: in the thread of the traced code."""

    def __init__(self, processor: BatchTraceProcessor) -> None:
        self.processor = processor

    def flush(self) -> None:
        """Flush the processor, and wait for it."""
        self.processor.force_flush()

    def begin_shutdown(self) -> None:
        """Start the shutdown of the processor."""
        self.processor.begin_shutdown()

    def wait(self, deadline: float) -> None:
        """Wait until the shutdown is complete, at most until the deadline."""
        self.processor.shutdown(max(0.0, deadline - time.monotonic()))


class ThreadedDelivery:
    """Delivery to a user's processor: in a daemon thread, synchronous as long as the processor is fast."""

    def __init__(self, processor: TracingProcessor) -> None:
        self._processor = processor
        self._queue: SimpleQueue[tuple[Notification, threading.Lock]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._is_slow = False
        self._has_failed = False
        self._end: threading.Lock | None = None
        self.dropped = 0
        """Number of notifications that were dropped because the processor was too slow."""

    def deliver(self, notification: Notification) -> None:
        """Notify the processor, and wait for it unless it has been slow before."""
        if self._is_slow and self._queue.qsize() >= _MAX_QUEUE:
            if not self.dropped:
                self._log("is too slow and misses some traces and spans")
            self.dropped += 1
            return
        done = self._enqueue(notification)
        if not self._is_slow and not done.acquire(timeout=DELIVERY_TIMEOUT):
            self._is_slow = True
            self._log(f"took longer than {DELIVERY_TIMEOUT:g} s; the run no longer waits for it")

    def flush(self) -> None:
        """Flush the processor, and wait for it."""
        self._enqueue(lambda processor: processor.force_flush()).acquire()

    def begin_shutdown(self) -> None:
        """Start the shutdown of the processor."""
        self._end = self._enqueue(lambda processor: processor.shutdown())

    def wait(self, deadline: float) -> None:
        """Wait until the shutdown is complete, at most until the deadline."""
        assert self._end is not None
        if not self._end.acquire(timeout=max(0.0, deadline - time.monotonic())):
            self._log("did not finish in time; the process exits without it")

    def _enqueue(self, notification: Notification) -> threading.Lock:
        """Queue a notification, and return a lock that is released once it was delivered."""
        done = threading.Lock()
        is_own_thread = threading.current_thread() is self._thread  # The processor traces something itself.
        if is_own_thread or not (self._has_thread() or self._start()):
            self._notify(notification)
            return done
        done.acquire()
        self._queue.put((notification, done))
        return done

    def _has_thread(self) -> bool:
        return self._thread is not None and self._thread.is_alive()  # It is not in a forked process.

    def _start(self) -> bool:
        with self._starting:
            if not self._has_thread():
                name = f"trace processor {type(self._processor).__name__}"
                self._thread = threading.Thread(target=self._work, name=name, daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:  # The interpreter is shutting down.
                    return False
        return True

    def _work(self) -> None:
        while True:
            notification, done = self._queue.get()
            self._notify(notification)
            done.release()
            del notification

    def _notify(self, notification: Notification) -> None:
        """Call the processor; its first exception is logged."""
        try:
            notification(self._processor)
        except Exception as error:
            if not self._has_failed:
                self._has_failed = True
                self._log(f"failed; the run continues: {type(error).__name__}: {redact(str(error))}")
                logger.debug("traceback of the failure", exc_info=error)

    def _log(self, problem: str) -> None:
        logger.error("trace processor %s %s", type(self._processor).__name__, problem)


Delivery: TypeAlias = DirectDelivery | ThreadedDelivery


def delivery_to(processor: TracingProcessor) -> Delivery:
    """Return the kind of delivery for a processor."""
    if isinstance(processor, BatchTraceProcessor) and vars(type(processor)).get("queues_only", False):
        return DirectDelivery(processor)
    return ThreadedDelivery(processor)
