"""Traces on this machine: a processor that keeps every trace in a file of the state folder, for the user alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from agentctl.errors import ConfigurationError
from agentctl.log import logger
from agentctl.storage import folders

from .batch import BatchTraceProcessor
from .changes import RunEnded, SpanBegun, TraceBegun, TraceEnded
from .processor_interface import TracingExporter

if TYPE_CHECKING:
    from .spans import Span, Trace
    from .trace_writer import TraceWriter

KEEP_DAYS = 30
"""The default number of days for which traces are kept."""
KEEP_SIZE = 200
"""The default size of all traces together, in MB."""
FOLDER = "traces"
"""The folder of traces in the state folder."""

_DELAY = 0.05
"""Seconds until the first line is written, unless a span ends: a run sends its first request meanwhile."""
_QUEUE = 65_536
"""Number of starts and ends that wait to be written before more are dropped."""


class LocalTraceProcessor(BatchTraceProcessor):
    """Keeps traces in files, written by a thread as they happen; what cannot be written is dropped, never waited for.

    Traces older than `keep_days`, and the oldest beyond `keep_size` MB, are removed.
    """

    queues_only = True
    pause = 0.005

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        keep_days: float = KEEP_DAYS,
        keep_size: float = KEEP_SIZE,
        on_problem: Callable[[str], None] | None = None,
    ) -> None:
        """Keep traces in `folder`; by default where `agentctl trace list` finds them.

        `on_problem` is called once, by the thread that writes, with the reason why no more traces are kept; by default
        it is logged.

        Raises:
            ConfigurationError: there is no home folder, and no `folder`.
        """
        if folder is None:
            found = folders(os.environ)
            if found is None:
                raise ConfigurationError("traces cannot be kept without a home folder; set HOME or AGENTCTL_HOME")
            folder = found.state / FOLDER
        self._writer = _Writer(Path(folder), keep_days=keep_days, keep_size=keep_size, on_problem=on_problem)
        # From its first round on, the thread writes as soon as there is something: what has ended is read after a kill.
        super().__init__(self._writer, max_queue_size=_QUEUE, schedule_delay=_DELAY, export_trigger_ratio=0)

    @property
    def problem(self) -> str | None:
        """The reason why traces are not kept; None if they are."""
        return self._writer.problem

    def on_trace_start(self, trace: Trace) -> None:
        """Queue the start of the trace."""
        self.take(TraceBegun(trace, time.time()))

    def on_trace_end(self, trace: Trace) -> None:
        """Queue the end of the trace."""
        self.take(TraceEnded(trace, time.time()))

    def on_span_start(self, span: Span[Any]) -> None:
        """Queue the start of the span."""
        self.take(SpanBegun(span))

    def on_span_end(self, span: Span[Any]) -> None:
        """Queue the span, and have it written soon."""
        self.take(span)
        self._wake.set()

    def await_first_write(self, timeout: float) -> None:
        """Wait until the first lines were written, or could not be; no longer than `timeout` seconds."""
        if not self._writer.has_written.is_set():
            self._wake.set()
            self._writer.has_written.wait(timeout)

    def record_outcome(self, trace_id: str, fields: Mapping[str, Any]) -> None:
        """Add the outcome of a run, which is known after its trace has ended."""
        self.take(RunEnded(trace_id, fields))


class _Writer(TracingExporter):
    """The writer, imported by the thread that writes, while the run waits for its first answer."""

    def __init__(
        self, folder: Path, *, keep_days: float, keep_size: float, on_problem: Callable[[str], None] | None
    ) -> None:
        self._on_problem = on_problem or self._log_problem
        self._options = (folder, keep_days, keep_size)
        self.has_written = Event()
        """Set once the first lines were written, or could not be."""
        self._writer: TraceWriter | None = None

    @property
    def problem(self) -> str | None:
        return None if self._writer is None else self._writer.problem

    def export(self, items: list[Any]) -> None:
        """Write what happened."""
        if self._writer is None:
            # 5 ms.
            from .trace_writer import TraceWriter

            folder, keep_days, keep_size = self._options
            self._writer = TraceWriter(folder, keep_days=keep_days, keep_size=keep_size)
        had_problem = self.problem is not None
        self._writer.write(items)
        if self.problem is not None and not had_problem:
            self._on_problem(self.problem)
        self.has_written.set()

    def _log_problem(self, problem: str) -> None:
        logger.warning("traces are not kept in %s: %s", self._options[0], problem)

    def close(self) -> None:
        """Close the files."""
        if self._writer is not None:
            self._writer.close()
