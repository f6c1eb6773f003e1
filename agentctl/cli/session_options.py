"""The kept conversation that a run is part of: this run's alone, until it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError
from agentctl.profile.load import NO_HOME, find_paths

from .invocation import Invocation
from .report import UsageError

if TYPE_CHECKING:
    from agentctl.memory.sqlite_session import SQLiteSession
    from agentctl.memory.store import ConversationStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line says of a session; by default there is none."""

    session_id: str | None = None
    continues: bool = False
    """Whether the newest one is wanted."""


def store_of(invocation: Invocation) -> ConversationStore:
    """Return where conversations are kept.

    Raises:
        ConfigurationError: there is no place to keep them.
    """
    # 6 ms that only a run with a session pays.
    from agentctl.memory.store import ConversationStore

    folders = find_paths(invocation.environ, invocation.config).folders
    if folders is None:
        raise ConfigurationError(f"no session can be kept: {NO_HOME}")
    return ConversationStore.of_user(folders)


@contextmanager
def held_session(wanted: Wanted, invocation: Invocation) -> Iterator[SQLiteSession | None]:
    """Give the session that is wanted, None for none; nobody else has it until the block, or the process, ends.

    Raises:
        UsageError: two are wanted, or the newest where there is none.
        SessionInUseError: another run has it.
        ConfigurationError: the file cannot be used, or there is no place for it.
    """
    name = _name(wanted, invocation)
    if name is None:
        yield None
        return
    with store_of(invocation).lock_session(name) as session:
        yield session


def read_session(wanted: Wanted, invocation: Invocation) -> SQLiteSession | None:
    """Return the session that is wanted, to be read and closed again, whoever has it.

    Raises:
        UsageError: two are wanted, or the newest where there is none.
        ConfigurationError: the file cannot be used, or there is no place for it.
    """
    name = _name(wanted, invocation)
    return None if name is None else store_of(invocation).session(name)


def _name(wanted: Wanted, invocation: Invocation) -> str | None:
    if not wanted.continues:
        return wanted.session_id
    if wanted.session_id is not None:
        raise UsageError("--session names a session, and --continue takes the newest: give one of them")
    newest = store_of(invocation).newest()
    if newest is None:
        raise UsageError("there is no session to continue yet: `--session ID` begins one")
    return newest
