"""The line editor of the conversation: the one door to prompt-toolkit, which takes 100 ms to import."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import History
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import CompleteStyle

from .entry import Entry, Interrupted, Left, Line
from .history_file import HistoryFile

Words = Callable[[str], Sequence[str]]
"""What may follow a command: `Words("model")` are names of models; `Words("")` are the commands."""


class Editor:
    """Edits one message of any number of lines on stderr's terminal; nothing but the message itself is redrawn."""

    def __init__(self, *, file: HistoryFile | None, words: Words, color: bool) -> None:
        """Take the history file, if there is one, and what the Tab key offers."""
        output = Vt100_Output.from_pty(sys.stderr)
        # A question to the terminal where its cursor is, which not every terminal answers.
        output.enable_cpr = False
        prompt: StyleAndTextTuples = [("bold fg:ansicyan" if color else "", "> ")]
        self._session: PromptSession[str] = PromptSession(
            prompt,
            multiline=True,
            prompt_continuation="  ",
            history=_History(file),
            completer=_SlashCompleter(words),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            reserve_space_for_menu=0,
            enable_suspend=True,
            key_bindings=_keys(),
            color_depth=None if color else ColorDepth.DEPTH_1_BIT,
            output=output,
            interrupt_exception=_Interrupted,
            eof_exception=_Left,
        )

    async def read(self) -> Entry:
        """Return what the user entered; cancelling leaves the terminal as it was."""
        try:
            text = await self._session.prompt_async(set_exception_handler=False, handle_sigint=False)
        except _Interrupted:
            return Interrupted()
        except (_Left, EOFError):
            return Left()
        return Line(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


class _Interrupted(Exception):
    """Ctrl-C on an empty line."""


class _Left(Exception):
    """Ctrl-D on an empty line."""


class _History(History):
    """What was sent before, kept in the file where there is one."""

    def __init__(self, file: HistoryFile | None) -> None:
        super().__init__()
        self._file = file

    def load_history_strings(self) -> Iterable[str]:
        """Return the entries, the newest first."""
        if self._file is not None:
            with suppress(OSError):
                return reversed(self._file.entries())
        return ()

    def store_string(self, string: str) -> None:
        """Add an entry; a disk that takes no more does not stop the conversation."""
        if self._file is not None:
            with suppress(OSError):
                self._file.append(string)


class _SlashCompleter(Completer):
    """Completes the slash commands, and what may follow one."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Yield what the text before the cursor may go on with."""
        text = document.text_before_cursor
        if not text.startswith("/") or "\n" in text:
            return
        command, space, begun = text[1:].partition(" ")
        wanted, begun = (command, begun.lstrip()) if space else ("", command)
        for word in self._words(wanted):
            if word.startswith(begun):
                yield Completion(word, start_position=-len(begun))


def _keys() -> KeyBindings:
    keys = KeyBindings()
    typing = has_focus(DEFAULT_BUFFER)

    @keys.add("enter", filter=typing)
    def send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter", filter=typing)
    @keys.add("c-j", filter=typing)
    def begin_line(event: KeyPressEvent) -> None:
        event.current_buffer.newline(copy_margin=False)

    @keys.add("c-c", filter=typing)
    def clear(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=_Interrupted())

    return keys
