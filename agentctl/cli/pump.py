"""Drives a run to its end and writes its rendered output to stdout and stderr, for as long as they are open."""

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
"""Seconds from a signal or timeout until a forced exit; cancelling, waiting and writing take three times `GRACE`."""


async def show_run(
    events: AsyncGenerator[RunEvent],
    show: Renderer,
    sink: Sink,
    cancellation: Cancellation,
    *,
    terminal: TerminalInfo,
    format: Format,
) -> RunFinished:
    """Render a run and return its last event; once cancelled, the run has `GRACE` seconds to end."""
    loop = asyncio.get_running_loop()
    pump = loop.create_task(_pump(events, show, sink, terminal, format))
    cancelled = loop.create_task(cancellation.cancelled.wait())
    pump.add_done_callback(_retrieve_exception)  # It may fail after this function has returned.
    broken = loop.create_task(sink.writer.wait_broken())
    try:
        await asyncio.wait({pump, cancelled, broken}, return_when=asyncio.FIRST_COMPLETED)
        if broken.done():
            cancellation.cancel(OutputClosed())
        if not pump.done():
            await asyncio.wait({pump}, timeout=GRACE)
        if not pump.done():
            assert cancellation.reason is not None
            return failed_before_start(cancellation.reason)
        return await pump
    except BrokenPipeError:
        return failed_before_start(OutputClosed())
    except OSError as error:
        return failed_before_start(OSError(error.errno, error.strerror, sink.name))
    finally:
        for task in (pump, cancelled, broken):
            task.cancel()


def _retrieve_exception(pump: asyncio.Task[RunFinished]) -> None:
    if not pump.cancelled():
        pump.exception()


def close_loop(loop: asyncio.AbstractEventLoop, invocation: Invocation, *, is_early: bool) -> None:
    """Close the event loop, and report abandoned threads; a run that ended early gives them `GRACE` seconds."""
    for name in wait_for_running(GRACE if is_early else 0):
        invocation.note(f"agentctl: abandoned: {name}")
    if is_early:
        # Other pending work (a DNS lookup, a task that ignores cancellation) is abandoned.
        invocation.has_abandoned_work = True
    else:
        loop.run_until_complete(_end_tasks())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _end_tasks() -> None:
    """Cancel the tasks that did not finish on their own, such as waiting for a server to close its connection."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=GRACE)


async def _pump(
    events: AsyncGenerator[RunEvent], show: Renderer, sink: Sink, terminal: TerminalInfo, format: Format
) -> RunFinished:
    """Feed every event to the renderer, and its chunks to the sink."""
    end = failed_before_start(RuntimeError("the run yielded no events"))
    async with contextlib.aclosing(events):
        async for event in events:
            for chunk in show.feed(event):
                await sink.write(chunk)
            if isinstance(event, ModelRequested) and event.turn == 1:
                # Import the modules of the renderer while waiting for the first token.
                threading.Thread(target=preload, args=(terminal, format), daemon=True).start()
            elif isinstance(event, RunFinished):
                end = event
    await sink.writer.drain()
    for chunk in show.close():
        await sink.write(chunk)
    await sink.writer.drain()
    return end
