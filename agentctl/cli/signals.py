"""What SIGINT and SIGTERM do: end the process at once where there is nothing to tidy up, else unwind the command."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from agentctl.child_groups import kill_groups, kill_strays

if TYPE_CHECKING:
    import asyncio

Handler: TypeAlias = Callable[[int, FrameType | None], None]


class Terminated(BaseException):
    """SIGTERM arrived outside a run."""


def take_signals(handler: Handler) -> None:
    """Let `handler` take both signals, except one that our parent told us to ignore."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def leave_at_once(number: int, frame: FrameType | None) -> None:
    """End the process, and what it started: nothing else of ours is under way."""
    end_process(128 + number)


def end_process(code: int) -> NoReturn:
    """End the process as it is, and what it started."""
    kill_groups()
    kill_strays()
    os._exit(code)


def unwind(number: int, frame: FrameType | None) -> None:
    """Raise, so that a command leaves nothing half done behind."""
    if _is_importing(frame):
        leave_at_once(number, frame)  # An import may lose what is raised in it, or raise something else instead.
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated


def call_in(seconds: float, handler: Handler) -> None:
    """Call the handler after so many seconds, in place of one that waits already; after 0 seconds, call none.

    An alarm, since it also comes where the event loop is held up, and a signal's handler must not start a thread.
    """
    if sys.platform != "win32":
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, seconds)


@contextmanager
def woken_by_signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Wake the event loop for a signal that arrives just as it goes to sleep, which nothing else would."""
    if sys.platform == "win32":
        yield
        return
    bell, rope = os.pipe()
    os.set_blocking(bell, False)
    os.set_blocking(rope, False)
    loop.add_reader(bell, os.read, bell, 4096)
    before = signal.set_wakeup_fd(rope, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        loop.remove_reader(bell)
        os.close(bell)
        os.close(rope)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
