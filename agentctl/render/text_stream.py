"""Streams of text: deltas of one message in, text to show out."""

from __future__ import annotations

from typing import Protocol

from .escape import escape


class TextStream(Protocol):
    """Converts the text of one message as it arrives."""

    def feed(self, text: str) -> str:
        """Return the text to show after another delta."""

    def close(self) -> str:
        """Return the remaining text; the whole output then ends with a line break, unless it is empty."""


class VerbatimStream:
    """Unchanged text, for a pipe."""

    def __init__(self) -> None:
        self._last = ""

    def feed(self, text: str) -> str:
        """Return the text unchanged."""
        if text:
            self._last = text
        return text

    def close(self) -> str:
        """Return a line break if the text does not end with one."""
        return "\n" if self._last and not self._last.endswith("\n") else ""


class EscapedStream:
    """Plain text with control characters escaped, for a terminal."""

    def __init__(self) -> None:
        self._pending_cr = ""
        self._verbatim = VerbatimStream()

    def feed(self, text: str) -> str:
        """Return the escaped text; a final CR is delayed until the next character is known to be LF or not."""
        text = self._pending_cr + text
        self._pending_cr = "\r" if text.endswith("\r") else ""
        return self._verbatim.feed(escape(text.removesuffix("\r")))

    def close(self) -> str:
        """Return a delayed CR, and a line break if the text does not end with one."""
        return self._verbatim.feed(escape(self._pending_cr)) + self._verbatim.close()
