"""The saved conversation that a run belongs to, locked until the run ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agentctl._dataclass import dataclass
from agentctl.profile.load import require_folders

from .invocation import Invocation
from .report import UsageError

if TYPE_CHECKING:
    from agentctl.memory.sqlite_session import SQLiteSession
    from agentctl.memory.store import ConversationStore


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """The options `--session` and `--continue`; by default a run has no session."""

    session_id: str | None = None
    continue_latest: bool = False
    """Whether to use the most recent session."""


def store_of(invocation: Invocation) -> ConversationStore:
    """Return the store of the user's conversations.

    Raises:
        ConfigurationError: there is no folder for it.
    """
    # 6 ms, needed only for a run with a session.
    from agentctl.memory.store import ConversationStore

    return ConversationStore.of_user(require_folders(invocation.environ, invocation.config, "sessions cannot be saved"))


@contextmanager
def lock_session(options: SessionOptions, invocation: Invocation) -> Iterator[SQLiteSession | None]:
    """Yield the selected session, or None, locked until the block or the process ends.

    Raises:
        UsageError: both options are given, or there is no session to continue.
        SessionInUseError: another run has locked it.
        ConfigurationError: the file cannot be used, or there is no folder for it.
    """
    name = _name(options, invocation)
    if name is None:
        yield None
        return
    with store_of(invocation).lock_session(name) as session:
        yield session


def read_session(options: SessionOptions, invocation: Invocation) -> SQLiteSession | None:
    """Return the selected session, or None, without locking it; the caller closes it.

    Raises:
        UsageError: both options are given, or there is no session to continue.
        ConfigurationError: the file cannot be used, or there is no folder for it.
    """
    name = _name(options, invocation)
    return None if name is None else store_of(invocation).session(name)


def _name(options: SessionOptions, invocation: Invocation) -> str | None:
    if not options.continue_latest:
        return options.session_id
    if options.session_id is not None:
        raise UsageError("--session names a session and --continue takes the most recent one; use only one of them")
    newest = store_of(invocation).newest()
    if newest is None:
        raise UsageError("there is no session to continue; start one with `--session ID`")
    return newest
