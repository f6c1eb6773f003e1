"""Budgets in a SQLite file, which the processes of a user share, or in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from agentctl.errors import ConfigurationError
from agentctl.memory.sqlite_file import IN_MEMORY, SQLiteFile
from agentctl.storage import Folders

from .amount import Amount, CallBound, Limits
from .store import NoRoom, Period, Reservation, SharedBudget, period_of

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

LEASE = 20.0
"""Seconds for which a reservation holds unless it is renewed."""

_VERSION = 1
_KEEP_CHARGED = 7 * 24 * 3600
"""Seconds for which a call that was charged in full can still settle to what it cost."""

# `latest` is the latest time that was seen with a budget: a clock that is set back renews nothing.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS budgets (
    name TEXT PRIMARY KEY, tokens INTEGER, nanodollars INTEGER, period TEXT, latest REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS spending (
    budget TEXT NOT NULL REFERENCES budgets(name) ON DELETE CASCADE, day TEXT NOT NULL,
    tokens INTEGER NOT NULL, nanodollars INTEGER NOT NULL, PRIMARY KEY (budget, day)
);
CREATE TABLE IF NOT EXISTS reservations (
    id TEXT PRIMARY KEY, budget TEXT NOT NULL REFERENCES budgets(name) ON DELETE CASCADE, day TEXT NOT NULL,
    status TEXT NOT NULL, tokens INTEGER NOT NULL, nanodollars INTEGER NOT NULL, expires REAL NOT NULL
);
"""


class SQLiteBudgets:
    """Budgets in a SQLite file; an implementation of `BudgetStore`.

    Raises:
        ConfigurationError: the file cannot be opened or written, is damaged, or is of a newer version; or there is no
            budget of this name.
        SessionInUseError: another process kept the file locked for too long.
        OSError: the disk is full.
    """

    def __init__(self, path: str, *, clock: Callable[[], float] = time.time) -> None:
        """Use a file, which is created when needed, or `:memory:`."""
        self.path = path
        self._file = SQLiteFile(path, _SCHEMA, noun="file of budgets")
        self._clock = clock
        self._is_known = False
        self._durable = threading.Lock()

    @classmethod
    def of_user(cls, folders: Folders) -> Self:
        """Return the budgets in a user's state folder."""
        return cls(str(folders.state / "budgets" / "budgets.db"))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def define(self, name: str, limits: Limits, period: Period | None) -> SharedBudget:
        """Create a budget, or change its limits and period; what is spent stays spent."""

        def write(connection: sqlite3.Connection) -> SharedBudget:
            connection.execute(
                "INSERT INTO budgets VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
                "tokens = excluded.tokens, nanodollars = excluded.nanodollars, period = excluded.period",
                (name, limits.tokens, limits.nanodollars, None if period is None else period.value, self._clock()),
            )
            return self._load(connection, name)[0]

        return self._write(write)

    def list(self) -> list[SharedBudget]:
        """Return all budgets by name."""
        if not self._exists:
            return []
        query = "SELECT name FROM budgets ORDER BY name"
        return self._write(lambda db: [self._load(db, name)[0] for (name,) in db.execute(query).fetchall()])

    def find(self, name: str) -> SharedBudget:
        """Return a budget."""
        if not self._exists:
            raise _missing(name)
        return self._write(lambda db: self._load(db, name)[0])

    def reset(self, name: str) -> SharedBudget:
        """Forget what was spent of a budget, and the latest time that was seen; calls under way stay reserved."""

        def write(connection: sqlite3.Connection) -> SharedBudget:
            self._load(connection, name)
            connection.execute("DELETE FROM spending WHERE budget = ?", (name,))
            connection.execute("DELETE FROM reservations WHERE budget = ? AND status = 'charged'", (name,))
            connection.execute("UPDATE budgets SET latest = ? WHERE name = ?", (self._clock(), name))
            return self._load(connection, name)[0]

        if not self._exists:
            raise _missing(name)
        return self._write(write)

    def delete(self, name: str) -> None:
        """Delete a budget; runs that use it fail at their next model call."""

        def write(connection: sqlite3.Connection) -> None:
            self._load(connection, name)
            connection.execute("DELETE FROM budgets WHERE name = ?", (name,))

        if not self._exists:
            raise _missing(name)
        self._write(write)

    def reserve(self, name: str, reservation_id: str, bound: CallBound, *, accepts_less: bool) -> Reservation | NoRoom:
        """Reserve the highest cost of a call, its output limited to what is left."""

        def write(connection: sqlite3.Connection) -> Reservation | NoRoom:
            budget, now = self._load(connection, name)
            possible, most = bound.most_output(budget.limits.after(budget.spent)), bound.most_output(budget.remainder)
            least = min(bound.least_output, bound.output_limit)
            if possible < least or most < (least if accepts_less else possible):
                return NoRoom(budget, bound.highest(least), can_wait=possible >= least)
            amount = bound.highest(most)
            connection.execute(
                "INSERT INTO reservations VALUES (?, ?, ?, 'held', ?, ?, ?)",
                (reservation_id, name, _day(now), amount.tokens, amount.nanodollars, now + LEASE),
            )
            return Reservation(reservation_id, most, amount)

        return self._write(write)

    def mark_sent(self, reservation_id: str) -> bool:
        """Mark a held reservation as sent, durably; return False if it is gone."""

        def write(connection: sqlite3.Connection) -> bool:
            update = (
                "UPDATE reservations SET status = 'sent', expires = max(expires, ?) WHERE id = ? AND status = 'held'"
            )
            return connection.execute(update, (self._clock() + LEASE, reservation_id)).rowcount == 1

        return self._write(write, is_durable=True)

    def renew(self, reservation_id: str) -> None:
        """Extend the lease of a reservation."""

        def write(connection: sqlite3.Connection) -> None:
            update = "UPDATE reservations SET expires = max(expires, ?) WHERE id = ?"
            connection.execute(update, (self._clock() + LEASE, reservation_id))

        self._write(write)

    def settle(self, reservation_id: str, amount: Amount) -> None:
        """Replace a reservation by what the call has cost, even if its lease has ended."""

        def write(connection: sqlite3.Connection) -> None:
            for _, budget, day, status, reserved in _rows(connection, "id = ?", reservation_id):
                _charge(connection, budget, day, amount - reserved if status == "charged" else amount)
                connection.execute("DELETE FROM reservations WHERE id = ?", (reservation_id,))

        self._write(write)

    def _load(self, connection: sqlite3.Connection, name: str) -> tuple[SharedBudget, float]:
        """Return a budget and the time, once the reservations whose leases have ended are returned or charged."""
        query = "SELECT tokens, nanodollars, period FROM budgets WHERE name = ?"
        row = connection.execute(query, (name,)).fetchone()
        if row is None:
            raise _missing(name)
        now = self._now(connection, name)
        ended = "budget = ? AND status IN ('held', 'sent') AND expires < ?"
        for reservation_id, _, day, status, amount in _rows(connection, ended, name, now):
            if status == "sent":
                _charge(connection, name, day, amount)
                connection.execute("UPDATE reservations SET status = 'charged' WHERE id = ?", (reservation_id,))
            else:
                connection.execute("DELETE FROM reservations WHERE id = ?", (reservation_id,))
        old = "DELETE FROM reservations WHERE budget = ? AND status = 'charged' AND expires < ?"
        connection.execute(old, (name, now - _KEEP_CHARGED))
        period = None if row[2] is None else Period(row[2])
        start, renews = period_of(now, period)
        budget = SharedBudget(
            name=name,
            limits=Limits(row[0], row[1]),
            period=period,
            spent=_sum(connection, "spending", "budget = ? AND day >= ?", name, start),
            reserved=_sum(
                connection, "reservations", "budget = ? AND day >= ? AND status IN ('held', 'sent')", name, start
            ),
            renews=renews,
        )
        return budget, now

    def _now(self, connection: sqlite3.Connection, name: str) -> float:
        """Return the time, or the latest that was seen with the budget if the clock is behind it."""
        now = self._clock()
        connection.execute("UPDATE budgets SET latest = max(latest, ?) WHERE name = ?", (now, name))
        (latest,) = connection.execute("SELECT latest FROM budgets WHERE name = ?", (name,)).fetchone()
        return float(latest)

    @property
    def _exists(self) -> bool:
        return self.path == IN_MEMORY or Path(self.path).exists()

    def _write(self, work: Callable[[sqlite3.Connection], T], *, is_durable: bool = False) -> T:
        if not self._is_known:
            self._file.read(self._prepare)
            self._is_known = True
        if not is_durable:
            return self._file.write(work)
        with self._durable:  # Another thread must not end it.
            self._file.read(lambda connection: connection.execute("PRAGMA synchronous = FULL"))
            try:
                return self._file.write(work)
            finally:
                self._file.read(lambda connection: connection.execute("PRAGMA synchronous = NORMAL"))

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Check the version of the file, and set what holds for the connection.

        A power failure may lose what is not yet synced, but not a reservation that was sent: it is charged in full.
        """
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise ConfigurationError(
                f"the file of budgets is of version {version}, and this agentctl knows version {_VERSION}: use the "
                "newer agentctl that wrote it",
                file=Path(self.path),
            )
        if version < _VERSION:
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()


def _rows(
    connection: sqlite3.Connection, condition: str, *values: str | float
) -> list[tuple[str, str, str, str, Amount]]:
    """Return the id, budget, day, status and amount of reservations."""
    query = f"SELECT id, budget, day, status, tokens, nanodollars FROM reservations WHERE {condition}"  # noqa: S608
    with closing(connection.execute(query, values)) as cursor:
        return [(*row[:4], Amount(*row[4:])) for row in cursor.fetchall()]


def _sum(connection: sqlite3.Connection, table: str, condition: str, *values: str) -> Amount:
    query = f"SELECT coalesce(sum(tokens), 0), coalesce(sum(nanodollars), 0) FROM {table} WHERE {condition}"  # noqa: S608
    tokens, nanodollars = connection.execute(query, values).fetchone()
    return Amount(tokens, nanodollars)


def _charge(connection: sqlite3.Connection, budget: str, day: str, amount: Amount) -> None:
    connection.execute(
        "INSERT INTO spending VALUES (?, ?, ?, ?) ON CONFLICT (budget, day) DO UPDATE SET "
        "tokens = tokens + excluded.tokens, nanodollars = nanodollars + excluded.nanodollars",
        (budget, day, amount.tokens, amount.nanodollars),
    )


def _missing(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"no budget {name!r}; define it with `agentctl budget set {name} --usd 5`, or list the budgets with "
        "`agentctl budget list`"
    )
