"""The traces of a job on this machine: kept by a processor, with the outcome of each run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from agentctl._dataclass import dataclass
from agentctl.agent.events import RunFinished
from agentctl.errors import exit_for
from agentctl.profile.resolve import TraceSettings
from agentctl.tracing.process import add_trace_processor

if TYPE_CHECKING:
    from agentctl.storage import Folders
    from agentctl.tracing.local import LocalTraceProcessor

_PATIENCE = 0.5
"""Seconds that the end of a short run waits to know whether its trace can be kept."""


@dataclass(slots=True, kw_only=True)
class TraceStore:
    """Keeps the traces of the runs of this process."""

    folder: Path | None
    """None without a home folder: nothing is kept."""
    keep_days: int
    keep_size: int
    _processor: LocalTraceProcessor | None = None
    _problem: str | None = None
    """The reason why traces are not kept, until it was reported."""

    @classmethod
    def of(cls, settings: TraceSettings, folders: Folders | None) -> Self:
        """Return the store of the settings, not open yet."""
        # The name is that of `agentctl.tracing.local`, which a run that is not traced need not import.
        folder = None if folders is None else folders.state / "traces"
        return cls(folder=folder, keep_days=settings.keep_days, keep_size=settings.keep_size)

    def open(self) -> None:
        """Keep the traces that start from now on."""
        if self.folder is None or self._processor is not None:
            return
        # 5 ms, only for a traced run.
        from agentctl.tracing.local import LocalTraceProcessor

        self._processor = LocalTraceProcessor(
            self.folder, keep_days=self.keep_days, keep_size=self.keep_size, on_problem=self._note_problem
        )
        add_trace_processor(self._processor)

    def flush(self) -> None:
        """Write what is still to be written."""
        if self._processor is not None:
            self._processor.force_flush()

    def file_of(self, trace_id: str) -> Path | None:
        """Return the file of a trace of this process; None if it is not kept."""
        if self._processor is None or self.folder is None:
            return None
        # 1 ms, needed only to find a file; the processor has imported it.
        from agentctl.tracing.trace_files import file_key, list_files

        self.flush()
        key = file_key(trace_id)
        return next((Path(file.path) for file in list_files(self.folder) if file.key == key), None)

    def record(self, end: RunFinished) -> str | None:
        """Record the outcome of a run; return a warning if traces cannot be kept, once."""
        processor = self._processor
        if processor is None or end.trace_id is None:
            return None
        row = exit_for(end.error)
        processor.record_outcome(
            end.trace_id,
            {
                "outcome": row.outcome.value,
                "exit_code": row.code,
                "agent": None if end.agent is None else end.agent.name,
                "session_id": end.session_id,
                "error": None if end.error is None else type(end.error).__name__,
            },
        )
        processor.await_first_write(_PATIENCE)
        problem, self._problem = self._problem, None
        return None if problem is None else f"the trace is not kept in {self.folder}: {problem}"

    def _note_problem(self, problem: str) -> None:
        self._problem = problem
