"""What comes of asking the user for the next message, and whoever asks."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from agentctl._dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """A message or command, of one line or many."""

    text: str


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Ctrl-C, with nothing typed."""


@dataclass(frozen=True, slots=True)
class Left:
    """Ctrl-D, or the terminal went away."""


Entry: TypeAlias = Line | Interrupted | Left


class Reader(Protocol):
    """Asks for the next message."""

    async def read(self) -> Entry:
        """Return what the user entered; cancelling leaves the terminal as it was."""
        ...
