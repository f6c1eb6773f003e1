"""The seam to conversation memory: what a run asks of a session."""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields
from typing import Any, Protocol, TypeAlias, runtime_checkable

from agentctl._dataclass import dataclass

from .wire import WireItem

SessionInputCallback: TypeAlias = Callable[[list[WireItem], list[WireItem]], list[WireItem] | Awaitable[list[WireItem]]]
"""Makes the input of a run of what the session holds and of what is new; the new items that it keeps are saved."""


@dataclass
class SessionSettings:
    """How a session is read.

    Raises:
        ValueError: the limit is no whole number.
    """

    limit: int | None = None
    """How many items a run is given, the newest; None is all."""

    def __post_init__(self) -> None:
        if self.limit is not None and (isinstance(self.limit, bool) or not isinstance(self.limit, int)):
            raise ValueError(f"SessionSettings.limit is a whole number or None, not {self.limit!r}")

    def resolve(self, override: SessionSettings | dict[str, Any] | None) -> SessionSettings:
        """Return these settings with those values of `override` in place that are not None.

        Raises:
            TypeError: there is no such setting.
        """
        over = session_settings(override)
        return SessionSettings(limit=self.limit if over.limit is None else over.limit)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings by name."""
        return asdict(self)


def session_settings(given: SessionSettings | dict[str, Any] | None) -> SessionSettings:
    """Return the settings from what a caller may give.

    Raises:
        TypeError: there is no such setting.
    """
    if isinstance(given, SessionSettings):
        return given
    known = {field.name for field in fields(SessionSettings)}
    if unknown := set(given or ()) - known:
        raise TypeError(f"there is no session setting {sorted(unknown)[0]!r}; the settings are {', '.join(known)}")
    return SessionSettings(**(given or {}))


@runtime_checkable
class Session(Protocol):
    """A conversation that runs go on from and are kept in: any object with these.

    What a session raises ends the run as it is.
    """

    session_id: str
    session_settings: SessionSettings | None = None

    async def get_items(self, limit: int | None = None) -> list[WireItem]:
        """Return the items, the oldest first; with a limit the newest so many."""
        ...

    async def add_items(self, items: list[WireItem]) -> None:
        """Append items: all of them or, if it fails, none."""
        ...

    async def pop_item(self) -> WireItem | None:
        """Take away the newest item and return it; None where there is none."""
        ...

    async def clear_session(self) -> None:
        """Take away every item."""
        ...


class SessionABC(abc.ABC):
    """A session to build on."""

    session_id: str
    session_settings: SessionSettings | None = None

    @abc.abstractmethod
    async def get_items(self, limit: int | None = None) -> list[WireItem]:
        """Return the items, the oldest first; with a limit the newest so many."""

    @abc.abstractmethod
    async def add_items(self, items: list[WireItem]) -> None:
        """Append items: all of them or, if it fails, none."""

    @abc.abstractmethod
    async def pop_item(self) -> WireItem | None:
        """Take away the newest item and return it; None where there is none."""

    @abc.abstractmethod
    async def clear_session(self) -> None:
        """Take away every item."""
