"""What `run` and `stream` do: read the prompt, launch the run, and carry what it shows to stdout and stderr."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING
from uuid import uuid4

from agentctl._dataclass import dataclass
from agentctl.agent.events import RunEvent, RunFinished
from agentctl.agent.wire import JSONValue
from agentctl.cli.approvals.options import Case, Wishes, can_ask
from agentctl.cli.approvals.policy import Decide
from agentctl.errors import OutputClosed, RunInterrupted, RunTimeoutError, exit_for
from agentctl.launch.job import Job, prepare
from agentctl.launch.perform import GRACE, Cancellation, close, failed_before_start, perform, preview, start_tracing
from agentctl.log import log_to
from agentctl.profile.load import load_settings
from agentctl.redaction import redact
from agentctl.render.select import Command, Format, renderer
from agentctl.render.terminal_info import detect_terminal
from agentctl.render.writer import encode
from agentctl.storage import write_atomic

from .invocation import Invocation
from .prompt import read_instructions, read_prompt
from .pump import LAST_RESORT, leave, watch
from .report import UsageError, report
from .session_options import Wanted, held_session, read_session
from .signals import call_in, end_process, leave_at_once, take_signals, woken_by_signals
from .sink import Sink, check_output, take_stdout

if TYPE_CHECKING:
    from agentctl.cli.approvals.resumption import Resumption
    from agentctl.profile.load import Loaded


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
    session: Wanted
    approvals: Wishes
    format: Format
    output: Path | None
    dry_run: bool
    """Whether the first request is only shown."""
    quiet: bool
    verbose: bool


class _Signalled(KeyboardInterrupt):
    """A signal arrived while nothing could be cancelled: stdin was read, or an agent imported."""


def run_job(order: Order, invocation: Invocation) -> int:
    """Run an agent as the command line says, show it, and return the exit code.

    Raises:
        UsageError: the command line is wrong.
    """
    invocation.verbose = order.verbose
    if order.output is not None:
        check_output(order.output)
    if order.approvals.ticket is not None:
        check_output(order.approvals.ticket, option="--ticket")
    if order.dry_run:
        if order.approvals.resume is not None:
            raise UsageError("--dry-run shows how a run begins, and --resume goes on with one: give one of them")
        return _show_request(order, invocation)
    loop = asyncio.new_event_loop()
    end = loop.run_until_complete(_Job(order, invocation, loop).play())
    leave(loop, invocation, is_early=isinstance(end.error, RunInterrupted | RunTimeoutError | OutputClosed))
    return exit_for(end.error).code


def _show_request(order: Order, invocation: Invocation) -> int:
    with contextlib.redirect_stdout(sys.stderr):
        session = read_session(order.session, invocation)
        job = replace(_prepared(order, invocation, is_interactive=False)[0], session=session)
        request = asyncio.run(preview(job))
        if session is not None:
            session.close()
    document = invocation.document({"request": request})
    if order.output is None:
        invocation.print(document)
    else:
        write_atomic(order.output, encode(f"{redact(document)}\n"))
    return 0


def _prepared(
    order: Order, invocation: Invocation, *, is_interactive: bool, resumption: Resumption | None = None
) -> tuple[Job, Loaded]:
    loaded = load_settings(
        order.flags, environ=invocation.environ, config=invocation.config, profile=invocation.profile
    )
    needs_prompt = resumption is None or order.prompt is not None or order.also_stdin
    timeout = loaded.settings.timeout
    prompt = read_prompt(order.prompt, also_stdin=order.also_stdin, timeout=timeout) if needs_prompt else ""
    if resumption is not None:
        resumption.check_code(loaded)
    job = prepare(
        prompt,
        loaded,
        instructions=read_instructions(order.instructions),
        environ=invocation.environ,
        is_interactive=is_interactive,
    )
    return job, loaded


class _Job:
    """One run on its way to stdout and stderr, and the ways to end it early."""

    def __init__(self, order: Order, invocation: Invocation, loop: asyncio.AbstractEventLoop) -> None:
        self._order = order
        self._invocation = invocation
        self._loop = loop
        self._stop = Cancellation()
        self._is_signalled = False
        self._is_preparing = False
        self._stdout = take_stdout()
        facts = detect_terminal(invocation.color, invocation.environ, stdout=self._stdout)
        to_file = order.output is not None
        self._facts = replace(facts, stdout_is_terminal=False, color_stdout=False) if to_file else facts

    async def play(self) -> RunFinished:
        """Launch the run, show all of it, and return its end."""
        take_signals(self._signalled)
        try:
            with woken_by_signals(self._loop):
                return await self._play()
        finally:
            call_in(0, leave_at_once)
            take_signals(leave_at_once)

    async def _play(self) -> RunFinished:
        order = self._order
        sink = Sink(
            order.output,
            stdout=self._stdout,
            is_live=order.format == "jsonl",
            shows_status=self._facts.live and not order.quiet,
        )
        if order.verbose:
            log_to(sink.writer.log_stream(to_stdout=order.format == "text" and order.output is None))
        try:
            with contextlib.redirect_stdout(sys.stderr):
                end = await self._watched(sink)
            try:
                sink.keep(end, always=order.format == "json")
            except OSError as error:
                end = failed_before_start(OSError(error.errno, error.strerror, str(order.output)))
        finally:
            is_written = await sink.close(GRACE)
            self._invocation.leaves_work_behind |= not is_written
            if order.verbose:
                log_to(sys.stderr)  # What is still to be said when the process ends.
        if end.error is not None and not isinstance(end.error, OutputClosed):
            self._invocation.complain(report(end.error, verbose=order.verbose))
        if isinstance(end.error, RunInterrupted) and end.session_id is not None:
            self._invocation.complain(
                f"the session is kept: `agentctl {order.command} --session {end.session_id}` goes on from here\n"
            )
        return end

    async def _watched(self, sink: Sink) -> RunFinished:
        order = self._order
        show = renderer(
            command=order.command,
            format=order.format,
            terminal=self._facts,
            quiet=order.quiet,
            run_id=f"run_{uuid4().hex}",
        )
        return await watch(self._events(sink), show, sink, self._stop, facts=self._facts, format=order.format)

    async def _events(self, sink: Sink) -> AsyncGenerator[RunEvent]:
        with contextlib.ExitStack() as held:
            async with contextlib.aclosing(self._events_of_run(sink, held)) as events:
                async for event in events:
                    yield event

    async def _events_of_run(self, sink: Sink, held: contextlib.ExitStack) -> AsyncGenerator[RunEvent]:
        try:
            job = await self._begun(sink, held)
            start_tracing(job)
        except UsageError:
            raise
        except KeyboardInterrupt:  # Of the agent's own making.
            yield failed_before_start(RunInterrupted(signal.SIGINT))
        except Exception as error:
            yield failed_before_start(self._stop.reason or error)
        else:
            if job.timeout is not None:
                self._leave_in(job.timeout + LAST_RESORT, exit_for(RunTimeoutError(job.timeout)).code)
            try:
                async with contextlib.aclosing(perform(job, self._stop)) as events:
                    async for event in events:
                        yield event
            finally:
                await close(job)

    async def _begun(self, sink: Sink, held: contextlib.ExitStack) -> Job:
        """Return the job, ready to be performed, and who decides about its calls."""
        order, resumption = self._order, None
        if order.approvals.resume is not None:
            # 20 ms that only a run that goes on pays.
            from agentctl.cli.approvals.resumption import Resumption

            resumption = Resumption.of(order.approvals.resume, order, self._invocation)
            order = resumption.order
        session = held.enter_context(held_session(order.session, self._invocation))
        job, loaded = self._prepared(order, resumption)
        job = replace(job, session=session)
        if resumption is not None:
            job = await resumption.taken_up(job, loaded)
        may_ask = order.approvals.may_ask and can_ask()
        case = Case(
            wishes=order.approvals,
            loaded=loaded,
            job=job,
            invocation=self._invocation,
            instructions=read_instructions(order.instructions),
            session=None if session is None else session.session_id,
            show=sink.show if may_ask else None,
            ticket=None if resumption is None else resumption.ticket,
        )
        return replace(job, decide=Decide(case))

    def _prepared(self, order: Order, resumption: Resumption | None) -> tuple[Job, Loaded]:
        self._is_preparing = True
        try:
            is_interactive = self._facts.stdout_is_terminal
            return _prepared(order, self._invocation, is_interactive=is_interactive, resumption=resumption)
        except _Signalled as signalled:
            assert self._stop.reason is not None
            raise self._stop.reason from signalled
        finally:
            self._is_preparing = False

    def _leave_in(self, seconds: float, code: int) -> None:
        """End the process after so many seconds, even if some code holds up the event loop."""

        def leave(number: int, frame: FrameType | None) -> None:
            self._invocation.complain("agentctl: ended by force: an async tool holds everything up\n")
            end_process(code)

        call_in(seconds, leave)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        """End the run cleanly at the first signal, and the process at the second, or if the first cannot."""
        if self._is_signalled or self._stop.reason is not None:
            leave_at_once(number, frame)
        self._is_signalled = True
        self._leave_in(LAST_RESORT, 128 + number)
        reason = RunInterrupted(number)
        if self._is_preparing:
            self._stop.cancel(reason)
            raise _Signalled
        self._loop.call_soon_threadsafe(self._stop.cancel, reason)
