"""Processes that race for budgets over a service that reports usage, and processes that are killed."""

import json
import random
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from agentctl.budgets import sqlite_store
from agentctl.budgets.amount import Amount, Limits
from agentctl.budgets.sqlite_store import SQLiteBudgets
from agentctl.budgets.store import Period
from tests.budgets.racer import PRICE
from tests.service import steps
from tests.service.client import Service

PROCESSES = 20
USAGE = {
    "input_tokens": 40,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 16,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 56,
}
COST = round((40 * PRICE["input"] + 16 * PRICE["output"]) * 1000)
"""Nanodollars of a call."""
LEAST = 340
"""Tokens that the input and the output of a call may take at most, about."""


@contextmanager
def barrier(parties: int) -> Iterator[int]:
    """Yield a port; who connects and sends a byte gets one back once all parties have sent theirs."""

    def serve() -> None:
        with ExitStack() as stack:
            stack.enter_context(suppress(OSError))
            connections = [stack.enter_context(listener.accept()[0]) for _ in range(parties)]
            while all(connection.recv(1) for connection in connections):
                for connection in connections:
                    connection.sendall(b".")

    with socket.create_server(("127.0.0.1", 0), backlog=parties) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def racing(service: Service, file: Path, port: int, names: list[str], count: int = 1) -> "subprocess.Popen[str]":
    """Start a process that becomes `count` of them; each prints a line."""
    arguments = [service.base_url, str(file), str(port), str(count), *names]
    command = [sys.executable, "-m", "tests.budgets.racer", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def answer(*, delay: float = 0) -> steps.Step:
    return {**steps.text("A short answer", delay=delay), "overlay": {"usage": USAGE}}


@pytest.mark.slow
def test_processes_that_race_never_exceed_a_budget(service: Service, home: Path, share: Callable[[int], int]) -> None:
    rounds = share(50)
    chance = random.Random(rounds)
    file = home / "budgets.db"
    names = [f"race{number}" for number in range(rounds)]
    store = SQLiteBudgets(str(file))
    tokens = {name: chance.randrange(400, 900) for name in names}
    for name in names:
        is_in_usd = chance.random() < 0.5
        limits = Limits(nanodollars=tokens[name] * 20_000) if is_in_usd else Limits(tokens=tokens[name])
        store.define(name, limits, chance.choice([None, *Period]))
    service.script(*[answer() for _ in range(rounds * 40)])
    counted: Counter[str] = Counter()
    with barrier(PROCESSES) as port:
        race = racing(service, file, port, names, PROCESSES)
        lines = race.communicate(timeout=500)[0].splitlines()
    assert (race.returncode, len(lines)) == (0, PROCESSES)
    for line in lines:
        counted.update(json.loads(line))
    for name in names:
        budget = store.find(name)
        assert budget.reserved == Amount()
        assert budget.spent == Amount(56 * counted[name], COST * counted[name])
        assert counted[name] > 0
        if budget.limits.tokens is not None:
            assert budget.limits.tokens - LEAST - 56 < budget.spent.tokens <= budget.limits.tokens
        else:
            assert budget.limits.nanodollars is not None
            assert budget.spent.nanodollars <= budget.limits.nanodollars
    assert sum(counted.values()) == len(service.requests())


def test_a_killed_process_loses_nothing_and_spends_nothing_twice(service: Service, home: Path) -> None:
    file = home / "budgets.db"
    store = SQLiteBudgets(str(file))
    store.define("ci", Limits(tokens=3000), Period.DAY)
    service.script(answer(), steps.hang())
    with barrier(1) as port:
        process = racing(service, file, port, ["ci"])
        until = time.monotonic() + 30
        while len(service.requests()) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        process.kill()
        process.communicate()
    killed = store.find("ci")
    assert killed.spent == Amount(56, COST)
    assert 16 < killed.reserved.tokens < LEAST
    later = SQLiteBudgets(str(file), clock=lambda: time.time() + sqlite_store.LEASE + 1)
    charged = later.find("ci")
    assert charged.reserved == Amount()
    assert charged.spent == killed.spent + killed.reserved
    assert later.find("ci").spent == charged.spent
