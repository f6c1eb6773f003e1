"""Batches in PostgreSQL: kills of processes, and of the server itself."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.batch.kill_process import ROWS, processes
from tests.batch.killing import KillableService, check_kill, expected
from tests.batch.postgres import PostgresServer

MOMENTS = 50


@pytest.mark.parametrize("part", range(5))
def test_a_batch_survives_kills(
    home: Path, tmp_path: Path, share: Callable[[int], int], postgres: PostgresServer, part: int
) -> None:
    for seed in range(part, share(MOMENTS), 5):
        folder = tmp_path / str(seed)
        folder.mkdir()
        check_kill(postgres.new_database(), folder, seed)


def test_the_server_restarts_in_the_middle(home: Path, tmp_path: Path, postgres: PostgresServer) -> None:
    service = KillableService(30)
    service.start()
    try:
        with processes(postgres.new_database(), service.port, tmp_path) as start:
            workers = [start(), start()]
            assert service.has_come.wait(60)
            postgres.stop()
            postgres.start()
            for worker in workers:
                worker.join(100)
                assert worker.exitcode == 0
    finally:
        service.stop()
    results = json.loads((tmp_path / "results-0.json").read_text())
    assert [row["final_output"] for row in results] == expected()
    assert len(results) == len(ROWS)
