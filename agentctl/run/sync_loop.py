"""The event loop of `Runner.run_sync`: the main thread keeps one, so that a client of the user's works in every run.

Such a client has connections, which are of the loop that they were opened in.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import os
import sys
import threading
import weakref
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_kept: dict[int, asyncio.Runner] = {}
"""By process: what a fork has from its parent is not used there."""


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine from code that is not async, and return what it gives."""
    if not _is_main_thread():
        return asyncio.run(work)  # Nobody would close the loop at the end of such a thread.
    process = os.getpid()
    if process not in _kept:
        _kept[process] = asyncio.Runner(loop_factory=asyncio.new_event_loop)
    return _kept[process].run(_tidy(work), context=contextvars.copy_context())


async def _tidy(work: Coroutine[Any, Any, T]) -> T:
    """Await work, then end the tasks and generators that it leaves behind, as the end of a loop would."""
    begun: weakref.WeakSet[AsyncGenerator[Any, Any]] = weakref.WeakSet()
    of_loop = sys.get_asyncgen_hooks().firstiter

    def begin(generator: AsyncGenerator[Any, Any]) -> None:
        begun.add(generator)
        if of_loop is not None:
            of_loop(generator)

    sys.set_asyncgen_hooks(firstiter=begin)
    try:
        return await work
    finally:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.gather(*(generator.aclose() for generator in list(begun)), return_exceptions=True)


def _close() -> None:
    runner = _kept.get(os.getpid())
    if runner is None or not _is_main_thread():
        return
    loop = runner.get_loop()
    if not loop.is_running():
        _kept.clear()
        loop.close()  # No more: each run was tidy, and the runner would begin a thread, which an exit does not let it.


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


atexit.register(_close)
if sys.platform != "win32":
    # The end of the child would take the loop away from its parent: the two share what it waits by.
    os.register_at_fork(before=_close)
