"""The writer: one thread that owns stdout and stderr behind a bounded buffer; the event loop never waits for them.

A full buffer (a paused terminal, a pipe that nobody reads) suspends whoever writes. The thread may be stuck in a write
for good; it is a daemon, so the process can leave without it.
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

from .escape import escape
from .live_line import LiveLine
from .wakeup import Alarm, wait_writable

CAPACITY = 1 << 20
"""Bytes that may wait to be written before a writer is suspended."""

LARGEST_WRITE = 1 << 16
"""Bytes up to which what waits for one stream is joined into one write."""

_HALF_CHARACTERS = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Waiter:
    holds: Callable[[], bool]
    """What is waited for; asked under the lock."""
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


class Writer:
    """Writes text to two file descriptors, in the order it was given.

    Raises from `out` and `drain`:
        BrokenPipeError: the reader of stdout went away; so do all later calls.
        OSError: stdout cannot be written (a full disk); so do all later calls.
    What goes wrong on stderr is nobody's to hear: the text is dropped.
    """

    def __init__(self, *, stdout: int = 1, stderr: int = 2, capacity: int = CAPACITY, live: bool = False) -> None:
        """Start the thread; `live` says that stderr is a terminal that may show a live line."""
        self._stdout = stdout
        self._stderr = stderr
        self._capacity = capacity
        self._live_line = LiveLine(stderr) if live else None
        self._alarm = Alarm(watched=stdout)
        self._lock = threading.Lock()
        self._queue: deque[tuple[int, bytes]] = deque()
        self._size = 0
        """Bytes in the queue and in the write under way."""
        self._failure: OSError | None = None
        self._dead: set[int] = set()
        """Descriptors that cannot be written any more."""
        self._waiters: list[_Waiter] = []
        self._is_idle = False
        self._is_closing = False
        self._is_abandoned = False
        self._has_ended = False
        threading.Thread(target=self._run, name="agentctl writer", daemon=True).start()

    async def out(self, text: str) -> None:
        """Write to stdout, as it is; returns at once while there is room."""
        if self._size >= self._capacity:
            await self._until(self._has_room)
        if self._failure is not None:
            raise _again(self._failure)
        self._put(self._stdout, encode(text))

    async def err(self, text: str) -> None:
        """Write to stderr, secrets replaced; returns at once while there is room."""
        if self._size >= self._capacity:
            await self._until(self._has_room)
        self._put(self._stderr, encode(redact(text)))

    def log_stream(self, *, to_stdout: bool) -> LogStream:
        """Return a stream for log records, which cannot wait: what it is given is taken whatever the room."""
        return LogStream(lambda text: self._put(self._stdout if to_stdout else self._stderr, encode(escape(text))))

    def status(self, text: str | None) -> None:
        """Show a live line whenever there is nothing to write, until the next call; None takes it away."""
        if self._live_line is not None and not self._has_ended:
            self._live_line.text = None if text is None else redact(text)
            self._alarm.ring()

    async def broken(self) -> None:
        """Return once stdout cannot be written any more: its reader went away, even if nothing was written since."""
        await self._until(lambda: self._failure is not None)

    async def drain(self) -> None:
        """Return once all that was given is written."""
        await self._until(lambda: self._size == 0)
        if self._failure is not None:
            raise _again(self._failure)

    async def aclose(self, timeout: float = 2.0) -> bool:
        """Write what is left, for at most `timeout` seconds, and end the thread; return whether all was written."""
        with self._lock:
            self._is_closing = True
        self._ring()
        try:
            async with asyncio.timeout(timeout):
                await self._until(lambda: self._has_ended)
        except TimeoutError:
            self._is_abandoned = True
            return False
        self._alarm.close()
        return self._failure is None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def _has_room(self) -> bool:
        return self._size <= self._capacity // 2

    def _put(self, descriptor: int, data: bytes) -> None:
        with self._lock:
            if not data or descriptor in self._dead:
                return
            self._queue.append((descriptor, data))
            self._size += len(data)
            was_idle, self._is_idle = self._is_idle, False
        if was_idle:
            self._ring_soon()

    def _ring_soon(self) -> None:
        """Wake the thread once what the event loop has at hand is given, so that it is written in few pieces."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._ring()
        else:
            loop.call_soon(self._ring)

    def _ring(self) -> None:
        if not self._has_ended:
            self._alarm.ring()

    async def _until(self, holds: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        waiter = _Waiter(holds=holds, loop=loop, future=loop.create_future())
        with self._lock:
            if holds():
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
            descriptor, data = self._take()
            if data:
                if self._live_line is not None:
                    self._live_line.give_way(data)
                self._write(descriptor, data)
                self._written(len(data))
            elif self._is_closing:
                break
            else:
                self._rest()
        if self._live_line is not None:
            self._live_line.erase()
        self._has_ended = True
        self._written(0)

    def _take(self) -> tuple[int, bytes]:
        """Return what is next for one stream, joined; nothing where the queue is empty."""
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

    def _rest(self) -> None:
        timeout = self._live_line.draw() if self._live_line is not None else None
        if self._alarm.wait(timeout):
            self._fail(self._stdout, BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)))
            self._written(0)

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
            kept = [entry for entry in self._queue if entry[0] != descriptor]
            self._size -= sum(len(data) for _, data in self._queue) - sum(len(data) for _, data in kept)
            self._queue = deque(kept)

    def _written(self, size: int) -> None:
        with self._lock:
            self._size -= size
            if not self._waiters:
                return
            served = [waiter for waiter in self._waiters if waiter.holds()]
            self._waiters = [waiter for waiter in self._waiters if waiter not in served]
        for waiter in served:
            with suppress(RuntimeError):  # The loop closed after it gave up on the writer.
                waiter.loop.call_soon_threadsafe(_settle, waiter.future)


class LogStream:
    """A text stream over the buffer of a writer."""

    def __init__(self, put: Callable[[str], None]) -> None:
        self._put = put

    def write(self, text: str, /) -> None:
        """Take a text to be written in its turn."""
        self._put(text)

    def flush(self) -> None:
        """Do nothing: the writer's thread is always at it."""


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _again(error: OSError) -> OSError:
    return OSError(error.errno, error.strerror)


def encode(text: str) -> bytes:
    """Return a text as UTF-8, half characters replaced."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _HALF_CHARACTERS.sub("\ufffd", text).encode()
