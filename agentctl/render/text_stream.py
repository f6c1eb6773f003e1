"""Text as it flows: one message's text in pieces in, what is shown of it out."""

from __future__ import annotations

from typing import Protocol

from .escape import escape


class Flow(Protocol):
    """The text of one message on its way to a stream."""

    def feed(self, text: str) -> str:
        """Return what can be shown now that this much more has come."""

    def close(self) -> str:
        """Return what is left to show; all that was shown ends with a line break."""


class Verbatim:
    """Text as it is: data for a pipe."""

    def __init__(self) -> None:
        self._last = ""

    def feed(self, text: str) -> str:
        """Return the text."""
        if text:
            self._last = text
        return text

    def close(self) -> str:
        """Return a line break where the text has none at its end."""
        return "\n" if self._last and not self._last.endswith("\n") else ""


class Escaped:
    """Text as it is, made safe for a terminal."""

    def __init__(self) -> None:
        self._held = ""
        self._verbatim = Verbatim()

    def feed(self, text: str) -> str:
        """Return the text with control characters escaped; a CR waits until it is known whether LF follows."""
        text = self._held + text
        self._held = "\r" if text.endswith("\r") else ""
        return self._verbatim.feed(escape(text.removesuffix("\r")))

    def close(self) -> str:
        """Return what was held, and a line break where the text has none at its end."""
        return self._verbatim.feed(escape(self._held)) + self._verbatim.close()
