"""The live line: one line on a terminal that says what is being waited for, drawn again and again, and erased."""

from __future__ import annotations

import os
import time
from contextlib import suppress

from .escape import shorten

INTERVAL = 0.1
"""Seconds between two frames, and before the first: what takes less is not worth a flicker."""

LONGEST = 60
"""Columns; a short line is not wrapped when the window gets narrower."""

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class LiveLine:
    """Draws the line; every method but setting `text` belongs to the one thread that writes to the terminal."""

    def __init__(self, descriptor: int) -> None:
        self.text: str | None = None
        self._descriptor = descriptor
        self._due: float | None = None
        self._frame = 0
        self._is_drawn = False
        self._is_line_start = True

    def draw(self) -> float | None:
        """Draw or erase the line as is due; return in how many seconds to call again, None for not before a change."""
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

    def give_way(self, data: bytes) -> None:
        """Erase the line, for this data is about to be written; a line of text that has not ended is not drawn over."""
        self.erase()
        self._is_line_start = data.endswith(b"\n")

    def erase(self) -> None:
        """Take the line away, if it is there."""
        if self._is_drawn:
            self._is_drawn = False
            self._write("\r\x1b[K")

    def _paint(self, text: str) -> None:
        if not self._is_line_start:
            return
        self._frame = (self._frame + 1) % len(_FRAMES)
        shown = shorten(text, min(LONGEST, self._columns() - 3))
        self._is_drawn = True
        self._write(f"\r\x1b[2m{_FRAMES[self._frame]} {shown}\x1b[0m\x1b[K")

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._descriptor).columns or 80
        except OSError:
            return 80

    def _write(self, text: str) -> None:
        with suppress(OSError):  # A frame that is lost is drawn again; a terminal that is gone is not ours to report.
            os.write(self._descriptor, text.encode())
