"""The traces of rows: held until a row has ended, and kept if it failed or all are wanted."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentctl.tracing.changes import RunEnded, SpanBegun, TraceBegun, TraceEnded
from agentctl.tracing.local import LocalTraceProcessor


class RowTraces(LocalTraceProcessor):
    """Keeps the traces of rows in files, those of failed rows or all."""

    queues_only = True

    def __init__(self, folder: Path, *, keep_days: float, keep_size: float, keeps_all: bool) -> None:
        super().__init__(folder, keep_days=keep_days, keep_size=keep_size)
        self._keeps_all = keeps_all
        self._held: dict[str, list[Any]] = {}
        self._lock = threading.Lock()

    def take(self, item: Any) -> None:
        """Hold what happened in a trace."""
        trace_id = _trace_id(item)
        with self._lock:
            self._held.setdefault(trace_id, []).append(item)

    def keeps(self, *, has_failed: bool) -> bool:
        """Return whether the trace of a row is kept."""
        return self._keeps_all or has_failed

    def settle(self, trace_id: str, fields: Mapping[str, Any], *, has_failed: bool) -> None:
        """Keep the trace of a row that has ended, with its outcome, or drop it."""
        with self._lock:
            held = self._held.pop(trace_id, [])
        if self.keeps(has_failed=has_failed):
            for item in [*held, RunEnded(trace_id, fields)]:
                super().take(item)


def _trace_id(item: Any) -> str:
    match item:
        case TraceBegun() | TraceEnded():
            return str(item.trace.trace_id)
        case SpanBegun():
            return str(item.span.trace_id)
        case _:
            return str(item.trace_id)
