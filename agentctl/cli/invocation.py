"""What every command of one invocation shares: the global options, the environment, and where to print."""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Literal

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.redaction import redact
from agentctl.version import SCHEMA_VERSION


@dataclass(slots=True, kw_only=True)
class Invocation:
    """One call of the command line: `ctx.obj` of every command."""

    config: Path | None = None
    """`--config`: the file of profiles in place of the default one."""
    profile: str | None = None
    """`--profile`: the profile in place of the one in use."""
    color: Literal["auto", "always", "never"] = "auto"
    verbose: bool = False
    """Whether an unexpected error shows its traceback."""
    leaves_work_behind: bool = False
    """Whether something still runs that cannot be ended: the process is then to leave without waiting for it."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def print(self, text: str, *, stressed: int = 0) -> None:
        """Write a line of data to stdout; on a terminal what it would act on is escaped.

        The first `stressed` characters stand out, where there is colour.
        """
        text = redact(text)
        if sys.stdout.isatty():
            text = _escaped(text)
        if stressed:
            text = self._stressed(text, stressed)
        sys.stdout.write(f"{text}\n")

    def _stressed(self, text: str, length: int) -> str:
        # 1 ms that most lines save.
        from agentctl.render.terminal_info import is_color_wanted

        has_color = is_color_wanted(self.color, self.environ, is_terminal=sys.stdout.isatty())
        return f"\x1b[1m{text[:length]}\x1b[0m{text[length:]}" if has_color else text

    def print_json(self, document: dict[str, JSONValue]) -> None:
        """Write a machine document to stdout, its schema version first."""
        self.print(self.document(document))

    def document(self, document: dict[str, JSONValue]) -> str:
        """Return a machine document as text, its schema version first."""
        text = json.dumps({"schema_version": SCHEMA_VERSION, **document}, ensure_ascii=False, indent=2)
        if text.isascii():
            return text
        # 2 ms that plain words save.
        from agentctl.render.escape import escape_json

        return escape_json(text)

    def complain(self, text: str) -> None:
        """Write an error to stderr, unless it takes nothing now: an error never makes a command hang."""
        data = _escaped(redact(text)).encode("utf-8", "replace")
        with contextlib.suppress(OSError, ValueError):
            if sys.platform == "win32" or select.select([], [2], [], 0)[1]:
                os.write(2, data)

    def note(self, text: str) -> None:
        """Write a line for people to stderr; a stderr that takes nothing changes nothing of what is told elsewhere."""
        with contextlib.suppress(OSError):
            sys.stderr.write(_escaped(redact(text)) + "\n")


def _escaped(text: str) -> str:
    """Return what may hold the words of a model, a service or a foreign project as text that a terminal only shows."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    # 2 ms that plain words save.
    from agentctl.render.escape import escape

    return escape(text)
