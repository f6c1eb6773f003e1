"""Detection of terminals on stdout and stderr, their colour support and width."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from agentctl._dataclass import dataclass

ColorChoice: TypeAlias = Literal["auto", "always", "never"]

FALLBACK_WIDTH = 80
NARROWEST = 20

_LINKING_PROGRAMS = frozenset({"iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "rio", "Tabby"})
_LINKING_TERMS = frozenset({"xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm"})
_LINKING_VTE = 5000
"""The first version of VTE, the terminal of GNOME, with hyperlinks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalInfo:
    """Properties of the streams that a renderer writes to."""

    stdout_is_terminal: bool
    stderr_is_terminal: bool
    color_stdout: bool
    color_stderr: bool
    live: bool
    """Whether stderr can show a live line: a terminal that can return to the start of a line."""
    width: Callable[[], int]
    """Returns the current columns of the terminal; called for each block, so that resizing takes effect."""
    has_links: bool = False
    """Whether the terminal of stdout shows hyperlinks."""

    @property
    def is_stdout_rendered(self) -> bool:
        """True if Markdown on stdout is rendered: on a terminal, and where colour is asked for, as for `less -R`."""
        return self.stdout_is_terminal or self.color_stdout


def is_color_wanted(choice: ColorChoice, environ: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Return whether a stream gets colour, based on `--color`, NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE and TERM."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR") == "0":
        return False
    if environ.get("FORCE_COLOR") or environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return is_terminal and environ.get("TERM") != "dumb"


def _shows_links(environ: Mapping[str, str]) -> bool:
    """Return whether the terminal is one that is known to show hyperlinks, or FORCE_HYPERLINK says so."""
    if (forced := environ.get("FORCE_HYPERLINK")) is not None:
        return forced != "0"
    if environ.get("TMUX") or environ.get("STY"):
        return False
    version = environ.get("VTE_VERSION", "")
    return (
        environ.get("TERM_PROGRAM") in _LINKING_PROGRAMS
        or environ.get("TERM") in _LINKING_TERMS
        or any(environ.get(name) for name in ("WT_SESSION", "KITTY_WINDOW_ID", "KONSOLE_VERSION"))
        or (version.isascii() and version.isdigit() and int(version) >= _LINKING_VTE)
    )


def detect_terminal(
    color: ColorChoice, environ: Mapping[str, str], *, stdout: int = 1, stderr: int = 2
) -> TerminalInfo:
    """Return the terminal info of two file descriptors."""
    stdout_is_terminal = os.isatty(stdout)
    stderr_is_terminal = os.isatty(stderr)
    color_stdout = is_color_wanted(color, environ, is_terminal=stdout_is_terminal)
    return TerminalInfo(
        stdout_is_terminal=stdout_is_terminal,
        stderr_is_terminal=stderr_is_terminal,
        color_stdout=color_stdout,
        color_stderr=is_color_wanted(color, environ, is_terminal=stderr_is_terminal),
        live=stderr_is_terminal and environ.get("TERM") != "dumb",
        width=width_of(stdout if stdout_is_terminal else stderr, environ),
        has_links=stdout_is_terminal and color_stdout and _shows_links(environ),
    )


def width_of(descriptor: int, environ: Mapping[str, str]) -> Callable[[], int]:
    """Return a function that returns the current columns: COLUMNS if set, else those of the terminal."""
    value = environ.get("COLUMNS", "")
    columns = int(value) if value.isascii() and value.isdigit() else 0

    def width() -> int:
        if columns:
            return max(columns, NARROWEST)
        try:
            size = os.get_terminal_size(descriptor).columns
        except OSError:
            size = 0
        return max(size or FALLBACK_WIDTH, NARROWEST)

    return width
