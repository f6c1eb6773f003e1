"""How help is laid out: as Typer does it, but within the columns of a narrow terminal too."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from agentctl.render.terminal_info import width_of

_WIDEST = 80
_NARROW = 60
"""Columns below which the names of options get a third at most, and longer ones a line of their own."""


class HelpFormatter(typer.Context.formatter_class):  # type: ignore[misc, valid-type]  # Typer exports it so only.
    """Writes help and usage."""

    def __init__(self) -> None:
        descriptor = next((stream.fileno() for stream in (sys.stdout, sys.stderr) if stream.isatty()), 1)
        super().__init__(width=min(width_of(descriptor, os.environ)(), _WIDEST) - 2)

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write names and what they mean in two columns."""
        super().write_dl(rows, col_max if self.width >= _NARROW else self.width // 3, col_spacing)
