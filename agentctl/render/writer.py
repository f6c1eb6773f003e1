"""The writer: one thread that owns stdout and stderr behind a bounded buffer; the event loop never waits for them.

A full buffer (a paused terminal, a pipe that is not read) suspends the caller. The thread may block in a write forever;
it is a daemon, so that the process can exit without it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from agentctl._dataclass import dataclass
from agentctl.redaction import redact

from .escape import disarm, escape
from .live_line import LiveLine
from .wakeup import Wakeup, wait_writable

CAPACITY = 1 << 20
"""Bytes that may be queued before a caller is suspended."""

LARGEST_WRITE = 1 << 16
"""Bytes at which queued data for one stream is no longer joined into a single write."""

_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Waiter:
    is_met: Callable[[], bool]
    """The awaited condition; evaluated under the lock."""
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


class Writer:
    """Writes text to two file descriptors, in call order.

    Raises from `out` and `drain`:
        BrokenPipeError: the reader of stdout disconnected; all later calls raise too.
        OSError: stdout cannot be written (a full disk); all later calls raise too.
    Errors on stderr have no place to be reported: the text is dropped.
    """

    def __init__(self, *, stdout: int = 1, stderr: int = 2, capacity: int = CAPACITY, live: bool = False) -> None:
        """Start the thread; `live` means that stderr is a terminal that can show a live line."""
        self._stdout = stdout
        self._stderr = stderr
        self._capacity = capacity
        self._live_line = LiveLine(stderr) if live else None
        self._wakeup = Wakeup(watched=stdout)
        self._lock = threading.Lock()
        self._queue: deque[tuple[int, bytes]] = deque()
        self._size = 0
        """Bytes in the queue and in the current write."""
        self._failure: OSError | None = None
        self._dead: set[int] = set()
        """Descriptors that failed and are no longer written to."""
        self._waiters: list[_Waiter] = []
        self._is_idle = False
        self._is_closing = False
        self._is_abandoned = False
        self._has_ended = False
        threading.Thread(target=self._run, name="agentctl writer", daemon=True).start()

    async def out(self, text: str) -> None:
        """Write text to stdout unchanged; return at once while the buffer has room."""
        if self._size >= self._capacity:
            await self._wait_until(self._has_room)
        if self._failure is not None:
            raise _copy_error(self._failure)
        self._enqueue(self._stdout, encode(text))

    async def err(self, text: str) -> None:
        """Write text to stderr with secrets redacted; return at once while the buffer has room."""
        if self._size >= self._capacity:
            await self._wait_until(self._has_room)
        self._enqueue(self._stderr, encode(redact(text)))

    def log_stream(self, *, to_stdout: bool) -> WriterStream:
        """Return a stream for log records, which cannot wait: it accepts text even when the buffer is full."""
        return WriterStream(
            lambda text: self._enqueue(self._stdout if to_stdout else self._stderr, encode(disarm(escape(text))))
        )

    def write_command(self, text: str) -> None:
        """Write a command to the runner of a CI system, which may contain a secret, to stderr as it is."""
        self._enqueue(self._stderr, encode(text))

    def status(self, text: str | None) -> None:
        """Show a live line while there is nothing to write, until the next call; None removes it."""
        if self._live_line is not None and not self._has_ended:
            self._live_line.text = None if text is None else redact(text)
            self._wakeup.wake()

    async def wait_broken(self) -> None:
        """Wait until stdout can no longer be written; a reader that disconnects is noticed even without a write."""
        await self._wait_until(lambda: self._failure is not None)

    async def drain(self) -> None:
        """Wait until all text is written."""
        await self._wait_until(lambda: self._size == 0)
        if self._failure is not None:
            raise _copy_error(self._failure)

    async def aclose(self, timeout: float = 2.0) -> bool:
        """Write the queued text for at most `timeout` seconds and end the thread; return whether all was written."""
        with self._lock:
            self._is_closing = True
        self._wake_thread()
        try:
            async with asyncio.timeout(timeout):
                await self._wait_until(lambda: self._has_ended)
        except TimeoutError:
            self._is_abandoned = True
            return False
        self._wakeup.close()
        return self._failure is None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def _has_room(self) -> bool:
        return self._size <= self._capacity // 2

    def _enqueue(self, descriptor: int, data: bytes) -> None:
        with self._lock:
            if not data or descriptor in self._dead:
                return
            self._queue.append((descriptor, data))
            self._size += len(data)
            was_idle, self._is_idle = self._is_idle, False
        if was_idle:
            self._wake_thread_soon()

    def _wake_thread_soon(self) -> None:
        """Wake the thread after the callbacks that are ready now, so that their text goes out in few writes."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._wake_thread()
        else:
            loop.call_soon(self._wake_thread)

    def _wake_thread(self) -> None:
        if not self._has_ended:
            self._wakeup.wake()

    async def _wait_until(self, is_met: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        waiter = _Waiter(is_met=is_met, loop=loop, future=loop.create_future())
        with self._lock:
            if is_met():
                return
            self._waiters.append(waiter)
        try:
            await waiter.future
        finally:
            with self._lock:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def _run(self) -> None:
        while not self._is_abandoned:
            descriptor, data = self._next_write()
            if data:
                if self._live_line is not None:
                    self._live_line.make_room(data)
                self._write(descriptor, data)
                self._release(len(data))
            elif self._is_closing:
                break
            else:
                self._wait_for_work()
        if self._live_line is not None:
            self._live_line.erase()
        self._has_ended = True
        self._release(0)

    def _next_write(self) -> tuple[int, bytes]:
        """Return the next descriptor and its queued data, joined; empty data when the queue is empty."""
        with self._lock:
            if not self._queue:
                self._is_idle = True
                return -1, b""
            descriptor, first = self._queue.popleft()
            pieces, size = [first], len(first)
            while self._queue and self._queue[0][0] == descriptor and size < LARGEST_WRITE:
                pieces.append(self._queue.popleft()[1])
                size += len(pieces[-1])
        return descriptor, b"".join(pieces)

    def _wait_for_work(self) -> None:
        timeout = self._live_line.draw() if self._live_line is not None else None
        if self._wakeup.wait(timeout):
            self._fail(self._stdout, BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)))
            self._release(0)

    def _write(self, descriptor: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest and not self._is_abandoned:
            try:
                rest = rest[os.write(descriptor, rest) :]
            except BlockingIOError:
                wait_writable(descriptor)
            except OSError as error:
                self._fail(descriptor, error)
                return

    def _fail(self, descriptor: int, error: OSError) -> None:
        with self._lock:
            self._dead.add(descriptor)
            if descriptor == self._stdout and self._failure is None:
                self._failure = error
            remaining = [entry for entry in self._queue if entry[0] != descriptor]
            self._size -= sum(len(data) for _, data in self._queue) - sum(len(data) for _, data in remaining)
            self._queue = deque(remaining)

    def _release(self, size: int) -> None:
        with self._lock:
            self._size -= size
            if not self._waiters:
                return
            ready = [waiter for waiter in self._waiters if waiter.is_met()]
            self._waiters = [waiter for waiter in self._waiters if waiter not in ready]
        for waiter in ready:
            with suppress(RuntimeError):  # The loop closed after it abandoned the writer.
                waiter.loop.call_soon_threadsafe(_resolve, waiter.future)


class WriterStream:
    """A text stream that writes to a writer's buffer."""

    def __init__(self, enqueue: Callable[[str], None]) -> None:
        self._enqueue = enqueue

    def write(self, text: str, /) -> None:
        """Queue text for writing."""
        self._enqueue(text)

    def flush(self) -> None:
        """Do nothing: the writer's thread writes as soon as it can."""


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _copy_error(error: OSError) -> OSError:
    return OSError(error.errno, error.strerror)


def encode(text: str) -> bytes:
    """Return text as UTF-8 bytes, with lone surrogates replaced."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _LONE_SURROGATES.sub("\ufffd", text).encode()
