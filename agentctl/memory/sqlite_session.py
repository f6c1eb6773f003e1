"""Sessions stored in a SQLite file or in memory."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from agentctl.agent.session import SessionABC, SessionSettings
from agentctl.agent.session import session_settings as settings_of
from agentctl.agent.wire import WireItem
from agentctl.errors import UserError
from agentctl.redaction import excerpt, redact_data
from agentctl.threads import in_daemon_thread

from .sqlite_file import IN_MEMORY, SQLiteFile

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

SESSIONS_TABLE = "agent_sessions"
MESSAGES_TABLE = "agent_messages"

_STRUCTURE = frozenset({"type", "role", "name", "status", "encrypted_content"})
"""Fields that are not redacted, since a change to them would break the item."""


class SQLiteSession(SessionABC):
    """A session in a SQLite file, which can hold many, or by default in memory for the lifetime of the object.

    Several processes can append concurrently. The file is created on first use, readable only by this user. Registered
    secrets that look like one are masked in it, and `has_masked` is then true; this object returns its own items as
    they were added.

    Raises:
        ConfigurationError: the file cannot be opened or written, or is damaged.
        SessionInUseError: another process kept the file locked for too long.
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
        self._sessions, self._messages = quote_name(sessions_table), quote_name(messages_table)
        self._file = SQLiteFile(str(db_path), schema(sessions_table, messages_table))
        self._originals: dict[int, str] = {}
        """Items added here that the file has masked, by row."""
        self._has_noted_masking = False
        # Closes the file with the object if `close` is not called.
        self._close = weakref.finalize(self, self._file.close)

    @property
    def has_masked(self) -> bool:
        """Return whether an item added here contained a secret, which the file does not have."""
        return bool(self._originals)

    def take_masking(self) -> bool:
        """Return whether an item was masked, once: true at the first call after that, false at all others."""
        is_new = self.has_masked and not self._has_noted_masking
        self._has_noted_masking |= is_new
        return is_new

    async def get_items(self, limit: int | None = None) -> list[WireItem]:
        """Return the items, oldest first; with a limit, by default that of the settings, only the most recent ones."""
        if limit is None and self.session_settings is not None:
            limit = self.session_settings.limit
        query = f"SELECT id, message_data FROM {self._messages} WHERE session_id = ? ORDER BY id DESC LIMIT ?"  # noqa: S608

        def read(connection: sqlite3.Connection) -> list[str]:
            rows = connection.execute(query, (self.session_id, -1 if limit is None else limit))
            return [self._originals.get(row, text) for row, text in rows]

        texts = await self._in_thread(lambda: self._file.read(read))
        items = [decode_item(text) for text in reversed(texts)]
        return [item for item in items if item is not None]

    async def add_items(self, items: list[WireItem]) -> None:
        """Append items, all or none."""
        if not items:
            return
        texts = [_encode(item, redacts=self._file.path != IN_MEMORY) for item in items]
        sessions, messages, session_id = self._sessions, self._messages, self.session_id

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(f"INSERT OR IGNORE INTO {sessions} (session_id) VALUES (?)", (session_id,))  # noqa: S608
            insert = f"INSERT INTO {messages} (session_id, message_data) VALUES (?, ?)"  # noqa: S608
            for text, original in texts:
                row = connection.execute(insert, (session_id, text)).lastrowid
                if original is not None and row is not None:
                    self._originals[row] = original
            connection.execute(
                f"UPDATE {sessions} SET updated_at = CURRENT_TIMESTAMP WHERE session_id = ?",  # noqa: S608
                (session_id,),
            )

        await self._in_thread(lambda: self._file.write(write))

    async def pop_item(self) -> WireItem | None:
        """Remove and return the most recent item; None if there is none."""
        newest = f"SELECT id, message_data FROM {self._messages} WHERE session_id = ? ORDER BY id DESC LIMIT 1"  # noqa: S608
        delete = f"DELETE FROM {self._messages} WHERE id = ?"  # noqa: S608

        def write(connection: sqlite3.Connection) -> WireItem | None:
            while (row := connection.execute(newest, (self.session_id,)).fetchone()) is not None:
                connection.execute(delete, row[:1])
                if (item := decode_item(self._originals.pop(row[0], row[1]))) is not None:
                    return item
            return None

        return await self._in_thread(lambda: self._file.write(write))

    async def clear_session(self) -> None:
        """Remove all items."""

        def write(connection: sqlite3.Connection) -> None:
            self._originals.clear()
            for table in (self._messages, self._sessions):
                connection.execute(f"DELETE FROM {table} WHERE session_id = ?", (self.session_id,))  # noqa: S608

        await self._in_thread(lambda: self._file.write(write))

    def close(self) -> None:
        """Close the file; the session cannot be used again, and one in memory is lost."""
        self._close()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        # In a thread of its own, a write completes even if its caller is cancelled.
        return await in_daemon_thread(work, name=f"session {self.session_id}")


def schema(sessions_table: str = SESSIONS_TABLE, messages_table: str = MESSAGES_TABLE) -> str:
    """Return the statements that create the tables, with the schema of the Agents SDK."""
    sessions, messages = quote_name(sessions_table), quote_name(messages_table)
    index = quote_name(f"idx_{messages_table}_session_id")
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


def quote_name(name: str) -> str:
    """Return any name as a quoted SQL identifier."""
    return '"{}"'.format(name.replace('"', '""'))


def _encode(item: WireItem, *, redacts: bool) -> tuple[str, str | None]:
    """Return the JSON of an item for the file and, if that is masked, the JSON of the item itself."""
    try:
        original = json.dumps(item)
        masked = json.dumps(redact_data(item, unchanged=_STRUCTURE)) if redacts else original
    except (TypeError, ValueError) as error:
        raise UserError(f"session items must be JSON ({error}): {excerpt(repr(item))}") from error
    return masked, None if masked == original else original


def decode_item(text: str) -> WireItem | None:
    """Parse an item; return None for invalid ones, which other programs may have written."""
    try:
        item = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return item if isinstance(item, dict) else None
