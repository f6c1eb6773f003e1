"""The live line: an animated status line on a terminal, redrawn in place and erased before other output."""

from __future__ import annotations

import os
import time
from contextlib import suppress

from .escape import shorten

INTERVAL = 0.1
"""Seconds between two frames, and before the first: shorter waits show no flicker."""

LONGEST = 60
"""Maximum columns; a short line does not wrap when the window gets narrower."""

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class LiveLine:
    """Draws the line; only the thread that writes to the terminal may call its methods, any thread may set `text`."""

    def __init__(self, descriptor: int) -> None:
        self.text: str | None = None
        self._descriptor = descriptor
        self._due: float | None = None
        self._frame = 0
        self._is_drawn = False
        self._is_line_start = True

    def draw(self) -> float | None:
        """Draw or erase the line when due; return the seconds until the next call, or None to wait for a change."""
        text = self.text
        if text is None:
            self.erase()
            self._due = None
            return None
        now = time.monotonic()
        if self._due is None:
            self._due = now + INTERVAL
        if now >= self._due:
            self._due = now + INTERVAL
            self._paint(text)
        return self._due - now

    def make_room(self, data: bytes) -> None:
        """Erase the line before `data` is written; an unfinished line of text is never drawn over."""
        self.erase()
        self._is_line_start = data.endswith(b"\n")

    def erase(self) -> None:
        """Erase the line if it is drawn."""
        if self._is_drawn:
            self._is_drawn = False
            self._write("\r\x1b[K")

    def _paint(self, text: str) -> None:
        if not self._is_line_start:
            return
        self._frame = (self._frame + 1) % len(_FRAMES)
        line = shorten(text, min(LONGEST, self._columns() - 3))
        self._is_drawn = True
        self._write(f"\r\x1b[2m{_FRAMES[self._frame]} {line}\x1b[0m\x1b[K")

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._descriptor).columns or 80
        except OSError:
            return 80

    def _write(self, text: str) -> None:
        with suppress(OSError):  # A lost frame is redrawn; a closed terminal is reported elsewhere.
            os.write(self._descriptor, text.encode())
