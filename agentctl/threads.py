"""Work that cannot be cancelled, on daemon threads of ours: it may be abandoned, and never keeps the process alive."""

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_running: list[threading.Thread] = []


async def in_daemon_thread(work: Callable[[], T], *, name: str) -> T:
    """Run `work` in a daemon thread, in the caller's context, and return its result.

    Cancelling the caller abandons the thread: it runs on, its result is dropped, and the exit of the process ends it.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: T | None, error: BaseException | None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type]

    def body() -> None:
        value: T | None = None
        error: BaseException | None = None
        try:
            value = context.run(work)
        except BaseException as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(settle, value, error)
        except RuntimeError:
            pass  # The loop closed after the caller gave up on this thread.

        finally:
            _running.remove(thread)

    thread = threading.Thread(target=body, name=name, daemon=True)
    _running.append(thread)
    thread.start()
    return await result


def wait_for_running(seconds: float) -> list[str]:
    """Give the threads that still run a little time, then return the names of those that are abandoned."""
    deadline = time.monotonic() + seconds
    for thread in list(_running):
        thread.join(max(0, deadline - time.monotonic()))
    return [thread.name for thread in list(_running)]
