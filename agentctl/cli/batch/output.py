"""The output of `batch run`: results in a file or on stdout, and events as JSON lines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO
from uuid import uuid4

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.batch.export import export, result_line
from agentctl.batch.row import BatchRecord, RowRecord
from agentctl.batch.table import table_format
from agentctl.cli.report import UsageError
from agentctl.cli.sink import check_output, check_stdout
from agentctl.render.machine import timestamp
from agentctl.version import SCHEMA_VERSION

if TYPE_CHECKING:
    from agentctl.batch.progress import Progress
    from agentctl.batch.store import BatchStore

_EVERY = 1.0
"""Seconds between two events of progress."""


@dataclass(slots=True)
class ResultOutput:
    """The destination of results."""

    path: Path | None = None
    """The file of `-o`; `-` is stdout; None leaves the results in the store."""
    as_completed: bool = False
    """Whether results are written as rows end, and not in the order of the input."""
    events: bool = False
    """Whether events go to stdout."""
    quiet: bool = False
    _file: TextIO | None = None
    _last: float = 0.0
    _run_id: str = field(default_factory=lambda: f"run_{uuid4().hex}")
    _seq: int = 0

    def check(self) -> None:
        """Check the options before anything costs.

        Raises:
            UsageError: they contradict each other.
        """
        if self.path == Path("-") and self.events:
            raise UsageError("--format jsonl writes to stdout; give -o a file")
        if self.as_completed and self.path is None:
            raise UsageError("--as-completed needs -o")
        if self.events or self.path == Path("-"):
            check_stdout()
        if self.path is None or self.path == Path("-"):
            return
        if table_format(self.path) != "jsonl" and self.as_completed:
            raise UsageError("--as-completed writes .jsonl files")
        check_output(self.path)

    def begin(self, batch: BatchRecord) -> None:
        """Begin to write."""
        if self.as_completed and self.path is not None:
            is_stdout = self.path == Path("-")
            self._file = sys.stdout if is_stdout else self.path.open("w", encoding="utf-8", errors="backslashreplace")
        self._event("batch.started", {"batch": batch.name, "total": batch.total})

    def write(self, ended: Iterable[RowRecord], progress: Progress) -> None:
        """Write rows that have ended."""
        for row in ended:
            document = row.to_json()
            if self._file is not None and row.state != "waiting":
                self._file.write(result_line(document))
            self._event("row.finished", document)
        if self._file is not None:
            self._file.flush()
        if self.events and time.monotonic() - self._last >= _EVERY:
            self._last = time.monotonic()
            self._event("batch.progress", progress.to_json())
            sys.stdout.flush()

    def finish(self, store: BatchStore, progress: Progress, code: int) -> int | None:
        """Write what is to be written at the end; return the number of results in the file, None without one."""
        self._event("batch.finished", {"exit_code": code, **progress.to_json()})
        if self._file is not None and self._file is not sys.stdout:
            self._file.close()
        if self.path is None or self.as_completed:
            return None
        if self.path == Path("-"):
            for document in results(store, progress.batch):
                sys.stdout.write(result_line(document))
            return None
        return export(results(store, progress.batch), self.path)

    def _event(self, kind: str, fields: dict[str, JSONValue]) -> None:
        if self.events:
            head = {"type": kind, "schema_version": SCHEMA_VERSION, "seq": self._seq}
            head |= {"time": timestamp(time.time()), "run_id": self._run_id}
            self._seq += 1
            sys.stdout.write(json.dumps(head | fields) + "\n")


def results(store: BatchStore, batch: BatchRecord) -> Iterator[dict[str, JSONValue]]:
    """Yield the results of a batch in the order of its input, of the rows that have one."""
    for row in store.rows(batch):
        if row.state in ("done", "failed"):
            yield row.to_json()
