"""Storage of a user's conversations: listing, deleting, and locking one for the duration of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from agentctl.agent.wire import WireItem
from agentctl.errors import ConfigurationError, SessionInUseError
from agentctl.storage import Folders, try_lock

from .sqlite_file import SQLiteFile
from .sqlite_session import MESSAGES_TABLE, SESSIONS_TABLE, SQLiteSession, decode_item, schema

if TYPE_CHECKING:
    import sqlite3


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationSummary:
    """A conversation's entry in a list."""

    session_id: str
    created: str
    """UTC, RFC 3339."""
    updated: str
    items: int
    begin: str
    """Beginning of the user's first message."""


class ConversationStore:
    """The conversations in a folder: a SQLite file, and a lock file for each conversation.

    Raises:
        ConfigurationError: the file or its folder cannot be opened or written, or the file is damaged.
        SessionInUseError: another run uses the conversation, or another process has locked the file.
        OSError: the disk is full, or a lock cannot be created.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "conversations.db"
        self._folder = folder

    @classmethod
    def of_user(cls, folders: Folders) -> Self:
        """Return the store in a user's state folder."""
        return cls(folders.state / "sessions")

    def session(self, session_id: str) -> SQLiteSession:
        """Return the session of a new or existing conversation, which is created on first use."""
        return SQLiteSession(session_id, self.path)

    @contextmanager
    def lock_session(self, session_id: str) -> Iterator[SQLiteSession]:
        """Lock a conversation for the duration of the block and yield its session."""
        with self._lock(session_id):
            session = self.session(session_id)
            try:
                yield session
            finally:
                session.close()

    def newest(self) -> str | None:
        """Return the id of the most recently updated conversation."""
        found = self._rows(f"SELECT session_id FROM {MESSAGES_TABLE} ORDER BY id DESC LIMIT 1")  # noqa: S608
        return str(found[0][0]) if found else None

    def conversations(self) -> list[ConversationSummary]:
        """Return all conversations, most recently updated first."""
        rows = self._rows(f"""
            SELECT sessions.session_id, sessions.created_at, updated_at, items, message_data
            FROM (
                SELECT session_id, count(*) AS items, min(id) AS first, max(id) AS last
                FROM {MESSAGES_TABLE} GROUP BY session_id
            ) AS found JOIN {SESSIONS_TABLE} AS sessions USING (session_id) JOIN {MESSAGES_TABLE} AS messages
                ON messages.id = found.first
            ORDER BY last DESC
        """)  # noqa: S608
        return [
            ConversationSummary(
                session_id=str(session_id),
                created=_rfc3339(created),
                updated=_rfc3339(updated),
                items=int(items),
                begin=_text(first),
            )
            for session_id, created, updated, items, first in rows
        ]

    def items(self, session_id: str) -> list[WireItem]:
        """Return the items of a conversation, oldest first.

        Raises:
            ConfigurationError: there is no such conversation.
        """
        query = f"SELECT message_data FROM {MESSAGES_TABLE} WHERE session_id = ? ORDER BY id"  # noqa: S608
        texts = [text for (text,) in self._rows(query, session_id)]
        if not texts:
            raise self._missing(session_id)
        return [item for text in texts if (item := decode_item(text)) is not None]

    def delete(self, session_id: str) -> int:
        """Delete a conversation and return its number of items.

        Raises:
            ConfigurationError: there is no such conversation.
        """
        if not self.path.exists():
            raise self._missing(session_id)

        def write(connection: sqlite3.Connection) -> int:
            delete = "DELETE FROM {} WHERE session_id = ?"
            connection.execute(delete.format(SESSIONS_TABLE), (session_id,))
            return connection.execute(delete.format(MESSAGES_TABLE), (session_id,)).rowcount

        with self._lock(session_id) as lock:
            file = self._file()
            try:
                count = file.write(write)
            finally:
                file.close()
            lock.unlink(missing_ok=True)
        if count == 0:
            raise self._missing(session_id)
        return count

    @contextmanager
    def _lock(self, session_id: str) -> Iterator[Path]:
        lock = self._folder / f"{session_id}.lock"
        with try_lock(lock) as is_free:
            if not is_free:
                raise SessionInUseError(
                    f"session {session_id!r} is in use by another run: try again when it has finished, or choose "
                    "another session with --session"
                )
            yield lock

    def _rows(self, query: str, *values: str) -> list[tuple[str, ...]]:
        if not self.path.exists():
            return []
        file = self._file()
        try:
            return file.read(lambda connection: connection.execute(query, values).fetchall())
        finally:
            file.close()

    def _file(self) -> SQLiteFile:
        return SQLiteFile(str(self.path), schema())

    def _missing(self, session_id: str) -> ConfigurationError:
        return ConfigurationError(f"no session {session_id!r}; `agentctl sessions list` lists the sessions")


def _rfc3339(text: str) -> str:
    return f"{text.replace(' ', 'T')}Z"


def _text(data: str) -> str:
    """Return the beginning of an item's text in one line."""
    item = decode_item(data) or {}
    content = item.get("content")
    if isinstance(content, list):
        content = next((part.get("text") for part in content if isinstance(part, dict) and part.get("text")), "")
    return " ".join(content.split())[:200] if isinstance(content, str) else ""
