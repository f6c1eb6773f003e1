"""The chat loop: read a message, run the turn, until the user leaves or a signal ends the chat."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, assert_never

from agentctl.agent.events import RunEvent, RunFinished
from agentctl.agent.wire import WireItem
from agentctl.cli.approvals.options import ApprovalContext
from agentctl.cli.approvals.policy import ApprovalHandler
from agentctl.cli.columns import fold, fold_text, stderr_width, terminal_width
from agentctl.cli.conversation_text import content_text, last_exchange
from agentctl.cli.ephemeral import check_ephemeral, check_no_tickets
from agentctl.cli.invocation import Invocation
from agentctl.cli.pump import LAST_RESORT, close_loop, show_run
from agentctl.cli.report import UsageError, report
from agentctl.cli.session_options import lock_session
from agentctl.cli.signals import Handler, accepted_signals, call_after, exit_now, handle_signals
from agentctl.cli.sink import Sink, take_stdout
from agentctl.errors import ConfigurationError, OutputClosed, RunInterrupted, exit_for
from agentctl.grammar import count
from agentctl.launch.job import Job, check_conversation, effective_model, noting_causes, prepare
from agentctl.launch.perform import GRACE, Cancellation, close, perform, start_tracing
from agentctl.log import log_to
from agentctl.prices.cost import cost_of
from agentctl.profile.load import load_settings
from agentctl.redaction import redact
from agentctl.render.escape import escape, one_line, shorten
from agentctl.render.notes import dim
from agentctl.render.select import renderer
from agentctl.render.terminal_info import FALLBACK_WIDTH, detect_terminal
from agentctl.threads import wait_for_running

from .commands import CommandRunner
from .conversation import ChatOptions, ChatState
from .entry import Entry, InputClosed, InputInterrupted, InputLine, Reader
from .history import TurnTranscript
from .history_file import HistoryFile
from .plain_reader import PlainReader
from .slash import SlashCommand, parse
from .terminal_mode import TerminalMode

if TYPE_CHECKING:
    from agentctl.agent.session import Session
    from agentctl.memory.sqlite_session import SQLiteSession


_RECALLED_LINES = 8
"""The lines of the last answer that the greeting shows of a session."""


def run_chat(options: ChatOptions, invocation: Invocation) -> int:
    """Run a chat and return the exit code.

    Raises:
        UsageError: stdin or stderr is no terminal.
        ConfigurationError: the agent cannot be loaded, or no provider has the model.
        MissingKeyError: there is no key for the endpoint.
    """
    invocation.verbose = options.verbose
    _check_terminal()
    if options.is_ephemeral:
        check_ephemeral(options.session, options.approvals)
    stdout = take_stdout()
    with lock_session(options.session, invocation) as saved:
        with contextlib.redirect_stdout(sys.stderr):
            conversation = _start_chat(options, invocation, saved)
        loop = asyncio.new_event_loop()
        session = _ChatSession(conversation, options, invocation, loop, stdout)
        code = loop.run_until_complete(session.run())
    if options.verbose:
        log_to(sys.stderr)  # For messages logged at exit.
    close_loop(loop, invocation, is_early=code != 0 or session.has_cancelled_turn)
    return code


def _check_terminal() -> None:
    for descriptor, name in ((0, "stdin"), (2, "stderr")):
        if not os.isatty(descriptor):
            raise UsageError(f"chat needs a terminal, and {name} is not one; use `agentctl run` for a single prompt")


def _start_chat(options: ChatOptions, invocation: Invocation, saved: SQLiteSession | None) -> ChatState:
    loaded = load_settings(
        options.flags, environ=invocation.environ, config=invocation.config, profile=invocation.profile
    )
    if options.is_ephemeral:
        check_no_tickets(loaded)
    with noting_causes(loaded):
        job = prepare(
            "",
            loaded,
            instructions=options.instructions,
            environ=invocation.environ,
            is_interactive=True,
            is_conversation=True,
            variables=options.variables,
            mcp_config=options.mcp_config,
        )
        job = replace(job, session=saved)
        check_conversation(job, loaded, invocation.environ)
    start_tracing(job)
    state = ChatState(loaded=loaded, job=job)
    if options.files:
        state.attach(options.files)
    return state


class _ChatSession:
    """A running chat, and its signals, which cancel a turn or end the chat."""

    def __init__(
        self,
        conversation: ChatState,
        options: ChatOptions,
        invocation: Invocation,
        loop: asyncio.AbstractEventLoop,
        stdout: int,
    ) -> None:
        self._conversation = conversation
        self._options = options
        self._invocation = invocation
        self._loop = loop
        self._stdout = stdout
        self._terminal = detect_terminal(invocation.color, invocation.environ, stdout=stdout)
        self._mode = TerminalMode()
        self._has_editor = sys.platform == "win32" or invocation.environ.get("TERM") not in (None, "", "dumb")
        self._commands = CommandRunner(
            conversation=conversation, options=options, invocation=invocation, has_keys=self._has_editor
        )
        self._sink: Sink | None = None
        """The output of the current turn."""
        self._cancellation: Cancellation | None = None
        """Cancels the current turn."""
        self._decide = ApprovalHandler(
            ApprovalContext(
                options=options.approvals,
                loaded=conversation.loaded,
                job=conversation.job,
                invocation=invocation,
                instructions=None,
                session=None,
                show=self._show,
                may_suspend=False,
                scope="chat",
            )
        )
        """Decides about approvals; an answer of `always` holds for the whole chat."""
        self._signal_arrived = asyncio.Event()
        """Set by a signal that arrives between turns."""
        self._has_signal = False
        """Whether a signal arrived during this turn."""
        self._is_blocking = False
        """Whether code runs that may block the event loop."""
        self._termination = 0
        """SIGTERM or SIGHUP once it arrived, else 0."""
        self.has_cancelled_turn = False
        """Whether a turn was cancelled, which may have left threads running."""

    async def run(self) -> int:
        """Print the greeting and run the chat; return the exit code."""
        await self._greet()
        with (
            _route_signals(self._loop, self._on_signal),
            self._mode.no_echo() if self._has_editor else contextlib.nullcontext(),
        ):
            try:
                return await self._converse(self._reader())
            finally:
                await close(self._conversation.job)

    async def _greet(self) -> None:
        if self._options.quiet:
            return
        job = self._conversation.job
        for note in job.notes:
            self._write_note(f"note: {note}")
        for file in self._conversation.files:
            self._write_note(f"attached: {file.describe()}")
        greeting = f"{job.agent.name} · {effective_model(job)} · /help lists the commands, Ctrl-D leaves"
        self._write_note(greeting)
        if job.session is not None:
            await self._recall(job.session)
        self._write_blank_line()

    async def _recall(self, session: Session) -> None:
        """Print the name of the session, and its last exchange."""
        items = await session.get_items()
        self._write_note(f"session {session.session_id}, {count(len(items), 'item') if items else 'new'}")
        exchange = last_exchange(items)
        if exchange is None:
            return
        width = terminal_width()
        question, answer = (redact(text).strip().splitlines() for text in exchange)
        lines = [part for line in answer for part in fold(line, width)]
        more = ["…"] if len(lines) > _RECALLED_LINES else []
        self._write_blank_line()
        self._write_note(shorten(f"> {one_line(' '.join(question))}", width or FALLBACK_WIDTH))
        self._write_note("\n".join(["", *lines[:_RECALLED_LINES], *more]))

    def _reader(self) -> Reader:
        if not self._has_editor:
            return PlainReader()
        # 100 ms, needed only for a terminal with cursor movement.
        from .editor import Editor

        return Editor(
            file=self._history_file(), completions_of=self._commands.completions_of, color=self._terminal.color_stderr
        )

    def _history_file(self) -> HistoryFile | None:
        folders = self._conversation.loaded.paths.folders
        if folders is None or self._options.is_ephemeral:
            return None
        try:
            return HistoryFile(folders.state / "chat_history.jsonl")
        except OSError as error:
            self._write_note(f"note: the input history cannot be saved: {error.filename}: {error.strerror}")
            return None

    async def _converse(self, reader: Reader) -> int:
        was_interrupted = False
        while True:
            entry = await self._ask(reader)
            if self._termination:
                return 128 + self._termination
            match entry:
                case InputLine(text):
                    code = await self._handle_input(text)
                    if code is not None:
                        return code
                case InputInterrupted():
                    if was_interrupted:
                        return 128 + signal.SIGINT
                    self._write_note("press Ctrl-C again to leave, or use Ctrl-D or /quit")
                case InputClosed():
                    return 0
                case never:
                    assert_never(never)
            was_interrupted = isinstance(entry, InputInterrupted)

    async def _ask(self, reader: Reader) -> Entry:
        """Return the user's input, or `InputInterrupted` after a signal."""
        self._signal_arrived.clear()
        if self._termination:
            return InputInterrupted()
        reading = self._loop.create_task(reader.read())
        signalled = self._loop.create_task(self._signal_arrived.wait())
        await asyncio.wait({reading, signalled}, return_when=asyncio.FIRST_COMPLETED)
        entry = reading.result() if reading.done() else InputInterrupted()
        reading.cancel()
        signalled.cancel()
        await asyncio.wait({reading, signalled})
        return entry

    async def _handle_input(self, text: str) -> int | None:
        """Run a command or a turn; return the exit code if it ends the chat."""
        if not text.strip():
            return None
        match parse(text):
            case SlashCommand(name="quit" | "exit"):
                return 0
            case SlashCommand(name="retry"):
                return await self._retry()
            case SlashCommand(name="edit") as slash:
                return await self._edit(slash.argument)
            case SlashCommand() as slash:
                await self._run_command(slash)
                return None
            case message:
                return await self._run_turn(self._conversation.take_message(message))

    async def _run_command(self, slash: SlashCommand) -> None:
        # The agent's code may run for any length of time.
        self._is_blocking = True
        try:
            with contextlib.redirect_stdout(sys.stderr):
                self._write_note(await self._commands.execute(slash))
        except Exception as error:
            self._report_error(error)
        finally:
            self._is_blocking = False
        self._write_blank_line()

    async def _retry(self) -> int | None:
        message = await self._conversation.take_back()
        if message is None:
            self._write_note("there is no message to send again")
            return None
        self._write_note(f"> {content_text(message.get('content'))}")
        return await self._run_turn(message)

    async def _edit(self, text: str) -> int | None:
        # 20 ms, needed only for this command.
        from agentctl.cli.text_editor import edit_text

        try:
            with self._mode.lend():
                message = edit_text(text, suffix=".md", environ=self._invocation.environ).strip()
        except ConfigurationError as error:
            self._report_error(error)
            return None
        if not message:
            self._write_note("nothing was sent: the message is empty")
            return None
        self._write_note(f"> {message}")
        return await self._run_turn(self._conversation.take_message(message))

    async def _run_turn(self, message: WireItem) -> int | None:
        self._write_blank_line()
        transcript, cancellation = TurnTranscript(), Cancellation()
        shows_status = self._terminal.live and not self._options.quiet
        sink = Sink(None, stdout=self._stdout, is_live=False, shows_status=shows_status)
        if self._options.verbose:
            log_to(sink.writer.log_stream(to_stdout=True))
        self._has_signal = False
        self._cancellation, self._sink = cancellation, sink
        try:
            end = await self._stream(message, transcript, sink, cancellation)
        finally:
            self._cancellation = None
            is_written = await sink.close(GRACE)
        await self._conversation.add_turn(message, transcript, end)
        if isinstance(end.error, OutputClosed):
            return exit_for(end.error).code
        self._report_end(end.error)
        if isinstance(end.error, OSError) and not is_written:
            return exit_for(end.error).code
        if cancellation.reason is not None:
            self.has_cancelled_turn = True
            for name in wait_for_running(0):
                self._write_note(f"note: abandoned, still running: {name}")
        self._write_blank_line()
        return None

    async def _stream(
        self, message: WireItem, transcript: TurnTranscript, sink: Sink, cancellation: Cancellation
    ) -> RunFinished:
        conversation = self._conversation
        items = [*conversation.items, message]
        config = replace(conversation.job.config, needs_approval=self._decide.needs_approval)
        job = replace(conversation.job, prompt=items, config=config, notes=(), decide=self._decide)
        show = renderer(
            command="stream",
            format="text",
            terminal=self._terminal,
            quiet=self._options.quiet,
            run_id="",
            verbose=self._options.verbose,
            cost_of=lambda usage: cost_of(usage, job.prices),
        )
        with contextlib.redirect_stdout(sys.stderr):
            events = _record(job, cancellation, transcript)
            return await show_run(events, show, sink, cancellation, terminal=self._terminal, format="text")

    def _report_end(self, error: Exception | None) -> None:
        match error:
            case None:
                pass
            case RunInterrupted():
                # Without an editor, the terminal has echoed ^C.
                self._write_note("cancelled" if self._has_editor else "\ncancelled")
            case _:
                self._report_error(error)

    def _report_error(self, error: Exception) -> None:
        self._invocation.note_error(report(error, self._invocation))

    async def _show(self, text: str) -> None:
        """Write to stderr during the current turn; return once it is written."""
        assert self._sink is not None
        await self._sink.show(text)

    def _write_note(self, text: str) -> None:
        """Write a dimmed line to stderr."""
        text = fold_text(escape(redact(text)), stderr_width())
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{dim(text, self._terminal.color_stderr)}\n")

    def _write_blank_line(self) -> None:
        """Write a blank line between the input and the answer."""
        if not self._options.quiet:
            self._invocation.note("")

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """Cancel the turn or interrupt the prompt; exit at once on a second signal or if code blocks the event loop."""
        is_again = self._termination or (self._cancellation is not None and self._has_signal)
        if is_again or self._is_blocking:
            self._exit_now(number, frame)
        self._has_signal = True
        if number != signal.SIGINT:
            self._termination = number
            call_after(LAST_RESORT, lambda _, frame: self._exit_now(number, frame))
        self._loop.call_soon_threadsafe(self._deliver_signal, RunInterrupted(number))

    def _deliver_signal(self, reason: RunInterrupted) -> None:
        if self._cancellation is None:
            self._signal_arrived.set()
        else:
            self._cancellation.cancel(reason)

    def _exit_now(self, number: int, frame: FrameType | None) -> None:
        self._mode.restore()
        exit_now(number, frame)


async def _record(job: Job, cancellation: Cancellation, transcript: TurnTranscript) -> AsyncGenerator[RunEvent]:
    async with aclosing(perform(job, cancellation)) as events:
        async for event in events:
            transcript.add(event)
            yield event


@contextmanager
def _route_signals(loop: asyncio.AbstractEventLoop, handler: Handler) -> Iterator[None]:
    """Install `handler` for the signals, and wake the event loop for them, even if other code registers its own."""
    numbers = accepted_signals()
    for number in numbers:
        loop.add_signal_handler(number, lambda: None)
    handle_signals(handler)
    try:
        yield
    finally:
        call_after(0, exit_now)
        for number in numbers:
            loop.remove_signal_handler(number)
        handle_signals(exit_now)
