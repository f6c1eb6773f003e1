"""Daemon threads for work that cannot be cancelled: it may be abandoned, and never keeps the process alive."""

import asyncio
import contextvars
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from types import TracebackType
from typing import ParamSpec, TypeVar

from agentctl._dataclass import dataclass

T = TypeVar("T")
P = ParamSpec("P")

_MAX_IDLE = 8
"""The number of idle threads kept: starting one is the largest cost of a short tool call."""
_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """Work for a thread, in the caller's context."""

    name: str
    do: Callable[[], None]
    deliver: Callable[[], None]
    """Pass the result to the caller's event loop."""


_running: list[_Work] = []
_idle: list[SimpleQueue[_Work]] = []
"""The queue of each idle thread."""

if sys.platform != "win32":
    os.register_at_fork(after_in_child=_idle.clear)  # The threads do not exist in the child.


async def in_daemon_thread(work: Callable[[], T], *, name: str) -> T:
    """Run `work` in a daemon thread, in the caller's context, and return its result.

    Cancelling the caller abandons the work: it keeps running, its result is dropped, and it ends with the process.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()
    value: T
    error: BaseException | None = None

    def do() -> None:
        nonlocal value, error
        process = os.getpid()
        try:
            value = context.run(work)
        except (KeyboardInterrupt, SystemExit) as raised:
            error = exit_failure(raised, name)
            error.__cause__ = raised
        except StopIteration as raised:  # A future rejects it.
            error = RuntimeError(f"{name} raised StopIteration")
            error.__cause__ = raised
        except BaseException as raised:
            error = raised
        end_fork(process, name)

    def settle() -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)

    def deliver() -> None:
        with suppress(RuntimeError):  # The loop was closed after the caller abandoned this work.
            loop.call_soon_threadsafe(settle)

    _submit(_Work(name, do, deliver))
    return await result


class ExitGuard:
    """Context of code of the user: if it tries to end the process, or forks and returns, it fails by its name."""

    __slots__ = ("_name", "_process")

    def __init__(self, name: str) -> None:
        self._name = name
        self._process = os.getpid()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        end_fork(self._process, self._name)
        if isinstance(error, KeyboardInterrupt | SystemExit) and not is_interrupted_by_user(error):
            raise exit_failure(error, self._name) from error


async def guard_exit(name: str, work: Callable[P, Awaitable[T]], *arguments: P.args, **named: P.kwargs) -> T:
    """Return the result of work that is a task of its own, where `SystemExit` would stop the event loop."""
    with ExitGuard(name):
        return await work(*arguments, **named)


def run_apart(work: Coroutine[object, object, T], *, name: str) -> T:
    """Run a coroutine in an event loop and a daemon thread of its own, and return its result."""
    result: Future[T] = Future()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            result.set_result(context.run(asyncio.run, work))
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return result.result()


def exit_failure(error: KeyboardInterrupt | SystemExit, name: str) -> RuntimeError:
    """Return the failure of code that tried to end the process: raised in an event loop, the original would stop it."""
    return RuntimeError(f"{name} {describe_exit(error)}")


def describe_exit(error: KeyboardInterrupt | SystemExit) -> str:
    """Return what code did that tried to end the process."""
    if isinstance(error, SystemExit):
        return f"called exit({'' if error.code is None else error.code})"
    return "raised KeyboardInterrupt"


def is_interrupted_by_user(error: KeyboardInterrupt | SystemExit) -> bool:
    """Return whether Ctrl-C may have raised an exception, since Python's own handler of SIGINT is installed."""
    is_default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return isinstance(error, KeyboardInterrupt) and is_default


def end_fork(process: int, name: str) -> None:
    """Exit if this is no longer `process` but a copy that the named code made with `os.fork` and returned in.

    The copy would otherwise go on with the run of its parent, or keep its output open.
    """
    if os.getpid() != process:
        with suppress(OSError):
            message = f"agentctl: {name} returned in a process that it forked, which is ended; call os._exit there\n"
            os.write(2, message.encode())
        os._exit(1)


def wait_for_running(seconds: float) -> list[str]:
    """Wait up to `seconds` for the work that still runs, and return the names of what is left."""
    deadline, started = time.monotonic() + seconds, list(_running)
    # An event for each call, to be told of its end, takes as long as a small tool.
    while any(work in started for work in list(_running)) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
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
        # Before the result is delivered: the caller may submit more work at once.
        stays_idle = len(_idle) < _MAX_IDLE
        if stays_idle:
            _idle.append(queue)
        work.deliver()
        del work
