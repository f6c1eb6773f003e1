"""Reserves, sends and settles calls under a budget in a file: `reservations.py 200`."""

import json
import sys
import tempfile
import time
from pathlib import Path

from agentctl.budgets.amount import Amount, CallBound, Limits
from agentctl.budgets.sqlite_store import SQLiteBudgets
from agentctl.budgets.store import Period


def work(store: SQLiteBudgets, calls: int) -> None:
    bound = CallBound(input_tokens=100, input_cost=100_000, output_rate=1000, output_limit=500)
    for number in range(calls):
        store.reserve("ci", str(number), bound, accepts_less=False)
        store.mark_sent(str(number))
        store.settle(str(number), Amount(120, 120_000))


def main(calls: int) -> None:
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
        store = SQLiteBudgets(str(Path(folder) / "budgets.db"))
        store.define("ci", Limits(tokens=10**12, nanodollars=10**15), Period.DAY)
        work(store, 10)
        start = time.perf_counter()
        work(store, calls)
        seconds = time.perf_counter() - start
        store.close()
    print(json.dumps({"calls": calls, "seconds": seconds}))


main(int(sys.argv[1]))
