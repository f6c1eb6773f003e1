"""Work that cannot be cancelled, on daemon threads of ours: it may be abandoned, and never keeps the process alive."""

import asyncio
import contextvars
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import field
from queue import SimpleQueue
from typing import TypeVar

from agentctl._dataclass import dataclass

T = TypeVar("T")

_MAX_IDLE = 8
"""How many threads wait for further work: starting one costs more than all else of a short tool call."""


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """Work to be done on a thread, in the caller's context."""

    name: str
    do: Callable[[], None]
    deliver: Callable[[], None]
    """Hands over what came of it."""
    is_done: threading.Event = field(default_factory=threading.Event)


_running: list[_Work] = []
_idle: list[SimpleQueue[_Work]] = []
"""Where each thread that waits takes its work from."""

if sys.platform != "win32":
    os.register_at_fork(after_in_child=_idle.clear)  # The threads stayed behind.


async def in_daemon_thread(work: Callable[[], T], *, name: str) -> T:
    """Run `work` in a daemon thread, in the caller's context, and return its result.

    Cancelling the caller abandons the work: it runs on, its result is dropped, and the exit of the process ends it.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()
    value: T
    error: BaseException | None = None

    def do() -> None:
        nonlocal value, error
        try:
            value = context.run(work)
        except StopIteration as raised:  # Which no future takes.
            error = RuntimeError(f"{name} raised StopIteration")
            error.__cause__ = raised
        except BaseException as raised:
            error = raised

    def settle() -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)

    def deliver() -> None:
        with suppress(RuntimeError):  # The loop closed after the caller gave up on this work.
            loop.call_soon_threadsafe(settle)

    _submit(_Work(name, do, deliver))
    return await result


def wait_for_running(seconds: float) -> list[str]:
    """Give the work that still runs a little time, then return the names of what is abandoned."""
    deadline = time.monotonic() + seconds
    for work in list(_running):
        work.is_done.wait(max(0, deadline - time.monotonic()))
    return [work.name for work in list(_running)]


def _submit(work: _Work) -> None:
    try:
        queue = _idle.pop()
    except IndexError:
        queue = SimpleQueue()
        threading.Thread(target=_take_work, args=(queue,), name=work.name, daemon=True).start()
    _running.append(work)
    queue.put(work)


def _take_work(queue: SimpleQueue[_Work]) -> None:
    thread = threading.current_thread()
    stays_idle = True
    while stays_idle:
        work = queue.get()
        thread.name = work.name
        work.do()
        _running.remove(work)
        work.is_done.set()
        # Before the result is told: who awaits it may have more work at once.
        stays_idle = len(_idle) < _MAX_IDLE
        if stays_idle:
            _idle.append(queue)
        work.deliver()
        del work
