"""The engine of batches: DBOS, which queues rows and repeats them after a crash; no other module imports it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dbos._dbos as _process
from dbos import DBOS, DBOSClient, Serializer
from sqlalchemy.exc import DBAPIError

from agentctl.agent.wire import JSONValue
from agentctl.errors import UserError

from .row import BatchRecord, RowInput, batch_of, row_id
from .steps import StepJournal, StepNotKept, StepWriter
from .store import SCHEMA, BatchStore

APPLICATION = "agentctl"
_WORKFLOW = "agentctl_row"

_POLL = 0.05
"""Seconds between two looks at a queue that has room."""

MAX_ATTEMPTS = 5
"""How often a row is begun, each time by a process that dies, before it counts as failed."""

_GRACE = 5.0
"""Seconds to wait for rows that were cancelled."""

_CHUNK = 1000
"""The number of rows that are enqueued, retried or deleted at once."""

RunRow = Callable[[str, Mapping[str, Any], "StepJournal"], Awaitable[dict[str, JSONValue]]]
"""Runs a row, given its id in the store, its input and a journal, and returns its result."""


class _Json(Serializer):
    """Stores everything as JSON: pickle would run code of whoever can write to the store."""

    def serialize(self, data: Any) -> str:
        return json.dumps(data, ensure_ascii=False, default=_describe)

    def deserialize(self, serialized_data: str) -> Any:
        value = json.loads(serialized_data)
        if isinstance(value, dict) and value.keys() == {"agentctl_exception", "message"}:
            return UserError(f"{value['agentctl_exception']}: {value['message']}")
        return value

    def name(self) -> str:
        return "agentctl_json"


def _describe(value: object) -> object:
    if isinstance(value, BaseException):
        return {"agentctl_exception": type(value).__name__, "message": str(value)}
    raise TypeError(f"{type(value).__name__} is not JSON")


_SERIALIZER = _Json()


_run_row: RunRow | None = None
"""Runs the rows of this process, of which DBOS allows one engine."""

_may_call = asyncio.Event()
"""Whether model and tool calls may begin."""

_active: dict[str, asyncio.Task[Any]] = {}
"""The rows that this process runs."""


@DBOS.workflow(name=_WORKFLOW, max_recovery_attempts=MAX_ATTEMPTS - 1)
async def _run(given: dict[str, Any]) -> dict[str, JSONValue]:
    """Run a row as a workflow."""
    identifier, task = DBOS.workflow_id, asyncio.current_task()
    assert identifier is not None
    assert task is not None
    assert _run_row is not None
    assert _steps is not None
    _active[identifier] = task
    task.add_done_callback(_note_end)
    try:
        await _may_call.wait()
        return await _run_row(identifier, given, StepJournal(identifier, _steps, _may_call))
    finally:
        _active.pop(identifier, None)


_steps: StepWriter | None = None
"""Keeps the finished calls of the rows of this process."""

_failures: list[DBAPIError] = []
"""The failures of the store because of which rows ended without a result."""


def _note_end(task: asyncio.Task[Any]) -> None:
    failure = None if task.cancelled() else task.exception()
    if isinstance(failure, StepNotKept):
        failure = failure.failure
    if isinstance(failure, DBAPIError):
        _failures.append(failure)


class Engine:
    """The engine of this process."""

    def __init__(self, store: BatchStore, *, version: str, run_row: RunRow | None = None) -> None:
        """Use a store; `version` is that of the agent's code: the rows of another are never touched.

        Raises:
            UserError: the process runs DBOS already.
        """
        if _process._dbos_global_instance is not None:
            raise UserError("this process runs DBOS already, and can do so once: run the batch in another process")
        self.id = uuid.uuid4().hex
        self._store = store
        self._version = version
        self._is_stopping = False
        self._set(StepWriter(store, self.id), run_row)

    @staticmethod
    def _set(steps: StepWriter | None, run_row: RunRow | None) -> None:
        global _run_row, _steps, _may_call  # DBOS has one registry of functions for the process
        _run_row, _steps, _may_call = run_row, steps, asyncio.Event()
        _may_call.set()
        _failures.clear()

    async def start(self, batches: Sequence[str]) -> None:
        """Create the tables that are missing, and begin to run the rows of batches in the running event loop."""
        is_sqlite = self._store.address.path is not None
        logging.getLogger("dbos").addHandler(logging.NullHandler())  # It would log to stderr.
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": self._store.address.url,
                "system_database_engine": self._store.engine,
                "dbos_system_schema": None if is_sqlite else SCHEMA,
                "application_version": self._version,
                "executor_id": self.id,
                "serializer": _SERIALIZER,
                "log_level": "CRITICAL",
                "max_executor_threads": 32,
                "use_listen_notify": False,
            }
        )
        DBOS.listen_queues(list(batches))
        DBOS.launch()

    async def serve(self, batch: str, *, concurrency: int, rate: tuple[int, float] | None = None) -> None:
        """Take rows of a batch: so many at once in each process, and no more than a number of them a period in all."""
        await DBOS.register_queue_async(
            batch,
            worker_concurrency=concurrency,
            limiter=None if rate is None else {"limit": rate[0], "period": rate[1]},
            polling_interval_sec=_POLL,
            on_conflict="always_update",
        )

    def enqueue(self, batch: BatchRecord, rows: Iterable[RowInput]) -> None:
        """Enqueue the rows of a batch that are not yet; blocks, and may run in a thread."""
        client, chunk, start = _client(self._store), list[RowInput](), 0
        for row in rows:
            if self._is_stopping:
                return
            chunk.append(row)
            if len(chunk) == _CHUNK:
                self._enqueue(client, batch, chunk, start)
                start, chunk = start + len(chunk), []
        if chunk:
            self._enqueue(client, batch, chunk, start)

    def _enqueue(self, client: DBOSClient, batch: BatchRecord, rows: list[RowInput], start: int) -> None:
        if start + len(rows) <= batch.enqueued:
            return
        with self._store.engine.begin() as connection:
            for index, row in enumerate(rows, start):
                client.enqueue_in_transaction(
                    connection,
                    {
                        "workflow_name": _WORKFLOW,
                        "queue_name": batch.name,
                        "workflow_id": row_id(batch.name, index),
                        "app_version": self._version,
                    },
                    {"id": row.id, "row": row.row},
                )
            self._store.note_enqueued(connection, batch.name, start + len(rows))

    def take_over(self, executor: str) -> int:
        """Enqueue the rows again that a process had which is dead; return how many. Blocks.

        Unlike `DBOS.resume_workflows`, this counts how often a row was begun, and cannot touch one that lives again.
        """
        return len(DBOS._recover_pending_workflows([executor]))

    def resume_rows(self, batch: BatchRecord, rows: Iterable[int]) -> None:
        """Enqueue rows again that waited for approval. Blocks."""
        for index in rows:
            _rewind(self._store, batch, index, self._version)

    def check(self) -> None:
        """Raise the failure of the store because of which a row ended without a result, if there is one."""
        if _failures:
            raise _failures.pop()

    @property
    def is_paused(self) -> bool:
        """Return whether no call may begin."""
        return not _may_call.is_set()

    def pause(self) -> None:
        """Let no model or tool call begin."""
        _may_call.clear()

    def go_on(self) -> None:
        """Let calls begin again."""
        _may_call.set()

    @property
    def active(self) -> Mapping[str, asyncio.Task[Any]]:
        """The rows that this process runs, by their id in the store."""
        return _active

    async def stop(self) -> None:
        """End the rows that run, hand them back, and stop."""
        self._is_stopping = True
        process = _process._dbos_global_instance
        if process is None:
            return
        for event in process.background_thread_stop_events:
            event.set()
        tasks = set(process._workflow_tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_GRACE)
        await asyncio.to_thread(DBOS.destroy)
        # That of DBOS has ended with it.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        if tasks:
            with contextlib.suppress(DBAPIError):  # A peer takes them over.
                await asyncio.to_thread(lambda: self.hand_back(self._store.rows_of(self.id)))
        self._set(None, None)

    def hand_back(self, rows: Iterable[str]) -> None:
        """Enqueue rows again that this process has begun, as if it had not. Blocks."""
        client, by_batch = _client(self._store), dict[str, list[str]]()
        for row in rows:
            by_batch.setdefault(batch_of(row), []).append(row)
        for batch, begun in by_batch.items():
            client.resume_workflows(begun, queue_name=batch)


def repeat_row(store: BatchStore, batch: BatchRecord, index: int, *, version: str, keeps_calls: bool) -> None:
    """Enqueue a row again that has ended, and keep its finished calls, or not. Blocks."""
    row = row_id(batch.name, index)
    store.note_attempts(row)
    if not keeps_calls:
        store.forget_steps(row)
    _rewind(store, batch, index, version)


def _rewind(store: BatchStore, batch: BatchRecord, index: int, version: str) -> None:
    _client(store).rewind_workflow(row_id(batch.name, index), queue_name=batch.name, application_version=version)


def cancel_rows(store: BatchStore, batch: BatchRecord) -> None:
    """End all rows of a batch that have not ended. Blocks."""
    client = _client(store)
    for rows in _pages(batch):
        client.cancel_workflows(rows)


def delete_rows(store: BatchStore, batch: BatchRecord) -> None:
    """Delete all rows of a batch. Blocks."""
    client = _client(store)
    for rows in _pages(batch):
        client.delete_workflows(rows)
    if client.retrieve_queue(batch.name) is not None:
        client.delete_queue(batch.name)


def _pages(batch: BatchRecord) -> Iterator[list[str]]:
    for start in range(0, batch.enqueued, _CHUNK):
        yield [row_id(batch.name, index) for index in range(start, min(start + _CHUNK, batch.enqueued))]


def _client(store: BatchStore) -> DBOSClient:
    return DBOSClient(
        system_database_engine=store.engine,
        dbos_system_schema=None if store.address.path is not None else SCHEMA,
        serializer=_SERIALIZER,
        application_name=APPLICATION,
        lazy=True,
    )
