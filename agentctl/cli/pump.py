"""Reads a run to its end and carries what it shows to stdout and stderr, for as long as somebody takes it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator

from agentctl.agent.events import ModelRequested, RunEvent, RunFinished
from agentctl.errors import OutputClosed
from agentctl.launch.perform import GRACE, Cancellation, failed_before_start
from agentctl.render.chunks import Renderer
from agentctl.render.select import Format, preload
from agentctl.render.terminal_info import TerminalInfo
from agentctl.threads import wait_for_running

from .invocation import Invocation
from .sink import Sink

LAST_RESORT = 4 * GRACE
"""Seconds after a signal or the timeout until the process ends by force: cancelling, waiting and writing take three."""


async def watch(
    events: AsyncGenerator[RunEvent],
    show: Renderer,
    sink: Sink,
    stop: Cancellation,
    *,
    facts: TerminalInfo,
    format: Format,
) -> RunFinished:
    """Show a run and return its end; once it is to end early, it is waited for only as long as the grace allows."""
    loop = asyncio.get_running_loop()
    pump = loop.create_task(_pump(events, show, sink, facts, format))
    pressed = loop.create_task(stop.cancelled.wait())
    pump.add_done_callback(_heard)  # It may fail once nobody waits for it any more.
    broken = loop.create_task(sink.writer.wait_broken())
    try:
        await asyncio.wait({pump, pressed, broken}, return_when=asyncio.FIRST_COMPLETED)
        if broken.done():
            stop.cancel(OutputClosed())
        if not pump.done():
            await asyncio.wait({pump}, timeout=GRACE)
        if not pump.done():
            assert stop.reason is not None
            return failed_before_start(stop.reason)
        return await pump
    except BrokenPipeError:
        return failed_before_start(OutputClosed())
    except OSError as error:
        return failed_before_start(OSError(error.errno, error.strerror, sink.name))
    finally:
        for task in (pump, pressed, broken):
            task.cancel()


def _heard(pump: asyncio.Task[RunFinished]) -> None:
    if not pump.cancelled():
        pump.exception()


def leave(loop: asyncio.AbstractEventLoop, invocation: Invocation, *, is_early: bool) -> None:
    """Close the event loop; what still runs in threads is named and left behind, after some grace if it ended early."""
    for name in wait_for_running(GRACE if is_early else 0):
        invocation.note(f"agentctl: abandoned: {name}")
    if is_early:
        # Whatever else runs (a look-up of a host name, a task that takes no cancel) is left behind.
        invocation.leaves_work_behind = True
    else:
        loop.run_until_complete(_end_tasks())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _end_tasks() -> None:
    """End what was to end by itself and did not in time: a server that does not answer to a farewell, for instance."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=GRACE)


async def _pump(
    events: AsyncGenerator[RunEvent], show: Renderer, sink: Sink, facts: TerminalInfo, format: Format
) -> RunFinished:
    """Feed every event to the renderer, and what it gives to the sink."""
    end = failed_before_start(RuntimeError("the run gave no events"))
    async with contextlib.aclosing(events):
        async for event in events:
            for chunk in show.feed(event):
                await sink.take(chunk)
            if isinstance(event, ModelRequested) and event.turn == 1:
                # What the screen needs is imported while the first token is waited for.
                threading.Thread(target=preload, args=(facts, format), daemon=True).start()
            elif isinstance(event, RunFinished):
                end = event
    await sink.writer.drain()
    return end
