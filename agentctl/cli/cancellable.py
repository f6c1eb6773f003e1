"""A coroutine that a signal cancels and waits for, so that no child process is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from types import FrameType
from typing import Any, TypeVar

from .signals import exit_now, handle_signals, unwind, wake_on_signals

T = TypeVar("T")


def run_cancellable(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine; a first signal cancels it and unwinds the command, a second exits at once."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)
    signals: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        if signals:
            exit_now(number, frame)
        signals.append(number)
        loop.call_soon_threadsafe(task.cancel)

    handle_signals(on_signal)
    try:
        with wake_on_signals(loop), suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
    finally:
        handle_signals(unwind)
        loop.close()
    if signals:
        unwind(signals[0], None)
    return task.result()
