"""Work that a signal cancels and then waits for, so that no program that it started stays behind."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from types import FrameType
from typing import Any, TypeVar

from .signals import leave_at_once, take_signals, unwind, woken_by_signals

T = TypeVar("T")


def run_cancellable(work: Coroutine[Any, Any, T]) -> T:
    """Return what comes of the work; the first signal cancels it and unwinds the command, the second leaves at once."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)
    signals: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        if signals:
            leave_at_once(number, frame)
        signals.append(number)
        loop.call_soon_threadsafe(task.cancel)

    take_signals(end)
    try:
        with woken_by_signals(loop), suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
    finally:
        take_signals(unwind)
        loop.close()
    if signals:
        unwind(signals[0], None)
    return task.result()
