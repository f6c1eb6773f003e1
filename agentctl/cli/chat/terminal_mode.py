"""The manner of the terminal while an answer comes: what is typed meanwhile is kept for the prompt, and not shown."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


class TerminalMode:
    """Knows how the terminal was before the conversation."""

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._before = [] if sys.platform == "win32" else _attributes(descriptor)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Take keys as they are, without showing them; Ctrl-C is still a signal."""
        if sys.platform == "win32":
            yield
            return
        import termios

        wanted = _attributes(self._descriptor)
        wanted[0] &= ~termios.ICRNL
        wanted[3] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(self._descriptor, termios.TCSANOW, wanted)
        try:
            yield
        finally:
            self.restore()

    def restore(self) -> None:
        """Make the terminal what it was, if it is still there."""
        if sys.platform == "win32":
            return
        import termios

        with suppress(termios.error):
            termios.tcsetattr(self._descriptor, termios.TCSANOW, self._before)


def _attributes(descriptor: int) -> list[Any]:
    import termios

    return termios.tcgetattr(descriptor)
