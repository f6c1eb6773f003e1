"""Batches in PostgreSQL: kills of processes, and of the server itself."""

import json
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread

import pytest
import sqlalchemy as sa

from agentctl.batch.address import StoreAddress
from agentctl.batch.spending import PostgresBudgets
from agentctl.batch.store import SCHEMA, connect
from agentctl.budgets.amount import Amount, CallBound, Limits
from agentctl.budgets.store import Reservation
from agentctl.errors import ConfigurationError
from tests.batch.kill_process import ROWS, processes
from tests.batch.killing import KillableService, check_kill, expected
from tests.batch.postgres import PostgresServer

MOMENTS = 50


@pytest.mark.slow
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


def test_a_maximum_cost_holds_for_all_processes(postgres: PostgresServer) -> None:
    engine = connect(StoreAddress.of(postgres.new_database()))
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE SCHEMA {SCHEMA}"))
    budgets, bound = PostgresBudgets(engine), CallBound(input_tokens=10, input_cost=30, output_rate=1, output_limit=10)
    budgets.define("costly", Limits(nanodollars=100), None)
    taken = Barrier(4)
    granted: list[Reservation] = []

    def reserve(number: int) -> None:
        taken.wait()
        for attempt in range(5):
            found = PostgresBudgets(engine).reserve("costly", f"{number}-{attempt}", bound, accepts_less=False)
            if isinstance(found, Reservation):
                granted.append(found)

    threads = [Thread(target=reserve, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == 2  # Of 40 each.
    first, second = granted
    assert budgets.mark_sent(first.id)
    assert not budgets.mark_sent("unknown")
    budgets.settle(first.id, Amount(15, 35))
    found = budgets.find("costly")
    assert (found.spent.nanodollars, found.reserved.nanodollars) == (35, 40)
    with engine.begin() as connection:  # The process of the second call dies before it is sent.
        connection.execute(sa.text(f"UPDATE {SCHEMA}.batch_reservations SET expires = 0"))
    assert budgets.find("costly").reserved == Amount()
    budgets.settle(second.id, Amount())
    assert isinstance(budgets.reserve("costly", "sent", bound, accepts_less=False), Reservation)
    assert budgets.mark_sent("sent")
    with engine.begin() as connection:  # This one dies after it.
        connection.execute(sa.text(f"UPDATE {SCHEMA}.batch_reservations SET expires = 0"))
    assert budgets.find("costly").spent.nanodollars == 75
    budgets.settle("sent", Amount(12, 32))
    assert budgets.find("costly").spent.nanodollars == 67
    with pytest.raises(ConfigurationError, match="no budget"):
        budgets.find("unknown")
    engine.dispose()
