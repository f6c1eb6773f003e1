"""The floor of reservations: three transactions of a bare SQLite file, one of them synced: `sqlite_writes.py 200`."""

import json
import sqlite3
import sys
import tempfile
import time
from pathlib import Path


def work(connection: sqlite3.Connection, calls: int) -> None:
    for number in range(calls):
        connection.execute("INSERT INTO calls VALUES (?, 'held', 600)", (number,))
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("UPDATE calls SET status = 'sent' WHERE id = ?", (number,))
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("DELETE FROM calls WHERE id = ?", (number,))


def main(calls: int) -> None:
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
        connection = sqlite3.connect(Path(folder) / "calls.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("CREATE TABLE calls (id INTEGER PRIMARY KEY, status TEXT, tokens INTEGER)")
        work(connection, 10)
        start = time.perf_counter()
        work(connection, calls)
        seconds = time.perf_counter() - start
        connection.close()
    print(json.dumps({"calls": calls, "seconds": seconds}))


main(int(sys.argv[1]))
