"""What `run` and `stream` do: read the prompt, launch the run, and carry what it shows to stdout and stderr."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from uuid import uuid4

from agentctl.agent.events import ModelRequested, RunEvent, RunFinished
from agentctl.agent.wire import JSONValue
from agentctl.errors import OutputClosed, RunInterrupted, RunTimeoutError, exit_for
from agentctl.launch import GRACE, Job, Stop, not_begun, perform, prepare, preview
from agentctl.log import log_to
from agentctl.profile.load import load_settings
from agentctl.redaction import redact
from agentctl.render.facts import terminal_facts
from agentctl.render.select import Command, Format, preload, renderer
from agentctl.render.writer import encode
from agentctl.storage import write_atomic
from agentctl.threads import wait_for_running

from .invocation import Invocation
from .prompt import read_instructions, read_prompt
from .report import report
from .sink import Sink, check_output
from .usage import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the command line asks for."""

    command: Command
    prompt: str | None
    """As it was typed: a text, `-`, or nothing."""
    also_stdin: bool
    instructions: str | None
    """A text, or `@FILE`."""
    flags: dict[str, JSONValue]
    """Settings by dotted key."""
    format: Format
    output: Path | None
    dry_run: bool
    """Whether the first request is only shown."""
    quiet: bool
    verbose: bool


class _Signalled(KeyboardInterrupt):
    """A signal arrived while nothing could be cancelled: stdin was read, or an agent imported."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def run_job(order: Order, invocation: Invocation) -> int:
    """Run an agent as the command line says, show it, and return the exit code.

    Raises:
        UsageError: the command line is wrong.
    """
    invocation.verbose = order.verbose
    if order.output is not None:
        check_output(order.output)
    if order.dry_run:
        return _show_request(order, invocation)
    loop = asyncio.new_event_loop()
    end = loop.run_until_complete(_Job(order, invocation, loop).play())
    if isinstance(end.error, RunInterrupted | RunTimeoutError | OutputClosed):
        for name in wait_for_running(GRACE):
            invocation.note(f"agentctl: abandoned: {name}")
        # Whatever else runs (a look-up of a host name, a task that takes no cancel) is left behind.
        invocation.leaves_work_behind = True
    else:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
    return exit_for(end.error).code


def _show_request(order: Order, invocation: Invocation) -> int:
    with contextlib.redirect_stdout(sys.stderr):
        request = asyncio.run(preview(_prepared(order, invocation, is_interactive=False)))
    document = invocation.document({"request": request})
    if order.output is None:
        invocation.print(document)
    else:
        write_atomic(order.output, encode(f"{redact(document)}\n"))
    return 0


def _prepared(order: Order, invocation: Invocation, *, is_interactive: bool) -> Job:
    loaded = load_settings(order.flags, environ=invocation.environ, config=invocation.config)
    return prepare(
        read_prompt(order.prompt, also_stdin=order.also_stdin, timeout=loaded.settings.timeout),
        loaded,
        instructions=read_instructions(order.instructions),
        environ=invocation.environ,
        is_interactive=is_interactive,
    )


class _Job:
    """One run on its way to stdout and stderr, and the ways to end it early."""

    def __init__(self, order: Order, invocation: Invocation, loop: asyncio.AbstractEventLoop) -> None:
        self._order = order
        self._invocation = invocation
        self._loop = loop
        self._stop = Stop()
        self._can_be_cancelled = False
        facts = terminal_facts(invocation.color, invocation.environ)
        to_file = order.output is not None
        self._facts = replace(facts, stdout_is_terminal=False, color_stdout=False) if to_file else facts

    async def play(self) -> RunFinished:
        """Launch the run, show all of it, and return its end."""
        order = self._order
        sink = Sink(
            order.output,
            is_live=order.format == "jsonl",
            shows_status=self._facts.live and not order.quiet,
        )
        if order.verbose:
            log_to(sink.writer.log_stream(to_stdout=order.format == "text" and order.output is None))
        try:
            with self._signals(), contextlib.redirect_stdout(sys.stderr):
                end = await self._watch(sink)
                try:
                    sink.keep(end, always=order.format == "json")
                except OSError as error:
                    end = not_begun(error)
        finally:
            is_written = await sink.close(GRACE)
            self._invocation.leaves_work_behind |= not is_written
        if end.error is not None and not isinstance(end.error, OutputClosed):
            self._invocation.complain(report(end.error, verbose=order.verbose))
        return end

    async def _watch(self, sink: Sink) -> RunFinished:
        """Read the run to its end; once it is to end early, only for as long as the grace allows."""
        pump = self._loop.create_task(self._pump(sink))
        pressed = self._loop.create_task(self._stop.pressed.wait())
        broken = self._loop.create_task(sink.writer.broken())
        try:
            await asyncio.wait({pump, pressed, broken}, return_when=asyncio.FIRST_COMPLETED)
            if broken.done():
                self._stop.press(OutputClosed())
            if not pump.done():
                await asyncio.wait({pump}, timeout=GRACE)
            if not pump.done():
                assert self._stop.reason is not None
                return not_begun(self._stop.reason)
            return await pump
        except BrokenPipeError:
            return not_begun(OutputClosed())
        except OSError as error:
            return not_begun(OSError(error.errno, error.strerror, "stdout"))
        finally:
            for task in (pump, pressed, broken):
                task.cancel()

    async def _pump(self, sink: Sink) -> RunFinished:
        """Feed every event to the renderer, and what it gives to the sink."""
        order = self._order
        show = renderer(
            command=order.command,
            format=order.format,
            facts=self._facts,
            quiet=order.quiet,
            run_id=f"run_{uuid4().hex}",
        )
        end = not_begun(RuntimeError("the run gave no events"))
        async with contextlib.aclosing(self._events()) as events:
            async for event in events:
                for chunk in show.feed(event):
                    await sink.take(chunk)
                if isinstance(event, ModelRequested) and event.turn == 1:
                    self._preload()
                elif isinstance(event, RunFinished):
                    end = event
        await sink.writer.drain()
        return end

    def _preload(self) -> None:
        """Import what the screen needs while the first token is waited for."""
        threading.Thread(target=preload, args=(self._facts, self._order.format), daemon=True).start()

    async def _events(self) -> AsyncGenerator[RunEvent]:
        order = self._order
        try:
            job = _prepared(order, self._invocation, is_interactive=self._facts.stdout_is_terminal)
            self._can_be_cancelled = True
        except UsageError:
            raise
        except _Signalled as signalled:
            yield not_begun(RunInterrupted(signalled.number))
        except Exception as error:
            yield not_begun(error)
        else:
            async with contextlib.aclosing(perform(job, self._stop)) as events:
                async for event in events:
                    yield event

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """End the run cleanly at the first SIGINT or SIGTERM, and the process at the second."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._signalled)
        try:
            with self._woken_by_signals():
                yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def _woken_by_signals(self) -> Iterator[None]:
        """Wake the event loop for a signal that arrives just as it goes to sleep, which nothing else would."""
        if sys.platform == "win32":
            yield
            return
        bell, rope = os.pipe()
        os.set_blocking(bell, False)
        os.set_blocking(rope, False)
        self._loop.add_reader(bell, os.read, bell, 4096)
        before = signal.set_wakeup_fd(rope, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            self._loop.remove_reader(bell)
            os.close(bell)
            os.close(rope)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if self._stop.reason is not None:
            os._exit(128 + number)
        reason = RunInterrupted(number)
        if not self._can_be_cancelled:
            self._stop.press(reason)
            raise _Signalled(number)
        self._loop.call_soon_threadsafe(self._stop.press, reason)
