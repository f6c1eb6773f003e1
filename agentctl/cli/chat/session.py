"""The session: asks for a message, takes the turn, and again, until the user leaves or a signal ends it."""

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
from agentctl.cli.approvals.options import Case
from agentctl.cli.approvals.policy import Decide
from agentctl.cli.columns import fold, room
from agentctl.cli.invocation import Invocation
from agentctl.cli.prompt import read_instructions
from agentctl.cli.pump import LAST_RESORT, leave, watch
from agentctl.cli.report import UsageError, report
from agentctl.cli.session_options import held_session
from agentctl.cli.signals import Handler, call_in, leave_at_once, take_signals
from agentctl.cli.sink import Sink, take_stdout
from agentctl.errors import OutputClosed, RunInterrupted, exit_for
from agentctl.launch.job import Job, check_conversation, effective_model, prepare
from agentctl.launch.perform import GRACE, Cancellation, close, perform, start_tracing
from agentctl.log import log_to
from agentctl.profile.load import load_settings
from agentctl.redaction import redact
from agentctl.render.escape import escape
from agentctl.render.notes import dim
from agentctl.render.select import renderer
from agentctl.render.terminal_info import detect_terminal
from agentctl.threads import wait_for_running

from .commands import Commands
from .conversation import Conversation, Order
from .entry import Entry, Interrupted, Left, Line, Reader
from .history import Heard, user_message
from .history_file import HistoryFile
from .plain_reader import PlainReader
from .slash import Slash, parse
from .terminal_mode import TerminalMode

if TYPE_CHECKING:
    from agentctl.memory.sqlite_session import SQLiteSession


def converse(order: Order, invocation: Invocation) -> int:
    """Hold a conversation and return the exit code.

    Raises:
        UsageError: there is no terminal to hold it on.
        ConfigurationError: no turn could begin: the agent does not load, or nobody serves the model.
        MissingKeyError: no turn could begin: the endpoint has no key.
    """
    invocation.verbose = order.verbose
    _check_terminal()
    stdout = take_stdout()
    with held_session(order.session, invocation) as kept:
        with contextlib.redirect_stdout(sys.stderr):
            conversation = _begin(order, invocation, kept)
        loop = asyncio.new_event_loop()
        session = _Session(conversation, order, invocation, loop, stdout)
        code = loop.run_until_complete(session.hold())
    if order.verbose:
        log_to(sys.stderr)  # What is still to be said when the process ends.
    leave(loop, invocation, is_early=code != 0 or session.was_broken_off)
    return code


def _check_terminal() -> None:
    for descriptor, name in ((0, "stdin"), (2, "stderr")):
        if not os.isatty(descriptor):
            raise UsageError(f"a conversation needs a terminal, and {name} is none; `agentctl run` takes one prompt")


def _begin(order: Order, invocation: Invocation, kept: SQLiteSession | None) -> Conversation:
    loaded = load_settings(
        order.flags, environ=invocation.environ, config=invocation.config, profile=invocation.profile
    )
    job = prepare(
        "",
        loaded,
        instructions=read_instructions(order.instructions),
        environ=invocation.environ,
        is_interactive=True,
        is_conversation=True,
    )
    job = replace(job, session=kept)
    check_conversation(job, loaded, invocation.environ)
    start_tracing(job)
    return Conversation(loaded=loaded, job=job)


class _Session:
    """A conversation under way, and the signals that break off a turn or end it all."""

    def __init__(
        self,
        conversation: Conversation,
        order: Order,
        invocation: Invocation,
        loop: asyncio.AbstractEventLoop,
        stdout: int,
    ) -> None:
        self._conversation = conversation
        self._order = order
        self._invocation = invocation
        self._loop = loop
        self._stdout = stdout
        self._facts = detect_terminal(invocation.color, invocation.environ, stdout=stdout)
        self._mode = TerminalMode()
        self._edits = sys.platform == "win32" or invocation.environ.get("TERM") not in (None, "", "dumb")
        self._commands = Commands(conversation=conversation, order=order, invocation=invocation, has_keys=self._edits)
        self._sink: Sink | None = None
        """Where the turn under way is shown."""
        self._stop: Cancellation | None = None
        """What breaks off the turn under way."""
        self._decide = Decide(
            Case(
                wishes=order.approvals,
                loaded=conversation.loaded,
                job=conversation.job,
                invocation=invocation,
                instructions=None,
                session=None,
                show=self._show,
                may_suspend=False,
            )
        )
        """Who decides about calls that need approval; what was said for always holds for the whole conversation."""
        self._noticed = asyncio.Event()
        """Whether a signal came while nothing was under way."""
        self._is_signalled = False
        """Whether one came in this turn."""
        self._is_held_up = False
        """Whether code runs that does not let the event loop go on."""
        self._is_terminated = False
        self.was_broken_off = False
        """Whether a turn was, which may have left work behind."""

    async def hold(self) -> int:
        """Greet, then go on until the end; return the exit code."""
        self._greet()
        with _signals_to(self._loop, self._signalled), self._mode.quiet() if self._edits else contextlib.nullcontext():
            try:
                return await self._converse(self._reader())
            finally:
                await close(self._conversation.job)

    def _greet(self) -> None:
        if self._order.quiet:
            return
        job = self._conversation.job
        for note in job.notes:
            self._say(f"note: {note}")
        greeting = f"{job.agent.name} · {effective_model(job)} · /help shows the commands, Ctrl-D leaves"
        self._say("\n".join(fold(greeting, room())))
        self._part()

    def _reader(self) -> Reader:
        if not self._edits:
            return PlainReader()
        # 100 ms that only a terminal with a cursor costs.
        from .editor import Editor

        return Editor(file=self._history_file(), words=self._commands.words, color=self._facts.color_stderr)

    def _history_file(self) -> HistoryFile | None:
        folders = self._conversation.loaded.paths.folders
        if folders is None:
            return None
        try:
            return HistoryFile(folders.state / "chat_history.jsonl")
        except OSError as error:
            self._say(f"note: what is sent is not kept for the next time: {error.filename}: {error.strerror}")
            return None

    async def _converse(self, reader: Reader) -> int:
        was_interrupted = False
        while True:
            entry = await self._ask(reader)
            if self._is_terminated:
                return 128 + signal.SIGTERM
            match entry:
                case Line(text):
                    code = await self._take(text)
                    if code is not None:
                        return code
                case Interrupted():
                    if was_interrupted:
                        return 128 + signal.SIGINT
                    self._say("Ctrl-C again leaves, as Ctrl-D and /quit do")
                case Left():
                    return 0
                case never:
                    assert_never(never)
            was_interrupted = isinstance(entry, Interrupted)

    async def _ask(self, reader: Reader) -> Entry:
        """Return what the user enters; a signal interrupts."""
        self._noticed.clear()
        if self._is_terminated:
            return Interrupted()
        reading = self._loop.create_task(reader.read())
        noticed = self._loop.create_task(self._noticed.wait())
        await asyncio.wait({reading, noticed}, return_when=asyncio.FIRST_COMPLETED)
        entry = reading.result() if reading.done() else Interrupted()
        reading.cancel()
        noticed.cancel()
        await asyncio.wait({reading, noticed})
        return entry

    async def _take(self, text: str) -> int | None:
        """Do what was entered; return the exit code where that ends the conversation."""
        if not text.strip():
            return None
        match parse(text):
            case Slash(name="quit" | "exit"):
                return 0
            case Slash() as slash:
                await self._obey(slash)
                return None
            case message:
                return await self._take_turn(message)

    async def _obey(self, slash: Slash) -> None:
        # Code of an agent may run for as long as it likes.
        self._is_held_up = True
        try:
            with contextlib.redirect_stdout(sys.stderr):
                self._say(await self._commands.obey(slash))
        except Exception as error:
            self._complain(error)
        finally:
            self._is_held_up = False
        self._part()

    async def _take_turn(self, prompt: str) -> int | None:
        self._part()
        heard, stop = Heard(), Cancellation()
        sink = Sink(None, stdout=self._stdout, is_live=False, shows_status=self._facts.live and not self._order.quiet)
        if self._order.verbose:
            log_to(sink.writer.log_stream(to_stdout=True))
        self._is_signalled = False
        self._stop, self._sink = stop, sink
        try:
            end = await self._play(prompt, heard, sink, stop)
        finally:
            self._stop = None
            is_written = await sink.close(GRACE)
        await self._conversation.remember(prompt, heard, end)
        if isinstance(end.error, OutputClosed):
            return exit_for(end.error).code
        self._tell_end(end.error)
        if isinstance(end.error, OSError) and not is_written:
            return exit_for(end.error).code
        if stop.reason is not None:
            self.was_broken_off = True
            for name in wait_for_running(0):
                self._say(f"note: left behind, and still running: {name}")
        self._part()
        return None

    async def _play(self, prompt: str, heard: Heard, sink: Sink, stop: Cancellation) -> RunFinished:
        conversation = self._conversation
        items = [*conversation.items, user_message(prompt)]
        job = replace(conversation.job, prompt=items, notes=(), decide=self._decide)
        show = renderer(command="stream", format="text", terminal=self._facts, quiet=self._order.quiet, run_id="")
        with contextlib.redirect_stdout(sys.stderr):
            return await watch(_overheard(job, stop, heard), show, sink, stop, facts=self._facts, format="text")

    def _tell_end(self, error: Exception | None) -> None:
        match error:
            case None:
                pass
            case RunInterrupted():
                # Where the terminal edits the lines itself, it has shown the key.
                self._say("cancelled" if self._edits else "\ncancelled")
            case _:
                self._complain(error)

    def _complain(self, error: Exception) -> None:
        self._invocation.note(report(error, verbose=self._order.verbose).rstrip())

    async def _show(self, text: str) -> None:
        """Write beside the turn under way, and return once it is written."""
        assert self._sink is not None
        await self._sink.show(text)

    def _say(self, text: str) -> None:
        """Write something beside the conversation, as less important."""
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{dim(escape(redact(text)), self._facts.color_stderr)}\n")

    def _part(self) -> None:
        """Leave a line blank between what was typed and what was said."""
        if not self._order.quiet:
            self._invocation.note("")

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        """Break off the turn at the first signal, or tell the prompt; leave at once where neither can be waited for."""
        is_again = self._is_terminated or (self._stop is not None and self._is_signalled)
        if is_again or self._is_held_up:
            self._leave_at_once(number, frame)
        self._is_signalled = True
        if number == signal.SIGTERM:
            self._is_terminated = True
            call_in(LAST_RESORT, lambda _, frame: self._leave_at_once(number, frame))
        self._loop.call_soon_threadsafe(self._notice, RunInterrupted(number))

    def _notice(self, reason: RunInterrupted) -> None:
        if self._stop is None:
            self._noticed.set()
        else:
            self._stop.cancel(reason)

    def _leave_at_once(self, number: int, frame: FrameType | None) -> None:
        self._mode.restore()
        leave_at_once(number, frame)


async def _overheard(job: Job, stop: Cancellation, heard: Heard) -> AsyncGenerator[RunEvent]:
    async with aclosing(perform(job, stop)) as events:
        async for event in events:
            heard.hear(event)
            yield event


@contextmanager
def _signals_to(loop: asyncio.AbstractEventLoop, handler: Handler) -> Iterator[None]:
    """Let `handler` take both signals at once, and the event loop wake for them, whatever else asks it for signals."""
    numbers = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not signal.SIG_IGN]
    for number in numbers:
        loop.add_signal_handler(number, lambda: None)
    take_signals(handler)
    try:
        yield
    finally:
        call_in(0, leave_at_once)
        for number in numbers:
            loop.remove_signal_handler(number)
        take_signals(leave_at_once)
