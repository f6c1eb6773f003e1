"""The results of reading the next message, and the interface of the readers."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from agentctl._dataclass import dataclass


@dataclass(frozen=True, slots=True)
class InputLine:
    """A message or command of one or more lines."""

    text: str


@dataclass(frozen=True, slots=True)
class InputInterrupted:
    """Ctrl-C on an empty line."""


@dataclass(frozen=True, slots=True)
class InputClosed:
    """Ctrl-D, or a closed terminal."""


Entry: TypeAlias = InputLine | InputInterrupted | InputClosed


class Reader(Protocol):
    """Reads the next message."""

    async def read(self) -> Entry:
        """Return the user's input; cancelling restores the terminal."""
        ...
