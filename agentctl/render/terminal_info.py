"""Finds out what stdout and stderr are: terminals or not, with colour or not, how wide."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from agentctl._dataclass import dataclass

ColorChoice: TypeAlias = Literal["auto", "always", "never"]

FALLBACK_WIDTH = 80
NARROWEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of the streams that a renderer writes for."""

    stdout_is_terminal: bool
    stderr_is_terminal: bool
    color_stdout: bool
    color_stderr: bool
    live: bool
    """Whether stderr can show a live line: a terminal that can go back to the start of a line."""
    width: Callable[[], int]
    """Gives the columns of the terminal at this moment; asked for each block, so a resized window does no harm."""


def wants_color(choice: ColorChoice, environ: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Return whether a stream gets colour: as `--color`, NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE and TERM say."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR") == "0":
        return False
    if environ.get("FORCE_COLOR") or environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return is_terminal and environ.get("TERM") != "dumb"


def terminal_facts(color: ColorChoice, environ: Mapping[str, str], *, stdout: int = 1, stderr: int = 2) -> Facts:
    """Return the facts of two file descriptors."""
    stdout_is_terminal = os.isatty(stdout)
    stderr_is_terminal = os.isatty(stderr)
    return Facts(
        stdout_is_terminal=stdout_is_terminal,
        stderr_is_terminal=stderr_is_terminal,
        color_stdout=wants_color(color, environ, is_terminal=stdout_is_terminal),
        color_stderr=wants_color(color, environ, is_terminal=stderr_is_terminal),
        live=stderr_is_terminal and environ.get("TERM") != "dumb",
        width=width_of(stdout if stdout_is_terminal else stderr, environ),
    )


def width_of(descriptor: int, environ: Mapping[str, str]) -> Callable[[], int]:
    """Return a function that gives the columns of a terminal now: COLUMNS where it is set, then the terminal's own."""
    told = environ.get("COLUMNS", "")
    columns = int(told) if told.isascii() and told.isdigit() else 0

    def width() -> int:
        if columns:
            return max(columns, NARROWEST)
        try:
            found = os.get_terminal_size(descriptor).columns
        except OSError:
            found = 0
        return max(found or FALLBACK_WIDTH, NARROWEST)

    return width
