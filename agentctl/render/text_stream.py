"""Streams of text: deltas of one message in, text to show out."""

from __future__ import annotations

import re
from typing import Protocol

from agentctl.redaction import RedactedStream

from .escape import disarm, escape


class SurrogateJoiner:
    """Joins the halves of a character outside of the basic plane that a service split over two deltas."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, text: str) -> str:
        """Return the text of a delta; a half at its end is kept until the next one."""
        if text.isascii() and not self._half:
            return text
        text = self._half + text
        self._half = text[-1] if text and "\ud800" <= text[-1] <= "\udbff" else ""
        text = text.removesuffix(self._half)
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


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


class MessageStream:
    """A text of the model for stderr: secrets are masked, and no line is a command to the runner of a CI system."""

    _UNDECIDED = re.compile(r"[^\S\n]*(:|##?v?s?o?)?")
    """The beginning of a line that may become a command."""

    def __init__(self, target: TextStream) -> None:
        """Pass the text on to `target`."""
        self._target = target
        self._redacted = RedactedStream()
        self._held = ""
        self._begins_line = True

    def feed(self, text: str) -> str:
        """Return what can be shown after another delta."""
        return self._target.feed(self._disarm(self._redacted.feed(text)))

    def close(self) -> str:
        """Return the remaining text."""
        rest = self._disarm(self._redacted.close()) + self._held
        return self._target.feed(rest) + self._target.close()

    def _disarm(self, text: str) -> str:
        text, self._held = self._held + text, ""
        start, line_break, line = text.rpartition("\n")
        if (line_break or self._begins_line) and self._UNDECIDED.fullmatch(line):
            text, self._held = start + line_break, line
        if not text:
            return ""
        first, line_break, rest = text.partition("\n")
        shown = (disarm(first) if self._begins_line else first) + line_break + disarm(rest)
        self._begins_line = text.endswith("\n")
        return shown


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
