"""The work of `run` and `stream`: read the prompt, start the run, and write its output to stdout and stderr."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING
from uuid import uuid4

from agentctl._dataclass import dataclass
from agentctl.agent.events import RunEvent, RunFinished
from agentctl.agent.tape import use_tape
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.cli.approvals.options import ApprovalContext, ApprovalOptions, can_ask
from agentctl.cli.approvals.policy import ApprovalHandler
from agentctl.errors import OptionError, OutputClosed, RunInterrupted, RunTimeoutError, exit_for
from agentctl.launch.job import Job, noting_causes, prepare
from agentctl.launch.perform import GRACE, Cancellation, close, failed_before_start, perform, preview, start_tracing
from agentctl.log import log_to
from agentctl.prices.cost import FREE, Cost, cost_of
from agentctl.profile.load import load_settings
from agentctl.redaction import redact_text
from agentctl.render.select import Command, Format, renderer
from agentctl.render.terminal_info import detect_terminal
from agentctl.render.writer import encode
from agentctl.storage import write_atomic

from .ephemeral import check_ephemeral, check_no_tickets
from .invocation import Invocation
from .prompt import check_stdin, read_prompt
from .pump import LAST_RESORT, close_loop, show_run
from .report import UsageError, report
from .session_options import SessionOptions, lock_session, read_session
from .signals import call_after, end_process, exit_now, handle_signals, wake_on_signals
from .sink import Sink, check_output, check_stdout, take_stdout

if TYPE_CHECKING:
    from agentctl.agent.usage import Usage
    from agentctl.cli.approvals.resumption import Resumption
    from agentctl.launch.cassette import CassetteOptions
    from agentctl.launch.trace_store import TraceStore
    from agentctl.prices.prices import Prices
    from agentctl.profile.load import Loaded
    from agentctl.render.reports.write import ReportOption

    from .run_reports import RunReports


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of `run` and `stream`."""

    command: Command
    prompt: str | None
    """The argument: a text, `-` or None."""
    also_stdin: bool
    allow_empty: bool
    """Whether stdin may be empty with `also_stdin`."""
    instructions: str | None
    files: tuple[str, ...]
    """The values of `--file`."""
    variables: dict[str, str]
    """The variables of `--var`, by name."""
    mcp_config: tuple[Path, ...]
    """The files of `--mcp-config`."""
    output_schema: str | None
    """A file, `-`, a JSON Schema, or a reference to a class."""
    is_ephemeral: bool
    """Whether the run leaves no trace, session or ticket."""
    flags: dict[str, JSONValue]
    """Settings by dotted key."""
    session: SessionOptions
    approvals: ApprovalOptions
    format: Format
    output: Path | None
    cassette: CassetteOptions | None
    """The cassette to record or to replay, if any."""
    reports: tuple[ReportOption, ...]
    """The values of `--report`."""
    dry_run: bool
    """Whether to print the first request instead of sending it."""
    quiet: bool
    verbose: bool


class _SignalReceived(KeyboardInterrupt):
    """A signal arrived while stdin was read or an agent was imported, when no task can be cancelled."""


def run_job(options: RunOptions, invocation: Invocation) -> int:
    """Run an agent, write its output, and return the exit code.

    Raises:
        UsageError: the options contradict each other, or there is no prompt.
    """
    invocation.verbose = options.verbose
    if options.allow_empty and not options.also_stdin:
        raise UsageError("--allow-empty applies to --stdin, which is not given")
    check_stdin(options.prompt, also_stdin=options.also_stdin, files=options.files, output_schema=options.output_schema)
    if options.is_ephemeral:
        check_ephemeral(options.session, options.approvals)
    if options.output is None:
        check_stdout()
    else:
        check_output(options.output)
    if options.approvals.ticket is not None:
        check_output(options.approvals.ticket, option="--ticket")
    if options.cassette is not None:
        _check_cassette(options.cassette, options)
    if options.reports:
        # 1 ms, needed only for a report.
        from .run_reports import check_reports

        check_reports(options)
    if options.dry_run:
        if options.approvals.resume is not None:
            raise UsageError("--dry-run prints the first request of a new run; it cannot be combined with --resume")
        return _show_request(options, invocation)
    loop = asyncio.new_event_loop()
    command = RunCommand(options, invocation, loop)
    try:
        end = loop.run_until_complete(command.run())
    except UsageError as error:
        _note_unchanged(options, invocation)
        command.write_reports(failed_before_start(OptionError(str(error))))
        raise
    close_loop(loop, invocation, is_early=isinstance(end.error, RunInterrupted | RunTimeoutError | OutputClosed))
    return exit_for(end.error).code


def _check_cassette(cassette: CassetteOptions, options: RunOptions) -> None:
    """Check that the cassette can be combined with the other options, before anything is read or sent.

    Raises:
        UsageError: it cannot.
    """
    option = "--record" if cassette.record is not None else "--replay"
    if options.approvals.resume is not None:
        raise UsageError(f"{option} is for a whole run; it cannot be combined with --resume")
    if options.dry_run:
        raise UsageError(f"--dry-run sends no request; it cannot be combined with {option}")
    if cassette.record is not None:
        check_output(cassette.record, option="--record")


def _note_unchanged(options: RunOptions, invocation: Invocation) -> None:
    """Note that the file of a run that failed has what an earlier run wrote."""
    if options.output is not None and options.format != "jsonl" and options.output.is_file() and not options.quiet:
        invocation.note(f"note: {options.output} was not changed; it has the output of an earlier run")


def _show_request(options: RunOptions, invocation: Invocation) -> int:
    with contextlib.redirect_stdout(sys.stderr):
        session = read_session(options.session, invocation)
        job = replace(_prepare_job(options, invocation, is_interactive=False)[0], session=session)
        request = asyncio.run(preview(job))
        if session is not None:
            session.close()
    document = invocation.document({"request": request}, mask=redact_text)
    if options.output is None:
        invocation.print(document, mask=str)
    else:
        write_atomic(options.output, encode(f"{document}\n"))
    return 0


def _prepare_job(
    options: RunOptions,
    invocation: Invocation,
    *,
    is_interactive: bool,
    resumption: Resumption | None = None,
    on_command_key: Callable[[str], None] | None = None,
) -> tuple[Job, Loaded]:
    loaded = load_settings(
        options.flags, environ=invocation.environ, config=invocation.config, profile=invocation.profile
    )
    with noting_causes(loaded):
        if options.is_ephemeral:
            check_no_tickets(loaded)
        note = (lambda text: None) if options.quiet else invocation.note
        needs_prompt = resumption is None or options.prompt is not None or options.also_stdin or options.files
        prompt = _read_input(options, loaded, note) if needs_prompt else ""
        if resumption is not None:
            resumption.check_code(loaded)
        output_schema, schema_notes = None, list[str]()
        if options.output_schema is not None:
            # 20 ms, needed only for an output schema.
            from .output_schema import read_output_schema

            output_schema, schema_notes = read_output_schema(options.output_schema, loaded)
        tape = None if options.cassette is None else options.cassette.open()
        job = prepare(
            prompt,
            loaded,
            instructions=options.instructions,
            environ=invocation.environ,
            is_interactive=is_interactive,
            variables=options.variables,
            output_schema=output_schema,
            mcp_config=options.mcp_config,
            tape=tape,
            on_command_key=on_command_key,
        )
        return replace(job, notes=(*job.notes, *schema_notes)), loaded


def _read_input(options: RunOptions, loaded: Loaded, note: Callable[[str], None]) -> str | list[WireItem]:
    """Return the prompt with the attached files."""
    timeout = loaded.settings.timeout
    prompt = read_prompt(
        options.prompt,
        also_stdin=options.also_stdin,
        allow_empty=options.allow_empty,
        timeout=timeout,
        variables=options.variables,
        note=note,
    )
    if not options.files:
        return prompt
    # 5 ms, needed only for files.
    from .attachments import MB, read_attachment, user_input

    limit = loaded.settings.max_file_size * MB
    return user_input(
        prompt, [read_attachment(file, limit=limit, timeout=timeout, note=note) for file in options.files]
    )


class RunCommand:
    """One run, its output, and its cancellation by signals and the timeout."""

    def __init__(self, options: RunOptions, invocation: Invocation, loop: asyncio.AbstractEventLoop) -> None:
        self._options = options
        self._invocation = invocation
        self._loop = loop
        self._cancellation = Cancellation()
        self._has_signal = False
        self._is_preparing = False
        self._prices: Prices | None = None
        """The prices of the run, once it is prepared."""
        self._trace_store: TraceStore | None = None
        """The traces of the run on this machine, once it is prepared."""
        self._reports: RunReports | None = None
        if options.reports:
            # 20 ms, needed only for a report.
            from .run_reports import RunReports

            self._reports = RunReports(options, invocation)
        self._has_output_schema = False
        """Whether an output schema was given for the run, once it is prepared."""
        self._stdout = take_stdout()
        facts = detect_terminal(invocation.color, invocation.environ, stdout=self._stdout)
        to_file = options.output is not None
        self._terminal = replace(facts, stdout_is_terminal=False, color_stdout=False) if to_file else facts

    async def run(self) -> RunFinished:
        """Start the run, write all its output, and return its last event."""
        handle_signals(self._on_signal)
        try:
            with wake_on_signals(self._loop):
                return await self._run_and_report()
        finally:
            call_after(0, exit_now)
            handle_signals(exit_now)

    async def _run_and_report(self) -> RunFinished:
        options = self._options
        sink = Sink(
            options.output,
            stdout=self._stdout,
            is_live=options.format == "jsonl",
            shows_status=self._terminal.live and not options.quiet,
        )
        if options.verbose:
            is_text = options.format == "text" and options.output_schema is None
            log_to(sink.writer.log_stream(to_stdout=is_text and options.output is None))
        try:
            with contextlib.redirect_stdout(sys.stderr):
                end = await self._show(sink)
            try:
                is_saved = sink.save(end, always=options.format == "json")
            except OSError as error:
                is_saved = False
                end = failed_before_start(OSError(error.errno, error.strerror, str(options.output)))
        finally:
            is_written = await sink.close(GRACE)
            self._invocation.has_abandoned_work |= not is_written
            if options.verbose:
                log_to(sys.stderr)  # For messages logged at exit.
        if end.error is not None and not isinstance(end.error, OutputClosed):
            self._invocation.write_error(report(end.error, self._invocation))
            if not is_saved:
                _note_unchanged(options, self._invocation)
        if isinstance(end.error, RunInterrupted) and end.session_id is not None:
            self._invocation.write_error(
                f"the session is saved; continue it with `{self._invocation.command} {options.command} "
                f"--session {end.session_id}`\n"
            )
        return self.write_reports(end)

    def write_reports(self, end: RunFinished) -> RunFinished:
        """Write the reports of `--report`; return the end of the run, a failure if they cannot be written."""
        if self._reports is None:
            return end
        try:
            self._reports.write(end, cost_of=self._cost_of, trace_store=self._trace_store)
        except OSError as error:
            self._invocation.write_error(report(error, self._invocation))
            return end if end.error is not None else failed_before_start(error)
        return end

    async def _show(self, sink: Sink) -> RunFinished:
        options = self._options
        show = renderer(
            command=options.command,
            format=options.format,
            terminal=self._terminal,
            quiet=options.quiet,
            run_id=f"run_{uuid4().hex}",
            cost_of=self._cost_of,
            verbose=options.verbose,
            gives_json=lambda: self._has_output_schema,
        )
        events = self._events(sink)
        return await show_run(events, show, sink, self._cancellation, terminal=self._terminal, format=options.format)

    def _cost_of(self, usage: Usage) -> Cost:
        return FREE if self._prices is None else cost_of(usage, self._prices)

    async def _events(self, sink: Sink) -> AsyncGenerator[RunEvent]:
        with contextlib.ExitStack() as stack:
            async with contextlib.aclosing(self._events_of_run(sink, stack)) as events:
                async for event in events:
                    if self._reports is not None:
                        self._reports.observe(event)
                    yield event

    async def _events_of_run(self, sink: Sink, stack: contextlib.ExitStack) -> AsyncGenerator[RunEvent]:
        try:
            job = await self._start(sink, stack)
            start_tracing(job)
        except UsageError:
            raise
        except KeyboardInterrupt:  # Raised by the agent's own code.
            yield failed_before_start(RunInterrupted(signal.SIGINT))
        except Exception as error:
            yield failed_before_start(self._cancellation.reason or error)
        else:
            if job.timeout is not None:
                self._exit_after(job.timeout + LAST_RESORT, exit_for(RunTimeoutError(job.timeout)).code)
            try:
                async with contextlib.aclosing(perform(job, self._cancellation)) as events:
                    async for event in events:
                        yield event
            finally:
                await close(job)

    async def _start(self, sink: Sink, stack: contextlib.ExitStack) -> Job:
        """Return the job, ready to be performed, with the handler of its approvals."""
        options, resumption = self._options, None
        if options.approvals.resume is not None:
            # 20 ms, needed only to resume a run.
            from agentctl.cli.approvals.resumption import Resumption

            resumption = Resumption.of(options.approvals.resume, options, self._invocation)
            options = resumption.options
        is_replayed = options.cassette is not None and options.cassette.replay is not None
        session = None if is_replayed else stack.enter_context(lock_session(options.session, self._invocation))
        on_key = None if self._reports is None else self._reports.key_observer(sink.writer)
        job, loaded = self._prepare(options, resumption, on_key)
        if job.tape is not None:
            session = session or job.tape.session()
            # Runs in threads of the user's code have a context of their own.
            stack.enter_context(use_tape(job.tape.tape, everywhere=True))
        job = replace(job, session=session)
        self._prices, self._has_output_schema = job.prices, job.output_schema is not None
        self._trace_store = job.trace_store
        if resumption is not None:
            job = await resumption.resume_run(job, loaded)
        may_ask = options.approvals.may_ask and can_ask()
        context = ApprovalContext(
            options=options.approvals,
            loaded=loaded,
            job=job,
            invocation=self._invocation,
            instructions=options.instructions,
            session=None if session is None else session.session_id,
            show=sink.show if may_ask else None,
            ticket=None if resumption is None else resumption.ticket,
        )
        handler = ApprovalHandler(context)
        return replace(
            job,
            config=replace(job.config, needs_approval=handler.needs_approval),
            decide=handler,
            is_decided=handler.is_decided,
            decided_by=handler.decided_by,
            notes=(*job.notes, *handler.notes()),
        )

    def _prepare(
        self, options: RunOptions, resumption: Resumption | None, on_command_key: Callable[[str], None] | None
    ) -> tuple[Job, Loaded]:
        self._is_preparing = True
        try:
            return _prepare_job(
                options,
                self._invocation,
                is_interactive=self._terminal.stdout_is_terminal,
                resumption=resumption,
                on_command_key=on_command_key,
            )
        except _SignalReceived as received:
            assert self._cancellation.reason is not None
            raise self._cancellation.reason from received
        finally:
            self._is_preparing = False

    def _exit_after(self, seconds: float, code: int) -> None:
        """Exit after this many seconds, even if some code blocks the event loop."""

        def force_exit(number: int, frame: FrameType | None) -> None:
            self._invocation.write_error("agentctl: forced to exit: an async function blocks the event loop\n")
            end_process(code)

        call_after(seconds, force_exit)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """Cancel the run at the first signal; exit at the second, or if cancelling takes too long."""
        if self._has_signal or self._cancellation.reason is not None:
            exit_now(number, frame)
        self._has_signal = True
        self._exit_after(LAST_RESORT, 128 + number)
        reason = RunInterrupted(number)
        if self._is_preparing:
            self._cancellation.cancel(reason)
            raise _SignalReceived
        self._loop.call_soon_threadsafe(self._cancellation.cancel, reason)
