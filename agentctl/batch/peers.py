"""The lock by which the processes of a store know each other: who holds it is alive, and frees it by dying."""

from __future__ import annotations

import contextlib
import zlib
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from agentctl.errors import ConfigurationError
from agentctl.storage import try_lock

from .store import LOCK, BatchStore


class PeerLock:
    """The lock of a process: an advisory lock of PostgreSQL, or one on a file beside a SQLite file.

    Methods block.
    """

    def __init__(self, store: BatchStore, executor: str) -> None:
        self._store = store
        self._executor = executor
        self._held = contextlib.ExitStack()
        self._connection: sa.Connection | None = None

    def acquire(self) -> None:
        """Take the lock of this process.

        Raises:
            ConfigurationError: the store cannot be reached, or another process has the lock.
        """
        path = self._path(self._executor)
        if path is not None:
            if not self._held.enter_context(try_lock(path)):
                raise ConfigurationError(f"the lock {path} is taken")
            return
        self._connection = self._store.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if not _try(self._connection, self._executor):
            self.release()
            raise ConfigurationError("the session of this process in the store is still open")

    def is_held(self) -> bool:
        """Return whether this process still has its lock: it is lost with the connection to PostgreSQL."""
        if self._path(self._executor) is not None:
            return True
        if self._connection is None:
            return False
        try:
            self._connection.execute(sa.text("SELECT 1"))
        except DBAPIError:
            self.release()
            return False
        return True

    def release(self) -> None:
        """Free the lock."""
        self._held.close()
        if self._connection is not None:
            with contextlib.suppress(DBAPIError):
                self._connection.invalidate()
            self._connection.close()
            self._connection = None
        path = self._path(self._executor)
        if path is not None:
            path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def of_dead_peer(self, executor: str) -> Any:
        """Hold the lock of another process during the block and yield True, if that is dead; else yield False."""
        path = self._path(executor)
        if path is None:
            with self._store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                is_dead = _try(connection, executor)
                try:
                    yield is_dead
                finally:
                    if is_dead:
                        connection.execute(sa.text("SELECT pg_advisory_unlock(:a, :b)"), _key(executor))
            return
        with try_lock(path) as is_dead:
            yield is_dead
            if is_dead:
                path.unlink(missing_ok=True)

    def _path(self, executor: str) -> Path | None:
        file = self._store.address.path
        return None if file is None else file.parent / f"{file.name}.workers" / f"{executor}.lock"


def _key(executor: str) -> dict[str, int]:
    number = zlib.crc32(executor.encode())
    return {"a": LOCK, "b": number - 2**32 if number >= 2**31 else number}


def _try(connection: sa.Connection, executor: str) -> bool:
    return bool(connection.execute(sa.text("SELECT pg_try_advisory_lock(:a, :b)"), _key(executor)).scalar())
