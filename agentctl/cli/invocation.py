"""What every command of one invocation shares: the global options, the environment, and where to print."""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agentctl.agent.wire import JSONValue
from agentctl.redaction import redact
from agentctl.version import SCHEMA_VERSION


@dataclass(slots=True, kw_only=True)
class Invocation:
    """One call of the command line: `ctx.obj` of every command."""

    config: Path | None = None
    """`--config`: the profile file in place of the default one."""
    color: Literal["auto", "always", "never"] = "auto"
    verbose: bool = False
    """Whether an unexpected error shows its traceback."""
    leaves_work_behind: bool = False
    """Whether something still runs that cannot be ended: the process is then to leave without waiting for it."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def print(self, text: str) -> None:
        """Write a line of data to stdout."""
        sys.stdout.write(redact(text) + "\n")

    def print_json(self, document: dict[str, JSONValue]) -> None:
        """Write a machine document to stdout, its schema version first."""
        self.print(self.document(document))

    def document(self, document: dict[str, JSONValue]) -> str:
        """Return a machine document as text, its schema version first."""
        return json.dumps({"schema_version": SCHEMA_VERSION, **document}, ensure_ascii=False, indent=2)

    def complain(self, text: str) -> None:
        """Write an error to stderr, unless it takes nothing now: an error never makes a command hang."""
        data = redact(text).encode("utf-8", "replace")
        with contextlib.suppress(OSError, ValueError):
            if sys.platform == "win32" or select.select([], [2], [], 0)[1]:
                os.write(2, data)

    def note(self, text: str) -> None:
        """Write a line for people to stderr."""
        sys.stderr.write(redact(text) + "\n")
