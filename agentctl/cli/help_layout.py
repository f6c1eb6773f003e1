"""The layout of help: Typer's, adapted to narrow terminals."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from agentctl.render.terminal_info import width_of

_WIDEST = 80
_NARROW = 60
"""Below this width, option names get at most a third of the line, and longer names a line of their own."""


class HelpFormatter(typer.Context.formatter_class):  # type: ignore[misc, valid-type]  # Typer exports it only so.
    """Formats help and usage within the width of the terminal."""

    def __init__(self) -> None:
        descriptor = next((stream.fileno() for stream in (sys.stdout, sys.stderr) if stream.isatty()), 1)
        super().__init__(width=min(width_of(descriptor, os.environ)(), _WIDEST) - 2)

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write names and descriptions in two columns."""
        super().write_dl(rows, col_max if self.width >= _NARROW else self.width // 3, col_spacing)
