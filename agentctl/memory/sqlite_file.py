"""Access to `sqlite3`: a database that is opened on first use, with its errors translated."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from agentctl.errors import ConfigurationError, SessionInUseError
from agentctl.redaction import excerpt
from agentctl.storage import make_folder

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

IN_MEMORY = ":memory:"

_LOCK_TIMEOUT = 30.0
"""Seconds to wait for another process to finish its write."""


class SQLiteFile:
    """A database with a single connection; any thread may use it, one at a time.

    Raises:
        ConfigurationError: the file cannot be opened or written, or is damaged.
        SessionInUseError: another process kept it locked for too long.
        OSError: the disk is full.
    """

    def __init__(self, path: str, schema: str, *, noun: str = "conversation database") -> None:
        """Store the path without creating the file.

        `schema` holds the statements that create missing tables; `noun` names the file in messages.
        """
        self.path = path
        self._noun = noun
        self._schema = schema
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._is_closed = False

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Call `work` with the connection and return its result."""
        with self._use_connection() as connection:
            return work(connection)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Call `work` in a transaction and return its result; if it fails, nothing is written."""
        with self._use_connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            return result

    def close(self) -> None:
        """Close the connection permanently."""
        with self._lock:
            self._is_closed = True
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _use_connection(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._failures():
            if self._is_closed:
                raise RuntimeError(f"the {self._noun} {self.path} is closed")
            if self._connection is None:
                self._connection = self._open()
            yield self._connection

    def _open(self) -> sqlite3.Connection:
        # 6 ms, spent only for runs with memory.
        import sqlite3

        if self.path != IN_MEMORY:
            self._create()
        connection = sqlite3.connect(self.path, timeout=_LOCK_TIMEOUT, isolation_level=None, check_same_thread=False)
        connection.text_factory = _text
        try:
            if self.path != IN_MEMORY:
                _enable_wal(connection)
                connection.execute("PRAGMA secure_delete = ON")  # Deleted items do not remain in the file.
            connection.executescript(f"BEGIN IMMEDIATE; {self._schema}; COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _create(self) -> None:
        """Create a missing file, readable only by this user; SQLite gives its auxiliary files the same mode."""
        path = Path(self.path)
        try:
            make_folder(path.parent)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            raise ConfigurationError(
                f"cannot write the {self._noun}: {error.strerror}; choose a writable folder", file=path
            ) from error

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Translate the errors of `sqlite3`."""
        import sqlite3

        try:
            yield
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                raise
            raise self._translate(error) from error
        except UnicodeDecodeError as error:  # From a message of SQLite that quotes a damaged schema.
            raise self._damage_error("its schema is not text") from error

    def _damage_error(self, reason: str) -> ConfigurationError:
        return ConfigurationError(
            f"not a {self._noun}, or damaged ({excerpt(reason)}): move it away to start a new one",
            file=Path(self.path),
        )

    def _translate(self, error: sqlite3.DatabaseError) -> Exception:
        import sqlite3

        code, path = error.sqlite_errorcode & 0xFF, Path(self.path)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return SessionInUseError(
                f"{path}: another process kept the {self._noun} locked for {_LOCK_TIMEOUT:g} s; try again"
            )
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            return OSError(errno.ENOSPC, f"cannot write the {self._noun} ({error}): the disk may be full", self.path)
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
            return ConfigurationError(
                f"cannot write the {self._noun} ({error}): check its owner and permissions", file=path
            )
        return self._damage_error(str(error))


def _text(data: bytes) -> str:
    """Return text for any bytes, which other programs may have written."""
    return data.decode("utf-8", "replace")


def _enable_wal(connection: sqlite3.Connection) -> None:
    """Enable write-ahead logging, retrying while the file is busy, since SQLite itself does not wait in this case."""
    import sqlite3

    deadline = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if mode != "wal":
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
