"""The reader for a terminal that cannot move its cursor: the terminal's own line editing, a line at a time."""

from __future__ import annotations

import asyncio
import os

from .entry import Entry, Left, Line

_PROMPT = b"> "


class PlainReader:
    """Writes a prompt to stderr and reads a line from stdin."""

    def __init__(self, stdin: int = 0, stderr: int = 2) -> None:
        self._stdin = stdin
        self._stderr = stderr
        self._typed = b""
        """What came and was not asked for yet."""

    async def read(self) -> Entry:
        """Return the next line, or that there is none any more."""
        loop = asyncio.get_running_loop()
        os.write(self._stderr, _PROMPT)
        arrived = asyncio.Event()
        loop.add_reader(self._stdin, arrived.set)
        try:
            while b"\n" not in self._typed:
                await arrived.wait()
                arrived.clear()
                data = self._read()
                if not data:
                    return self._end()
                self._typed += data
        except asyncio.CancelledError:
            os.write(self._stderr, b"\n")
            raise
        finally:
            loop.remove_reader(self._stdin)
        line, _, self._typed = self._typed.partition(b"\n")
        return Line(line.decode("utf-8", "replace"))

    def _read(self) -> bytes:
        try:
            return os.read(self._stdin, 65536)
        except OSError:  # The terminal is gone.
            return b""

    def _end(self) -> Entry:
        """Return what Ctrl-D means: after a part of a line it sends that, as the terminal has it, else it leaves."""
        os.write(self._stderr, b"\n")
        line, self._typed = self._typed, b""
        return Line(line.decode("utf-8", "replace")) if line else Left()
