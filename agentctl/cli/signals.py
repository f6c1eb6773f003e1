"""Handlers of SIGINT, SIGTERM and SIGHUP: exit at once if there is nothing to clean up, or unwind the command."""

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


SIGNALS = (signal.SIGINT, signal.SIGTERM) if sys.platform == "win32" else (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that end a command."""


class Terminated(BaseException):
    """Raised by SIGTERM or SIGHUP outside a run."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def accepted_signals() -> list[signal.Signals]:
    """Return the signals to handle: all but those that the parent process has set to be ignored, as `nohup` does."""
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


def handle_signals(handler: Handler) -> None:
    """Install `handler` for the signals that are not ignored."""
    for number in accepted_signals():
        signal.signal(number, handler)


def exit_now(number: int, frame: FrameType | None) -> None:
    """Exit, and end child processes; for when there is nothing to clean up."""
    end_process(128 + number)


def end_process(code: int) -> NoReturn:
    """Exit without cleaning up, and end child processes."""
    kill_groups()
    kill_strays()
    os._exit(code)


def unwind(number: int, frame: FrameType | None) -> None:
    """Raise `KeyboardInterrupt` or `Terminated`, so that a command can clean up."""
    if _is_importing(frame):
        exit_now(number, frame)  # An import may swallow or replace an exception.
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)


def call_after(seconds: float, handler: Handler) -> None:
    """Call the handler after this many seconds, instead of any pending one; 0 only cancels the pending one.

    An alarm arrives even when the event loop is blocked, and a signal handler must not start a thread.
    """
    if sys.platform != "win32":
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, seconds)


@contextmanager
def wake_on_signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Wake the event loop for a signal that arrives just as it goes to sleep."""
    if sys.platform == "win32":
        yield
        return
    read_fd, write_fd = os.pipe()
    os.set_blocking(read_fd, False)
    os.set_blocking(write_fd, False)
    loop.add_reader(read_fd, os.read, read_fd, 4096)
    previous = signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous)
        loop.remove_reader(read_fd)
        os.close(read_fd)
        os.close(write_fd)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
