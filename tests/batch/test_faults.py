"""Faults around a batch: a full disk, a clock that jumps, rows that kill their process."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from agentctl import Agent, RunConfig
from agentctl.batch import BatchResult, run_batch
from agentctl.batch.row import RowRecord
from agentctl.models.openai_provider import OpenAIProvider
from tests.batch.row_service import RowService, running_row_service


@pytest.fixture
def rows_service(home: Path) -> Iterator[RowService]:
    with running_row_service() as service:
        yield service


def run(service: RowService, store: Path, rows: list[dict[str, Any]]) -> BatchResult:
    provider = OpenAIProvider(api_key="sk-test", base_url=service.base_url)
    config = RunConfig(model="gpt-5-mini", model_provider=provider, tracing_disabled=True)
    return asyncio.run(run_batch(Agent(name="plain"), rows, store=store, name="mine", run_config=config))


def test_a_full_disk_ends_the_batch_and_loses_nothing(rows_service: RowService, tmp_path: Path) -> None:
    rows = [{"text": f"row {number} {'x' * 20_000}"} for number in range(40)]
    most: list[int] = [400]

    @sa.event.listens_for(sa.Engine, "connect")
    def limit(connection: Any, record: Any) -> None:
        if isinstance(connection, sqlite3.Connection) and most:
            connection.execute(f"PRAGMA max_page_count={most[0]}")

    try:
        with pytest.raises(OSError, match="No space left on device"):
            run(rows_service, tmp_path / "store.db", rows)
    finally:
        most.clear()
        sa.event.remove(sa.Engine, "connect", limit)
    found = run(rows_service, tmp_path / "store.db", rows)
    assert [row["error"] for row in found.rows if row["outcome"] != "completed"] == []


def test_a_clock_that_was_ahead_holds_up_nothing(rows_service: RowService, tmp_path: Path) -> None:
    rows = [{"text": f"row {number}"} for number in range(6)]
    first = run(rows_service, tmp_path / "store.db", rows)
    with sqlite3.connect(tmp_path / "store.db") as connection:  # Half of the rows ended in an hour.
        later = "completed_at + 3600000"
        connection.execute(f"UPDATE workflow_status SET completed_at = {later} WHERE workflow_uuid LIKE '%1'")
        connection.execute("DELETE FROM workflow_output WHERE workflow_uuid LIKE '%2'")
        ended = "status = 'ENQUEUED', completed_at = NULL, queue_name = 'mine', recovery_attempts = 0"
        connection.execute(f"UPDATE workflow_status SET {ended} WHERE workflow_uuid LIKE '%2'")
    connection.close()
    second = run(rows_service, tmp_path / "store.db", rows)
    assert [row["final_output"] for row in second.rows] == [row["final_output"] for row in first.rows]
    assert max(rows_service.begun.values()) == 2


def test_a_row_in_which_every_process_died_is_a_failure() -> None:
    row = RowRecord(index=0, id="1", row={}, status="MAX_RECOVERY_ATTEMPTS_EXCEEDED", attempts=6)
    document = row.to_json()
    assert (row.state, document["outcome"], document["exit_code"]) == ("failed", "failed", 1)
    assert "every process that ran this row died" in str(document["error"])
