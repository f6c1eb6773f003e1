"""A conversation in a SQLite file, or in memory."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from agentctl.agent.session import SessionABC, SessionSettings
from agentctl.agent.session import session_settings as settings_of
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.errors import UserError
from agentctl.redaction import redact
from agentctl.threads import in_daemon_thread

from .sqlite_file import IN_MEMORY, SQLiteFile

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

SESSIONS_TABLE = "agent_sessions"
MESSAGES_TABLE = "agent_messages"

_STRUCTURE = frozenset({"type", "role", "id", "call_id", "name", "status", "encrypted_content"})
"""Fields that are no text: a secret that happens to be part of one would break the item."""


class SQLiteSession(SessionABC):
    """Keeps a conversation in a SQLite file, which may hold many; the default is one in memory, gone with the object.

    What several processes append at once is all kept. Secrets that were resolved as such do not get into a file. The
    file is made when first used, for this user alone.

    Raises:
        ConfigurationError: the file cannot be opened or written, or is damaged.
        SessionInUseError: another process has kept the file locked for too long.
        OSError: the disk is full.
    """

    def __init__(
        self,
        session_id: str,
        db_path: str | Path = IN_MEMORY,
        sessions_table: str = SESSIONS_TABLE,
        messages_table: str = MESSAGES_TABLE,
        session_settings: SessionSettings | dict[str, Any] | None = None,
    ) -> None:
        self.session_id = session_id
        self.session_settings: SessionSettings | None = settings_of(session_settings)
        self.db_path = db_path
        self._sessions, self._messages = quoted(sessions_table), quoted(messages_table)
        self._file = SQLiteFile(str(db_path), schema(sessions_table, messages_table))
        # A session that nobody closes is closed with the object.
        self._close = weakref.finalize(self, self._file.close)

    async def get_items(self, limit: int | None = None) -> list[WireItem]:
        """Return the items, the oldest first; with a limit, or that of the settings, the newest so many."""
        if limit is None and self.session_settings is not None:
            limit = self.session_settings.limit
        found = f"SELECT message_data FROM {self._messages} WHERE session_id = ? ORDER BY id DESC LIMIT ?"  # noqa: S608

        def read(connection: sqlite3.Connection) -> list[str]:
            return [text for (text,) in connection.execute(found, (self.session_id, -1 if limit is None else limit))]

        texts = await self._in_thread(lambda: self._file.read(read))
        items = [decoded(text) for text in reversed(texts)]
        return [item for item in items if item is not None]

    async def add_items(self, items: list[WireItem]) -> None:
        """Append items: all of them or, if it fails, none."""
        if not items:
            return
        texts = [_encoded(item, is_kept=self._file.path != IN_MEMORY) for item in items]
        sessions, messages, session_id = self._sessions, self._messages, self.session_id

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(f"INSERT OR IGNORE INTO {sessions} (session_id) VALUES (?)", (session_id,))  # noqa: S608
            connection.executemany(
                f"INSERT INTO {messages} (session_id, message_data) VALUES (?, ?)",  # noqa: S608
                [(session_id, text) for text in texts],
            )
            connection.execute(
                f"UPDATE {sessions} SET updated_at = CURRENT_TIMESTAMP WHERE session_id = ?",  # noqa: S608
                (session_id,),
            )

        await self._in_thread(lambda: self._file.write(write))

    async def pop_item(self) -> WireItem | None:
        """Take away the newest item and return it; None where there is none."""
        newest = f"SELECT id, message_data FROM {self._messages} WHERE session_id = ? ORDER BY id DESC LIMIT 1"  # noqa: S608
        delete = f"DELETE FROM {self._messages} WHERE id = ?"  # noqa: S608

        def write(connection: sqlite3.Connection) -> WireItem | None:
            while (row := connection.execute(newest, (self.session_id,)).fetchone()) is not None:
                connection.execute(delete, row[:1])
                if (item := decoded(row[1])) is not None:
                    return item
            return None

        return await self._in_thread(lambda: self._file.write(write))

    async def clear_session(self) -> None:
        """Take away every item."""

        def write(connection: sqlite3.Connection) -> None:
            for table in (self._messages, self._sessions):
                connection.execute(f"DELETE FROM {table} WHERE session_id = ?", (self.session_id,))  # noqa: S608

        await self._in_thread(lambda: self._file.write(write))

    def close(self) -> None:
        """Close the file; the session cannot be used again, and one in memory is gone."""
        self._close()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        # A write that was begun ends, whatever becomes of who waits for it.
        return await in_daemon_thread(work, name=f"session {self.session_id}")


def schema(sessions_table: str = SESSIONS_TABLE, messages_table: str = MESSAGES_TABLE) -> str:
    """Return the statements that make the tables: those that files of the Agents SDK have."""
    sessions, messages = quoted(sessions_table), quoted(messages_table)
    index = quoted(f"idx_{messages_table}_session_id")
    return f"""
        CREATE TABLE IF NOT EXISTS {sessions} (
            session_id TEXT PRIMARY KEY,
            created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
            updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
        );
        CREATE TABLE IF NOT EXISTS {messages} (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            session_id TEXT NOT NULL REFERENCES {sessions} (session_id) ON DELETE CASCADE,
            message_data TEXT NOT NULL,
            created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
        );
        CREATE INDEX IF NOT EXISTS {index} ON {messages} (session_id, id)
    """


def quoted(name: str) -> str:
    """Return a name as SQL reads it, whatever is in it."""
    return '"{}"'.format(name.replace('"', '""'))


def _encoded(item: WireItem, *, is_kept: bool) -> str:
    try:
        return json.dumps(without_secrets(item) if is_kept else item)
    except (TypeError, ValueError) as error:
        raise UserError(f"an item of a session is JSON, and this is none ({error}): {item!r:.200}") from error


def without_secrets(value: JSONValue) -> JSONValue:
    """Return an item with no secret in its texts."""
    match value:
        case str():
            return redact(value)
        case dict():
            return {name: kept if name in _STRUCTURE else without_secrets(kept) for name, kept in value.items()}
        case list():
            return [without_secrets(kept) for kept in value]
        case _:
            return value


def decoded(text: str) -> WireItem | None:
    """Return an item; None for what is none, which somebody else wrote."""
    try:
        item = json.loads(text)
    except ValueError:
        return None
    return item if isinstance(item, dict) else None
