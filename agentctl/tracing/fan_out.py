"""Telling several processors: each in a thread of its own, so that none of them harms what is traced."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeAlias

from agentctl.log import logger
from agentctl.redaction import redact

from .batch import BatchTraceProcessor
from .processor_interface import TracingProcessor

if TYPE_CHECKING:
    from .spans import Span, Trace

News: TypeAlias = Callable[[TracingProcessor], None]

PATIENCE = 0.25
"""Seconds that the work waits for a processor, once: after that it is told of everything later."""

SHUTDOWN = 2.0
"""Seconds that the end of the process waits for all processors together."""

_LONGEST_QUEUE = 8192


class FanOut(TracingProcessor):
    """Tells several processors, in order; none of them hears of the failure of another."""

    def __init__(self) -> None:
        self._all: tuple[Told, ...] = ()
        self._batches: tuple[BatchTraceProcessor, ...] = ()
        """Those that only take note, and only of what they export: told without detours."""
        self._others: tuple[ToldInThread, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._all)

    def set(self, *told: Told) -> None:
        """Tell these from now on, and nobody else."""
        self._all = told
        self._batches = tuple(one.processor for one in told if isinstance(one, ToldAtOnce))
        self._others = tuple(one for one in told if isinstance(one, ToldInThread))

    def on_trace_start(self, trace: Trace) -> None:
        """Tell every processor."""
        for batch in self._batches:
            batch.take(trace)
        for one in self._others:
            one.tell(lambda processor: processor.on_trace_start(trace))

    def on_trace_end(self, trace: Trace) -> None:
        """Tell every processor that wants to know."""
        for one in self._others:
            one.tell(lambda processor: processor.on_trace_end(trace))

    def on_span_start(self, span: Span[Any]) -> None:
        """Tell every processor that wants to know."""
        for one in self._others:
            one.tell(lambda processor: processor.on_span_start(span))

    def on_span_end(self, span: Span[Any]) -> None:
        """Tell every processor."""
        for batch in self._batches:
            batch.take(span)
        for one in self._others:
            one.tell(lambda processor: processor.on_span_end(span))

    def shutdown(self) -> None:
        """Have every processor finish, and wait no longer than `SHUTDOWN`."""
        deadline = time.monotonic() + SHUTDOWN
        ended = self._all
        self.set()
        for one in ended:
            one.begin_shutdown()
        for one in ended:
            one.wait(deadline)

    def force_flush(self) -> None:
        """Have every processor pass on what it keeps, and wait for it."""
        for one in self._all:
            one.flush()


class ToldAtOnce:
    """A batch processor, which only takes note: told in the thread that does the work."""

    def __init__(self, processor: BatchTraceProcessor) -> None:
        self.processor = processor

    def flush(self) -> None:
        """Have it export what it keeps, and wait for that."""
        self.processor.force_flush()

    def begin_shutdown(self) -> None:
        """Have it finish."""
        self.processor.begin_shutdown()

    def wait(self, deadline: float) -> None:
        """Wait until it has finished, or it is too late."""
        self.processor.shutdown(max(0.0, deadline - time.monotonic()))


class ToldInThread:
    """A processor of the user's: told in a daemon thread, and waited for as long as it is quick."""

    def __init__(self, processor: TracingProcessor) -> None:
        self._processor = processor
        self._news: SimpleQueue[tuple[News, threading.Lock]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._is_slow = False
        self._has_failed = False
        self._end: threading.Lock | None = None
        self.dropped = 0
        """How much it was never told, since it was too slow."""

    def tell(self, news: News) -> None:
        """Tell the processor; wait for it unless it has been slow before."""
        if self._is_slow and self._news.qsize() >= _LONGEST_QUEUE:
            if not self.dropped:
                self._log("is too slow: some of what is traced, it is not told")
            self.dropped += 1
            return
        done = self._hand_over(news)
        if not self._is_slow and not done.acquire(timeout=PATIENCE):
            self._is_slow = True
            self._log(f"took longer than {PATIENCE:g} s; the run goes on, and it is told later")

    def flush(self) -> None:
        """Have it pass on what it keeps, and wait for that."""
        self._hand_over(lambda processor: processor.force_flush()).acquire()

    def begin_shutdown(self) -> None:
        """Have it finish."""
        self._end = self._hand_over(lambda processor: processor.shutdown())

    def wait(self, deadline: float) -> None:
        """Wait until it has finished, or it is too late."""
        assert self._end is not None
        if not self._end.acquire(timeout=max(0.0, deadline - time.monotonic())):
            self._log("has not finished; the process ends without it")

    def _hand_over(self, news: News) -> threading.Lock:
        """Queue news, and return a lock that opens once the processor was told."""
        done = threading.Lock()
        is_its_own = threading.current_thread() is self._thread  # It traces something itself.
        if is_its_own or not (self._has_thread() or self._start()):
            self._tell_now(news)
            return done
        done.acquire()
        self._news.put((news, done))
        return done

    def _has_thread(self) -> bool:
        return self._thread is not None and self._thread.is_alive()  # In a forked process it is not.

    def _start(self) -> bool:
        with self._starting:
            if not self._has_thread():
                name = f"trace processor {type(self._processor).__name__}"
                self._thread = threading.Thread(target=self._work, name=name, daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:  # The process ends.
                    return False
        return True

    def _work(self) -> None:
        while True:
            news, done = self._news.get()
            self._tell_now(news)
            done.release()
            del news

    def _tell_now(self, news: News) -> None:
        """Tell the processor; what it raises is logged the first time."""
        try:
            news(self._processor)
        except Exception as error:
            if not self._has_failed:
                self._has_failed = True
                self._log(f"failed; the run goes on: {type(error).__name__}: {redact(str(error))}")
                logger.debug("where it failed", exc_info=error)

    def _log(self, what: str) -> None:
        logger.error("trace processor %s %s", type(self._processor).__name__, what)


Told: TypeAlias = ToldAtOnce | ToldInThread


def told(processor: TracingProcessor) -> Told:
    """Return a processor as it is told."""
    return ToldAtOnce(processor) if type(processor) is BatchTraceProcessor else ToldInThread(processor)
