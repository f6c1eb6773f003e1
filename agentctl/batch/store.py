"""The store of batches in SQLite or PostgreSQL: its own tables, and the rows as DBOS keeps them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.errors import ConfigurationError
from agentctl.storage import explain_unwritable, make_folder

from .address import StoreAddress
from .row import BatchRecord, RowRecord, row_id, row_index

SCHEMA = "agentctl"
"""The schema of all tables in PostgreSQL."""

VERSION = 1
"""The version of our tables."""

_PRIVATE = 0o600
_BUSY = 30_000
"""Milliseconds to wait for the lock of a SQLite file."""

_PAGE = 500
"""The number of rows that are read at once."""

LOCK = 20_116
"""The first key of PostgreSQL's advisory locks of ours."""


def connect(address: StoreAddress) -> sa.Engine:
    """Return the engine of a store; a SQLite file is created, for this user alone.

    Raises:
        ConfigurationError: the file cannot be created.
    """
    if address.path is None:
        url = sa.make_url(address.url).set(drivername="postgresql+psycopg")
        if address.password is not None:
            url = url.set(password=address.password)
        # Both sides notice within seconds that the other is gone.
        names = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
        options = " ".join(f"-c tcp_{name}={value}" for name, value in names.items())
        connect_args = {**names, "connect_timeout": 10, "options": options}
        return sa.create_engine(url, pool_size=10, max_overflow=10, connect_args=connect_args)
    with explain_unwritable(address.path.parent):
        make_folder(address.path.parent)
        os.close(os.open(address.path, os.O_RDWR | os.O_CREAT, _PRIVATE))
    engine = sa.create_engine(f"sqlite:///{address.path}", pool_size=10, max_overflow=10)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        # Writers wait for each other at the start of a transaction, where they can, and not in the middle.
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout={_BUSY}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


@contextmanager
def explain_store(address: StoreAddress) -> Iterator[None]:
    """Raise an error that names the store, where the database has one."""
    try:
        yield
    except OperationalError as error:
        reason = str(error.orig).strip().split("\n")[0]
        if address.path is not None and "full" in reason:
            raise OSError(28, "No space left on device", str(address.path)) from error
        raise ConfigurationError(f"the store {address.url} cannot be used: {reason}") from error
    except DBAPIError as error:
        raise ConfigurationError(
            f"the store {address.url} cannot be used: {str(error.orig).strip().splitlines()[0]}"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A finished call of a row."""

    row: str
    key: str
    name: str
    """The kind of the call, and what it calls."""
    value: str
    """Its result as JSON."""


class BatchStore:
    """The tables of a store, read and written without running anything.

    Methods block; each is one transaction.
    """

    def __init__(self, address: StoreAddress, engine: sa.Engine) -> None:
        self.address = address
        self.engine = engine
        self._is_sqlite = address.path is not None
        schema = None if self._is_sqlite else SCHEMA
        # What is read of the tables of DBOS.
        self._rows = _table(
            "workflow_status", schema, "workflow_uuid status recovery_attempts completed_at queue_name executor_id"
        )
        self._inputs = _table("workflow_input", schema, "workflow_uuid inputs")
        self._outputs = _table("workflow_output", schema, "workflow_uuid output error")
        tables = sa.MetaData(schema=schema)
        self._store = sa.Table("batch_store", tables, sa.Column("version", sa.Integer, primary_key=True))
        self._batches = sa.Table(
            "batches",
            tables,
            sa.Column("name", sa.Text, primary_key=True),
            sa.Column("created", sa.Float, nullable=False),
            sa.Column("document", sa.Text, nullable=False),
            sa.Column("enqueued", sa.Integer, nullable=False),
            sa.Column("total", sa.Integer, nullable=False),
            sa.Column("is_cancelled", sa.Boolean, nullable=False),
        )
        self._earlier = sa.Table(
            "batch_attempts",
            tables,
            sa.Column("row_id", sa.Text, primary_key=True),
            sa.Column("attempts", sa.Integer, nullable=False),
        )
        self._tickets = sa.Table(
            "batch_tickets",
            tables,
            sa.Column("row_id", sa.Text, primary_key=True),
            sa.Column("ticket", sa.Text, nullable=False),
            sa.Column("document", sa.Text, nullable=False),
        )
        self._steps = sa.Table(
            "batch_steps",
            tables,
            sa.Column("row_id", sa.Text, primary_key=True),
            sa.Column("key", sa.Text, primary_key=True),
            sa.Column("name", sa.Text, nullable=False),
            sa.Column("value", sa.Text, nullable=False),
        )
        self._insert = sqlite.insert if self._is_sqlite else postgresql.insert
        self._tables = tables

    def prepare(self) -> None:
        """Create the tables that are missing.

        Raises:
            ConfigurationError: they are of a newer version.
        """
        with self.engine.begin() as connection:
            # Processes may come here at the same time.
            if self._is_sqlite:
                connection.execute(sa.text("BEGIN IMMEDIATE"))
            else:
                connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({LOCK}, 0)"))
                connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
            self._tables.create_all(connection)
            version = connection.execute(sa.select(self._store.c.version)).scalar()
            if version is None:
                connection.execute(self._store.insert().values(version=VERSION))
        self._check(version)

    def is_prepared(self) -> bool:
        """Return whether there are tables.

        Raises:
            ConfigurationError: they are of a newer version.
        """
        if self.address.path is not None and not self.address.path.stat().st_size:
            return False
        with self.engine.begin() as connection:
            if not sa.inspect(connection).has_table("batch_store", schema=self._tables.schema):
                return False
            self._check(connection.execute(sa.select(self._store.c.version)).scalar())
        return True

    def _check(self, version: int | None) -> None:
        if version is not None and version != VERSION:
            raise ConfigurationError(
                f"the store {self.address.url} is of version {version}, and this agentctl knows version {VERSION}: use "
                "the agentctl that wrote it, or another store"
            )

    def add(self, batch: BatchRecord) -> BatchRecord:
        """Add a batch, unless there is one of its name; return that of the store."""
        values = {
            "name": batch.name,
            "created": batch.created,
            "document": json.dumps(batch.to_json()),
            "enqueued": 0,
            "total": batch.total,
            "is_cancelled": False,
        }
        with self.engine.begin() as connection:
            if self._find(connection, batch.name) is None:
                # Two starters of the same batch may both come here.
                connection.execute(self._insert(self._batches).values(values).on_conflict_do_nothing())
            found = self._find(connection, batch.name)
        assert found is not None
        return found

    def find(self, name: str) -> BatchRecord:
        """Return a batch.

        Raises:
            ConfigurationError: there is none of this name.
        """
        with self.engine.begin() as connection:
            found = self._find(connection, name)
        if found is None:
            raise ConfigurationError(
                f"no batch {name!r} in {self.address.url}; list the batches with `agentctl batch list`"
            )
        return found

    def batches(self) -> list[BatchRecord]:
        """Return all batches, oldest first."""
        with self.engine.begin() as connection:
            rows = connection.execute(sa.select(self._batches).order_by(self._batches.c.created)).all()
        return [_batch(row) for row in rows]

    def note_enqueued(self, connection: sa.Connection, name: str, enqueued: int) -> None:
        """Note in a transaction how many rows of a batch it has enqueued so far."""
        connection.execute(
            self._batches.update()
            .where(self._batches.c.name == name, self._batches.c.enqueued < enqueued)
            .values(enqueued=enqueued)
        )

    def set_cancelled(self, name: str, *, is_cancelled: bool) -> None:
        """Note whether a batch is cancelled."""
        with self.engine.begin() as connection:
            connection.execute(
                self._batches.update().where(self._batches.c.name == name).values(is_cancelled=is_cancelled)
            )

    def delete(self, name: str) -> None:
        """Delete a batch and all that its rows have; its rows themselves are deleted by the engine."""
        with self.engine.begin() as connection:
            for table in (self._earlier, self._tickets, self._steps):
                connection.execute(table.delete().where(_is_of(table.c.row_id, name)))
            connection.execute(self._batches.delete().where(self._batches.c.name == name))

    def in_flight(self, name: str) -> dict[str, int]:
        """Return the number of rows that wait for a process (`ENQUEUED`) or are run (`PENDING`)."""
        at = self._rows.c
        query = (
            sa.select(at.status, sa.func.count())
            .where(at.queue_name == name, at.status.in_(("ENQUEUED", "PENDING")))
            .group_by(at.status)
        )
        with self.engine.begin() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def executors_at_work(self) -> set[str]:
        """Return the ids of the processes that rows are assigned to."""
        query = sa.select(self._rows.c.executor_id).where(self._rows.c.status == "PENDING").distinct()
        with self.engine.begin() as connection:
            return {executor for executor in connection.execute(query).scalars() if executor is not None}

    def rows_of(self, executor: str) -> list[str]:
        """Return the ids of the rows that a process has."""
        at = self._rows.c
        query = sa.select(at.workflow_uuid).where(at.status == "PENDING", at.executor_id == executor)
        with self.engine.begin() as connection:
            return list(connection.execute(query).scalars())

    def save_steps(self, steps: Sequence[Step], executor: str) -> set[str]:
        """Keep steps of rows that a process has, and return these rows; the steps of other rows are dropped."""
        at, rows = self._rows.c, sorted({step.row for step in steps})
        mine = sa.select(at.workflow_uuid).where(
            at.workflow_uuid.in_(rows), at.status == "PENDING", at.executor_id == executor
        )
        with self.engine.begin() as connection:
            if self._is_sqlite:
                connection.execute(sa.text("BEGIN IMMEDIATE"))
            else:  # A row that is locked is not given to a peer before the end of the transaction.
                mine = mine.order_by(at.workflow_uuid).with_for_update(key_share=True)
            own = set(connection.execute(mine).scalars())
            kept = [
                {"row_id": step.row, "key": step.key, "name": step.name, "value": step.value}
                for step in steps
                if step.row in own
            ]
            if kept:
                connection.execute(self._insert(self._steps).on_conflict_do_nothing(), kept)
        return own

    def steps_of(self, row: str) -> tuple[int, dict[str, tuple[str, str]]]:
        """Return how often a row was begun, and its steps by key: what each is, and its result."""
        at = self._steps.c
        query = sa.select(at.key, at.name, at.value).where(at.row_id == row)
        with self.engine.begin() as connection:
            attempts = self._attempts(connection, row)
            return attempts, {key: (name, value) for key, name, value in connection.execute(query)}

    def forget_steps(self, row: str) -> None:
        """Forget the steps of a row, which is begun anew."""
        with self.engine.begin() as connection:
            connection.execute(self._steps.delete().where(self._steps.c.row_id == row))

    def note_attempts(self, row: str) -> None:
        """Add the attempts of a row so far to those that count once it is begun anew."""
        with self.engine.begin() as connection:
            now = self._attempts(connection, row)
            kept = self._earlier
            earlier = connection.execute(sa.select(kept.c.attempts).where(kept.c.row_id == row)).scalar()
            connection.execute(kept.delete().where(kept.c.row_id == row))
            connection.execute(kept.insert().values(row_id=row, attempts=now + (earlier or 0)))

    def _attempts(self, connection: sa.Connection, row: str) -> int:
        query = sa.select(self._rows.c.recovery_attempts).where(self._rows.c.workflow_uuid == row)
        return int(connection.execute(query).scalar() or 0)

    def find_finished(self, name: str, since: int) -> list[tuple[int, int]]:
        """Return the rows that finished at or after a time of the store, with that time, in its order."""
        at = self._rows.c
        query = sa.select(at.workflow_uuid, at.completed_at).where(
            at.completed_at >= since, _is_of(at.workflow_uuid, name)
        )
        with self.engine.begin() as connection:
            found = connection.execute(query.order_by(at.completed_at)).all()
        return [(row_index(identifier), completed_at) for identifier, completed_at in found]

    def read(self, name: str, indices: Sequence[int]) -> Iterator[RowRecord]:
        """Yield rows, in any order."""
        for start in range(0, len(indices), _PAGE):
            page = [row_id(name, index) for index in indices[start : start + _PAGE]]
            query = self._row_query().where(self._rows.c.workflow_uuid.in_(page))
            with self.engine.begin() as connection:
                found = connection.execute(query).all()
            yield from map(_row, found)

    def rows(self, batch: BatchRecord) -> Iterator[RowRecord]:
        """Yield all rows in the order of the input."""
        for start in range(0, batch.total, _PAGE):
            found = self.read(batch.name, range(start, min(start + _PAGE, batch.total)))
            yield from sorted(found, key=lambda row: row.index)

    def _row_query(self) -> sa.Select[Any]:
        rows, inputs, outputs, earlier = self._rows, self._inputs, self._outputs, self._earlier
        return (
            sa.select(
                rows.c.workflow_uuid,
                rows.c.status,
                rows.c.recovery_attempts,
                inputs.c.inputs,
                outputs.c.output,
                outputs.c.error,
                earlier.c.attempts.label("earlier"),
            )
            .join(inputs, inputs.c.workflow_uuid == rows.c.workflow_uuid)
            .outerjoin(outputs, outputs.c.workflow_uuid == rows.c.workflow_uuid)
            .outerjoin(earlier, earlier.c.row_id == rows.c.workflow_uuid)
        )

    def save_ticket(self, row: str, ticket: str, document: str) -> None:
        """Save the ticket of a row that waits for approval, or the decisions about its calls."""
        with self.engine.begin() as connection:
            connection.execute(self._tickets.delete().where(self._tickets.c.row_id == row))
            connection.execute(self._tickets.insert().values(row_id=row, ticket=ticket, document=document))

    def ticket_of(self, row: str) -> str | None:
        """Return the document of the ticket of a row."""
        query = sa.select(self._tickets.c.document).where(self._tickets.c.row_id == row)
        with self.engine.begin() as connection:
            return connection.execute(query).scalar()

    def tickets(self, name: str) -> dict[str, str]:
        """Return the documents of the tickets of a batch by row."""
        at = self._tickets.c
        query = sa.select(at.row_id, at.document).where(_is_of(at.row_id, name))
        with self.engine.begin() as connection:
            return {row.row_id: row.document for row in connection.execute(query)}

    def _find(self, connection: sa.Connection, name: str) -> BatchRecord | None:
        row = connection.execute(sa.select(self._batches).where(self._batches.c.name == name)).first()
        return None if row is None else _batch(row)


def _batch(row: Any) -> BatchRecord:
    found = BatchRecord.from_json(row.name, json.loads(row.document))
    return replace(
        found, created=row.created, enqueued=row.enqueued, total=row.total, is_cancelled=bool(row.is_cancelled)
    )


def _row(row: Any) -> RowRecord:
    given = json.loads(row.inputs)["args"][0]
    output: Mapping[str, JSONValue] | None = json.loads(row.output) if row.output else None
    return RowRecord(
        index=row_index(row.workflow_uuid),
        id=given["id"],
        row=given["row"],
        status=row.status,
        attempts=int(row.recovery_attempts or 0) + int(row.earlier or 0),
        result=output,
        error=row.error,
    )


def _is_of(column: sa.ColumnElement[str], name: str) -> sa.ColumnElement[bool]:
    """Return the condition that a column has the id of a row of a batch."""
    return column.startswith(f"{name}/", autoescape=True)


def _table(name: str, schema: str | None, columns: str) -> sa.TableClause:
    return sa.table(name, *(sa.column(column) for column in columns.split()), schema=schema)
