"""Traces: what belongs together, usually one run, as a tree of spans."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self, TypedDict

from .current import current_trace
from .processor_interface import TracingProcessor

NO_ID = "no-op"
"""The id of what is not traced."""


class TracingConfig(TypedDict, total=False):
    """How one trace differs from the process's."""

    api_key: str
    """What this trace is exported with."""
    include_task_and_turn_spans: bool
    """Whether a run has spans for itself and for each turn, beside those of agents, models and tools."""


class Trace:
    """A trace; as a context manager it begins, is the current one, and ends.

    One without a processor is the same to who uses it, and nobody is told of it or of what is below it.
    """

    def __init__(
        self,
        name: str = NO_ID,
        *,
        trace_id: str = NO_ID,
        group_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        tracing_api_key: str | None = None,
        processor: TracingProcessor | None = None,
    ) -> None:
        self.name = name
        """The name of the workflow."""
        self.trace_id = trace_id
        self.group_id = group_id
        self.metadata = metadata
        self.tracing_api_key = tracing_api_key
        """What it is exported with, if not with the process's key."""
        self.processor = processor
        """Who is told of it; None where nobody is."""
        self._has_begun = False
        self._has_ended = False
        self._outer: Trace | None = None

    def start(self, mark_as_current: bool = False) -> None:
        """Begin it; beginning it twice is beginning it once."""
        if self.processor is not None and not self._has_begun:
            self._has_begun = True
            self.processor.on_trace_start(self)
        if mark_as_current and current_trace.get() is not self:
            self._outer = current_trace.get()
            current_trace.set(self)

    def finish(self, reset_current: bool = False) -> None:
        """End it; ending it twice is ending it once."""
        if self.processor is not None and self._has_begun and not self._has_ended:
            self._has_ended = True
            self.processor.on_trace_end(self)
        if reset_current and current_trace.get() is self:
            current_trace.set(self._outer)

    def export(self) -> dict[str, Any] | None:
        """Return it as JSON, None where it is not recorded."""
        if self.processor is None:
            return None
        return {
            "object": "trace",
            "id": self.trace_id,
            "workflow_name": self.name,
            "group_id": self.group_id,
            "metadata": self.metadata,
        }

    def to_json(self, *, include_tracing_api_key: bool = False) -> dict[str, Any] | None:
        """Return it as JSON, with its key only if that is asked for."""
        exported = self.export()
        if exported is None or not include_tracing_api_key or self.tracing_api_key is None:
            return exported
        return {**exported, "tracing_api_key": self.tracing_api_key}

    def __enter__(self) -> Self:
        self.start(mark_as_current=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.finish(reset_current=True)
