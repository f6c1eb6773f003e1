"""The one door to `sqlite3`: a file of conversations, opened when first used, its failures said in words."""

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
from agentctl.storage import make_folder

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

IN_MEMORY = ":memory:"

_PATIENCE = 30.0
"""Seconds to wait for another process to finish its write."""


class SQLiteFile:
    """A database and the one connection to it; any thread may use it, one at a time.

    Raises:
        ConfigurationError: the file cannot be opened or written, or is damaged.
        SessionInUseError: another process has kept it locked for too long.
        OSError: the disk is full.
    """

    def __init__(self, path: str, schema: str) -> None:
        """Make no file yet; `schema` is the statements that make what is missing in it."""
        self.path = path
        self._schema = schema
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._is_closed = False

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` reads."""
        with self._opened() as connection:
            return work(connection)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` gives, once all that it has written is in the file; nothing of it if it fails."""
        with self._opened() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                given = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            return given

    def close(self) -> None:
        """Close the connection, for good."""
        with self._lock:
            self._is_closed = True
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._failures():
            if self._is_closed:
                raise RuntimeError(f"the session in {self.path} is closed")
            if self._connection is None:
                self._connection = self._open()
            yield self._connection

    def _open(self) -> sqlite3.Connection:
        # 6 ms that only a run with memory pays.
        import sqlite3

        if self.path != IN_MEMORY:
            self._create()
        connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        connection.text_factory = _text
        try:
            if self.path != IN_MEMORY:
                _write_ahead(connection)
                connection.execute("PRAGMA secure_delete = ON")  # What was taken away is nowhere in the file.
            connection.executescript(f"BEGIN IMMEDIATE; {self._schema}; COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _create(self) -> None:
        """Make the file where it is missing, for this user alone: SQLite gives its further files the same mode."""
        path = Path(self.path)
        try:
            make_folder(path.parent)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            raise ConfigurationError(
                f"the file of conversations cannot be written: {error.strerror}; give it a place that can", file=path
            ) from error

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Make the failures of `sqlite3` ours."""
        import sqlite3

        try:
            yield
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                raise
            raise self._said(error) from error

    def _said(self, error: sqlite3.DatabaseError) -> Exception:
        import sqlite3

        code, path = error.sqlite_errorcode & 0xFF, Path(self.path)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return SessionInUseError(
                f"{path}: another process has kept the conversations locked for {_PATIENCE:g} s; try again"
            )
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            return OSError(
                errno.ENOSPC, f"the file of conversations cannot be written ({error}): the disk may be full", self.path
            )
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
            return ConfigurationError(
                f"the file of conversations cannot be written ({error}): see whose it is and where", file=path
            )
        return ConfigurationError(
            f"this is no file of conversations, or it is damaged ({error}): move it away, and a new one is made",
            file=path,
        )


def _text(data: bytes) -> str:
    """Return a text, whatever bytes somebody else wrote."""
    return data.decode("utf-8", "replace")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Let readers and a writer work side by side; SQLite does not itself wait for others that are about the same."""
    import sqlite3

    deadline = time.monotonic() + _PATIENCE
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
