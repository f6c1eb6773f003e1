"""The line editor of the chat, and the only module that imports prompt-toolkit, which takes 100 ms."""

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

from .entry import Entry, InputClosed, InputInterrupted, InputLine
from .history_file import HistoryFile

Completions = Callable[[str, str], Sequence[str]]
"""Returns the completions after a command, given the beginning of its argument.

Those of "model" are names of models, those of "" are the commands.
"""


class Editor:
    """Edits a message of one or more lines on the terminal of stderr; only the message itself is redrawn."""

    def __init__(self, *, file: HistoryFile | None, completions_of: Completions, color: bool) -> None:
        """Create an editor; without a `file`, the history is not saved."""
        output = Vt100_Output.from_pty(sys.stderr)
        # The query of the cursor position, which some terminals do not answer.
        output.enable_cpr = False
        prompt: StyleAndTextTuples = [("bold fg:ansicyan" if color else "", "> ")]
        self._session: PromptSession[str] = PromptSession(
            prompt,
            multiline=True,
            prompt_continuation="  ",
            history=_History(file),
            completer=_SlashCompleter(completions_of),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            reserve_space_for_menu=0,
            enable_suspend=True,
            key_bindings=_key_bindings(),
            color_depth=None if color else ColorDepth.DEPTH_1_BIT,
            output=output,
            interrupt_exception=_InterruptKey,
            eof_exception=_EofKey,
        )

    async def read(self) -> Entry:
        """Return the user's input; cancelling restores the terminal."""
        try:
            text = await self._session.prompt_async(set_exception_handler=False, handle_sigint=False)
        except _InterruptKey:
            return InputInterrupted()
        except (_EofKey, EOFError):
            return InputClosed()
        return InputLine(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


class _InterruptKey(Exception):
    """Ctrl-C on an empty line."""


class _EofKey(Exception):
    """Ctrl-D on an empty line."""


class _History(History):
    """The history of sent messages, saved in the file if there is one."""

    def __init__(self, file: HistoryFile | None) -> None:
        super().__init__()
        self._file = file

    def load_history_strings(self) -> Iterable[str]:
        """Return the entries, newest first."""
        if self._file is not None:
            with suppress(OSError):
                return reversed(self._file.entries())
        return ()

    def store_string(self, string: str) -> None:
        """Add an entry; a full disk does not end the chat."""
        if self._file is not None:
            with suppress(OSError):
                self._file.append(string)


class _SlashCompleter(Completer):
    """Completes slash commands and their arguments."""

    def __init__(self, completions_of: Completions) -> None:
        self._completions_of = completions_of

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Yield the completions of the text before the cursor."""
        text = document.text_before_cursor
        if not text.startswith("/") or "\n" in text:
            return
        command, space, prefix = text[1:].partition(" ")
        parent, prefix = (command, prefix.lstrip()) if space else ("", command)
        for word in self._completions_of(parent, prefix):
            if word.startswith(prefix):
                yield Completion(word, start_position=-len(prefix))


def _key_bindings() -> KeyBindings:
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
            event.app.exit(exception=_InterruptKey())

    return keys
