"""The state that all commands share: the global options, the environment, and the output streams."""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.redaction import redact, redact_data
from agentctl.version import SCHEMA_VERSION

_NARROW = 40
"""Characters of a note that fit on every terminal."""


@dataclass(slots=True, kw_only=True)
class Invocation:
    """One call of the command line: `ctx.obj` of every command."""

    config: Path | None = None
    """`--config`: the file of profiles, if not the default one."""
    profile: str | None = None
    """`--profile`: the name of a profile, if not the current one."""
    color: Literal["auto", "always", "never"] = "auto"
    verbose: bool = False
    """Whether to print the traceback of an unexpected error."""
    context: Any = None
    """The context of the command that was parsed last."""
    has_abandoned_work: bool = False
    """Whether a thread or task that cannot be ended still runs: the process then exits without waiting for it."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def print(self, text: str, *, style: str = "1", styled: int = 0, mask: Callable[[str], str] = redact) -> None:
        """Write a line of data to stdout; control characters are escaped on a terminal.

        The first `styled` characters have a style, by default bold, if colour is enabled. `mask` is `redact_text` for
        the words of users, models and tools.
        """
        text = mask(text)
        if sys.stdout.isatty():
            text = _escape(text)
        if styled:
            text = self._paint(text, style, styled)
        sys.stdout.write(f"{text}\n")

    def _paint(self, text: str, style: str, length: int) -> str:
        # 1 ms that most lines avoid.
        from agentctl.render.terminal_info import is_color_wanted

        has_color = is_color_wanted(self.color, self.environ, is_terminal=sys.stdout.isatty())
        return f"\x1b[{style}m{text[:length]}\x1b[0m{text[length:]}" if has_color else text

    def print_json(self, document: Mapping[str, JSONValue], *, mask: Callable[[str], str] = redact) -> None:
        """Write a JSON document to stdout, with the schema version first."""
        self.print(self.document(document, mask=mask), mask=str)

    def document(self, document: Mapping[str, JSONValue], *, mask: Callable[[str], str] = redact) -> str:
        """Return a JSON document as text, with the schema version first and its values masked."""
        masked = redact_data({"schema_version": SCHEMA_VERSION, **document}, mask)
        text = json.dumps(masked, ensure_ascii=False, indent=2)
        if text.isascii():
            return text
        # 2 ms that plain text avoids.
        from agentctl.render.escape import escape_json

        return escape_json(text)

    @property
    def command(self) -> str:
        """The program with the global options that choose the profile, as a user would type it."""
        import shlex  # 1 ms that most commands avoid.

        config = () if self.config is None else ("--config", str(self.config))
        profile = () if self.profile is None else ("--profile", self.profile)
        return shlex.join(("agentctl", *config, *profile))

    def make_safe(self, text: str) -> str:
        """Return text for stderr: secrets are masked, and control characters escaped."""
        return _escape(redact(text))

    def write_error(self, text: str) -> None:
        """Write safe text to stderr unless that would block: an error must not make a command hang."""
        data = text.encode("utf-8", "replace")
        with contextlib.suppress(OSError, ValueError):
            if sys.platform == "win32" or select.select([], [2], [], 0)[1]:
                os.write(2, data)

    def note(self, text: str) -> None:
        """Write a message to stderr; a broken stderr is ignored."""
        text = self.make_safe(text)
        if len(text) > _NARROW and os.isatty(2):
            # 2 ms that short notes and pipes avoid.
            from .columns import fold_text, stderr_width

            text = fold_text(text, stderr_width())
        self.note_error(f"{text}\n")

    def note_error(self, text: str) -> None:
        """Write safe text to stderr; a broken stderr is ignored."""
        with contextlib.suppress(OSError):
            sys.stderr.write(text)


def note_copy(invocation: Invocation) -> Callable[[Path], None]:
    """Return a function that notes the path of a copy of a file."""
    return lambda copy: invocation.note(f"note: the comments of the file would be lost, so {copy} is a copy of it")


def _escape(text: str) -> str:
    """Return text from a model, a service or a project file with its control characters escaped."""
    if text.isascii() and text.replace("\n", "").isprintable() and "::" not in text and "##" not in text:
        return text
    # 2 ms that plain text avoids.
    from agentctl.render.escape import disarm, escape

    return disarm(escape(text))
