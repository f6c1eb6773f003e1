"""Port for conversation memory: sessions and their settings."""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields
from typing import Any, Literal, Protocol, TypeAlias, TypedDict, TypeGuard, runtime_checkable

from agentctl._dataclass import dataclass

from .wire import WireItem

SessionInputCallback: TypeAlias = Callable[[list[WireItem], list[WireItem]], list[WireItem] | Awaitable[list[WireItem]]]
"""Combines the session's items and the new items into a run's input; new items that it keeps are saved."""


@dataclass
class SessionSettings:
    """Settings for reading a session.

    Raises:
        ValueError: the limit is not an integer.
    """

    limit: int | None = None
    """Number of items to read, the most recent ones; None is all."""

    def __post_init__(self) -> None:
        if self.limit is not None and (isinstance(self.limit, bool) or not isinstance(self.limit, int)):
            raise ValueError(f"SessionSettings.limit must be an integer or None, not {self.limit!r}")

    def resolve(self, override: SessionSettings | dict[str, Any] | None) -> SessionSettings:
        """Return these settings, overridden by every value that `override` sets.

        Raises:
            TypeError: a setting is unknown.
        """
        other = session_settings(override)
        return SessionSettings(limit=self.limit if other.limit is None else other.limit)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a dict."""
        return asdict(self)


def session_settings(value: SessionSettings | dict[str, Any] | None) -> SessionSettings:
    """Return session settings, given as an object, a dict or None.

    Raises:
        TypeError: a setting is unknown.
    """
    if isinstance(value, SessionSettings):
        return value
    known = {field.name for field in fields(SessionSettings)}
    if unknown := set(value or ()) - known:
        raise TypeError(f"unknown session setting {sorted(unknown)[0]!r}; the settings are {', '.join(known)}")
    return SessionSettings(**(value or {}))


@runtime_checkable
class Session(Protocol):
    """A conversation that runs continue and are saved in: any object with these members.

    Exceptions of a session end the run unchanged.
    """

    session_id: str
    session_settings: SessionSettings | None = None

    async def get_items(self, limit: int | None = None) -> list[WireItem]:
        """Return the items, oldest first; with a limit, only that many of the most recent ones."""
        ...

    async def add_items(self, items: list[WireItem]) -> None:
        """Append items, all or none."""
        ...

    async def pop_item(self) -> WireItem | None:
        """Remove and return the most recent item; None if there is none."""
        ...

    async def clear_session(self) -> None:
        """Remove all items."""
        ...


class SessionABC(abc.ABC):
    """Abstract base class for sessions."""

    session_id: str
    session_settings: SessionSettings | None = None

    @abc.abstractmethod
    async def get_items(self, limit: int | None = None) -> list[WireItem]:
        """Return the items, oldest first; with a limit, only that many of the most recent ones."""

    @abc.abstractmethod
    async def add_items(self, items: list[WireItem]) -> None:
        """Append items, all or none."""

    @abc.abstractmethod
    async def pop_item(self) -> WireItem | None:
        """Remove and return the most recent item; None if there is none."""

    @abc.abstractmethod
    async def clear_session(self) -> None:
        """Remove all items."""


class OpenAIResponsesCompactionArgs(TypedDict, total=False):
    """Arguments of `run_compaction`."""

    response_id: str
    """The response that ended the history."""
    compaction_mode: Literal["previous_response_id", "input", "auto"]
    store: bool
    """Whether the service stored that response."""
    force: bool
    """Whether to compact however short the history is."""


@runtime_checkable
class OpenAIResponsesCompactionAwareSession(Session, Protocol):
    """A session that the engine asks after each run to compact its history."""

    async def run_compaction(self, args: OpenAIResponsesCompactionArgs | None = None) -> None:
        """Compact the history, if it is time to."""
        ...


def is_openai_responses_compaction_aware_session(
    session: Session | None,
) -> TypeGuard[OpenAIResponsesCompactionAwareSession]:
    """Return whether a session compacts its history."""
    return callable(getattr(session, "run_compaction", None))


def coerce_session_settings(value: SessionSettings | dict[str, Any] | None) -> SessionSettings | None:
    """Return session settings given as an object or a dict; None stays None."""
    return None if value is None else session_settings(value)


def resolve_session_limit(explicit_limit: int | None, settings: SessionSettings | None) -> int | None:
    """Return the limit of a call, else that of the settings."""
    return settings.limit if explicit_limit is None and settings is not None else explicit_limit
