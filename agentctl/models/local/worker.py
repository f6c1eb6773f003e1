"""An async stream of the values that work on a daemon thread emits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Generic, TypeVar

from agentctl._dataclass import dataclass
from agentctl.threads import in_daemon_thread

T = TypeVar("T")

STOP_TIMEOUT = 0.5
"""Seconds for cancelled work to end; then it is abandoned, and `threads` can name it."""


class Emitter(Generic[T]):
    """The side of the work: emits values and tells whether the work was cancelled."""

    def __init__(self, put: Callable[[T], None]) -> None:
        self._put = put
        self._cancelled = threading.Event()

    def emit(self, value: T) -> None:
        """Pass a value to the reader."""
        if not self._cancelled.is_set():
            self._put(value)

    def cancel(self) -> None:
        """Cancel the work."""
        self._cancelled.set()

    def is_cancelled(self) -> bool:
        """Return whether the work should end."""
        return self._cancelled.is_set()


@dataclass(frozen=True, slots=True)
class _End:
    """The end of the stream."""


async def stream_from_thread(work: Callable[[Emitter[T]], None], *, name: str) -> AsyncGenerator[T]:
    """Run `work` on a daemon thread and yield the values it emits; an exception of it is raised here.

    Closing the generator early cancels the work and waits a moment for it.
    """
    loop = asyncio.get_running_loop()
    values: asyncio.Queue[T | _End] = asyncio.Queue()

    def put(value: T | _End) -> None:
        try:
            loop.call_soon_threadsafe(values.put_nowait, value)
        except RuntimeError:
            emitter.cancel()  # The loop was closed without waiting for this thread.

    def run() -> None:
        try:
            work(emitter)
        finally:
            put(_End())

    emitter = Emitter[T](put)
    thread = asyncio.ensure_future(in_daemon_thread(run, name=name))
    try:
        while not isinstance(value := await values.get(), _End):
            yield value
        await thread
    finally:
        emitter.cancel()
        await _wait_for_end(thread)


async def _wait_for_end(thread: asyncio.Future[None]) -> None:
    try:
        await asyncio.wait([thread], timeout=STOP_TIMEOUT)
    finally:
        thread.cancel()
    if thread.done() and not thread.cancelled():
        thread.exception()  # Retrieved, so that the loop does not log it; the reader is gone or has received it.
