"""The terminal mode during an answer: typed keys are not echoed, and are kept for the next prompt."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


class TerminalMode:
    """Switches the terminal mode and restores the original one."""

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._before = [] if sys.platform == "win32" else _attributes(descriptor)

    @contextmanager
    def no_echo(self) -> Iterator[None]:
        """Read keys without line editing or echo; Ctrl-C still sends a signal."""
        if sys.platform == "win32":
            yield
            return
        import termios

        attributes = _attributes(self._descriptor)
        attributes[0] &= ~termios.ICRNL
        attributes[3] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(self._descriptor, termios.TCSANOW, attributes)
        try:
            yield
        finally:
            self.restore()

    @contextmanager
    def lend(self) -> Iterator[None]:
        """Lend the terminal in its original mode to another program."""
        if sys.platform == "win32":
            yield
            return
        import termios

        current = _attributes(self._descriptor)
        self.restore()
        try:
            yield
        finally:
            termios.tcsetattr(self._descriptor, termios.TCSANOW, current)

    def restore(self) -> None:
        """Restore the original mode, if the terminal still exists."""
        if sys.platform == "win32":
            return
        import termios

        with suppress(termios.error):
            termios.tcsetattr(self._descriptor, termios.TCSANOW, self._before)


def _attributes(descriptor: int) -> list[Any]:
    import termios

    return termios.tcgetattr(descriptor)
