"""The progress of a batch, as the store has it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import field
from typing import Any

from agentctl._dataclass import dataclass

from .row import BatchRecord, RowRecord, RowState
from .store import BatchStore

_OVERLAP = 2000
"""Milliseconds that are read again: a row that finished earlier may be committed later."""

_RECENT = 5
"""The number of failures that are remembered."""


@dataclass(slots=True)
class Progress:
    """The number of rows in each state, and what they used."""

    batch: BatchRecord
    states: Counter[RowState] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    tokens: int = 0
    cost: float = 0.0
    is_cost_known: bool = True
    queued: int = 0
    running: int = 0
    failures: deque[RowRecord] = field(default_factory=lambda: deque(maxlen=_RECENT))
    """The last rows that failed."""
    lost: set[int] = field(default_factory=set, repr=False)
    """The rows whose result the store could not take."""
    _rows: dict[int, tuple[RowState, str, int, float | None]] = field(default_factory=dict, repr=False)
    _times: dict[int, int] = field(default_factory=dict, repr=False)
    """When rows ended, by the clock of the store."""
    _since: int = field(default=0, repr=False)

    @property
    def end_count(self) -> int:
        """The number of rows that have a result, or wait for approval."""
        return len(self._rows)

    @property
    def remainder(self) -> int:
        """The number of rows without a result."""
        return self.batch.total - self.end_count

    def forget(self, index: int) -> None:
        """Forget the result of a row that is run again."""
        self.lost.discard(index)
        self._times.pop(index, None)
        earlier = self._rows.pop(index, None)
        if earlier is not None:
            self._count(earlier, -1)

    def read(self, store: BatchStore, *, again: bool = False) -> list[RowRecord]:
        """Read what is new in the store, or all of it, and return the rows that have ended since. Blocks."""
        if again:
            self._since = 0
        finished = store.find_finished(self.batch.name, max(self._since - _OVERLAP, 0))
        self._since = max((at for _, at in finished), default=self._since)
        new = [index for index, at in finished if self._times.get(index) != at]
        self._times.update(finished)
        in_flight = store.in_flight(self.batch.name)
        self.queued, self.running = in_flight.get("ENQUEUED", 0), in_flight.get("PENDING", 0)
        return list(self._add(store.read(self.batch.name, new)))

    def _add(self, rows: Iterable[RowRecord]) -> Iterator[RowRecord]:
        for row in rows:
            known = self._rows.get(row.index)
            document: dict[str, Any] = row.to_json()
            usage = document["usage"] or {}
            new = (row.state, document["outcome"], int(usage.get("total_tokens") or 0), document["cost_usd"])
            if known == new:
                continue
            if known is not None:
                self._count(known, -1)
            self._rows[row.index] = new
            self._count(new, 1)
            if row.is_lost:
                self.lost.add(row.index)
            if row.state == "failed":
                self.failures.append(row)
            yield row

    def _count(self, row: tuple[RowState, str, int, float | None], sign: int) -> None:
        state, outcome, tokens, cost = row
        self.states[state] += sign
        self.outcomes[outcome] += sign
        self.tokens += sign * tokens
        self.cost += sign * (cost or 0.0)
        if cost is None and tokens:
            self.is_cost_known = False

    @property
    def waiting_rows(self) -> set[int]:
        """The rows that wait for approval."""
        return self.rows_with("suspended")

    def rows_with(self, outcome: str) -> set[int]:
        """Return the rows with an outcome."""
        return {index for index, row in self._rows.items() if row[1] == outcome} if self.outcomes[outcome] else set()

    @property
    def failure_count(self) -> int:
        """The number of rows that failed."""
        return self.states["failed"]

    def to_json(self) -> dict[str, Any]:
        """Return the progress as JSON."""
        return {
            "batch": self.batch.name,
            "total": self.batch.total,
            "done": self.states["done"],
            "failed": self.failure_count,
            "waiting": self.states["waiting"],
            "cancelled": self.states["cancelled"],
            "running": self.running,
            "queued": self.queued,
            "tokens": self.tokens,
            "cost_usd": self.cost if self.is_cost_known else None,
        }
