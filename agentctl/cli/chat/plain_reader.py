"""The reader for terminals without cursor movement: one line at a time, edited by the terminal itself."""

from __future__ import annotations

import asyncio
import os
import select

from agentctl.render.escape import escape

from .entry import Entry, InputClosed, InputLine

_PROMPT = b"> "


class PlainReader:
    """Prompts on stderr and reads a line from stdin."""

    def __init__(self, stdin: int = 0, stderr: int = 2) -> None:
        self._stdin = stdin
        self._stderr = stderr
        self._typed = b""
        """Input received but not yet returned."""

    async def read(self) -> Entry:
        """Return the next line, or `InputClosed` at the end of input."""
        loop = asyncio.get_running_loop()
        is_open = self._read_typed()
        line, end, _ = self._typed.partition(b"\n")
        # The terminal has echoed such a line into the last answer.
        echo = escape(line.decode("utf-8", "replace")).encode() + end if end else b""
        os.write(self._stderr, _PROMPT + echo)
        if not is_open:
            return self._end()
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
        return InputLine(line.decode("utf-8", "replace"))

    def _read_typed(self) -> bool:
        """Take the lines that were typed before the prompt; return whether the input goes on."""
        while b"\n" not in self._typed and select.select([self._stdin], [], [], 0)[0]:
            if not (data := self._read()):
                return False
            self._typed += data
        return True

    def _read(self) -> bytes:
        try:
            return os.read(self._stdin, 65536)
        except OSError:  # The terminal is gone.
            return b""

    def _end(self) -> Entry:
        """Return the entry for Ctrl-D: the unfinished line if there is one, else `InputClosed`."""
        os.write(self._stderr, b"\n")
        line, self._typed = self._typed, b""
        return InputLine(line.decode("utf-8", "replace")) if line else InputClosed()
