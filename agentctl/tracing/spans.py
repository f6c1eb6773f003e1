"""Traces and spans; a span has a parent, start and end times, data and possibly an error."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypedDict, TypeVar

from .current import current_span, current_trace
from .processor_interface import TracingProcessor

if TYPE_CHECKING:
    from .span_data import SpanData


TSpanData = TypeVar("TSpanData", bound="SpanData")


NO_ID = "no-op"
"""Id of traces and spans that are not recorded."""


_ROUTING = ("agent_harness_id",)
"""Keys of a trace's metadata that each of its spans is exported with."""


class SpanError(TypedDict):
    """An error in a span."""

    message: str
    data: dict[str, Any] | None


class Span(Generic[TSpanData]):
    """A span; as a context manager it starts, is the current span, and finishes.

    Without a processor it behaves the same, but neither it nor its children are recorded.
    """

    _started_at: float | str | None = None
    _ended_at: float | str | None = None
    _error: SpanError | None = None
    _outer: Span[Any] | None = None

    def __init__(
        self,
        span_data: TSpanData,
        *,
        trace_id: str = NO_ID,
        span_id: str = NO_ID,
        parent_id: str | None = None,
        tracing_api_key: str | None = None,
        trace_metadata: dict[str, Any] | None = None,
        processor: TracingProcessor | None = None,
        clock: Callable[[], float | str] = str,
    ) -> None:
        """Store data and position in the trace; `clock` returns seconds since 1970, or the time in ISO format."""
        self.span_data = span_data
        """Data of the span, which can be filled in until it finishes."""
        self.trace_id = trace_id
        self.span_id = span_id
        self.parent_id = parent_id
        """Id of the parent span; None at the top of the trace."""
        self.tracing_api_key = tracing_api_key
        """Export key of its trace, if different from the process's."""
        self.trace_metadata = trace_metadata
        self.processor = processor
        """Receives its events; None if it is not recorded."""
        self.details: dict[str, Any] | None = None
        """What is known beyond the data of the traces API; kept on this machine and exported by OTLP alone."""
        self._clock = clock

    @property
    def error(self) -> SpanError | None:
        """The error of the span, None without one."""
        return self._error

    @property
    def started_at(self) -> str | None:
        """Start time in ISO format; None before the start."""
        return _iso(self._started_at)

    @property
    def ended_at(self) -> str | None:
        """End time in ISO format; None before the end."""
        return _iso(self._ended_at)

    @property
    def start_seconds(self) -> float:
        """Start time in seconds since 1970; 0 before the start."""
        return _unix(self._started_at)

    @property
    def end_seconds(self) -> float:
        """End time in seconds since 1970; 0 before the end."""
        return _unix(self._ended_at)

    def set_error(self, error: SpanError) -> None:
        """Set the error of the span, if it is recorded."""
        if self.processor is not None:
            self._error = error

    def start(self, mark_as_current: bool = False, *, at: float | None = None) -> None:
        """Start, now or at a past time in seconds since 1970; further calls have no effect."""
        processor = self.processor
        if processor is not None and self._started_at is None:
            self._started_at = self._clock() if at is None else at
            processor.on_span_start(self)
        if mark_as_current and (outer := current_span.get()) is not self:
            self._outer = outer
            current_span.set(self)

    def finish(self, reset_current: bool = False) -> None:
        """Finish; further calls have no effect."""
        processor = self.processor
        if processor is not None and self._ended_at is None and self._started_at is not None:
            self._ended_at = self._clock()
            processor.on_span_end(self)
        if reset_current and current_span.get() is self:
            current_span.set(self._outer)

    def export(self) -> dict[str, Any] | None:
        """Return the JSON for the traces API, None if it is not recorded."""
        if self.processor is None:
            return None
        exported = {
            "object": "trace.span",
            "id": self.span_id,
            "trace_id": self.trace_id,
            "parent_id": self.parent_id,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "span_data": self.span_data.export(),
            "error": self._error,
        }
        trace_metadata = self.trace_metadata or {}
        routing = {name: trace_metadata[name] for name in _ROUTING if name in trace_metadata}
        metadata = {**(self.span_data.metadata or {}), **routing}
        return {**exported, "metadata": metadata} if metadata else exported

    def __enter__(self) -> Self:
        self.start(mark_as_current=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.finish(reset_current=True)


def _iso(time: float | str | None) -> str | None:
    """Return a time in ISO format; deferred until needed, since formatting takes longer than reading the clock."""
    return datetime.fromtimestamp(time, UTC).isoformat() if isinstance(time, float) else time


def _unix(time: float | str | None) -> float:
    return datetime.fromisoformat(time).timestamp() if isinstance(time, str) else time or 0.0


class TracingConfig(TypedDict, total=False):
    """Overrides of the process's tracing settings for one trace."""

    api_key: str
    """Export key of this trace."""
    include_task_and_turn_spans: bool
    """Whether to record spans for the run and each turn, in addition to those of agents, models and tools."""


class Trace:
    """A trace; as a context manager it starts, is the current trace, and finishes.

    Without a processor it behaves the same, but neither it nor its spans are recorded.
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
        """Its export key, if different from the process's."""
        self.processor = processor
        """Receives its events; None if it is not recorded."""
        self._has_started = False
        self._has_ended = False
        self._outer: Trace | None = None

    def start(self, mark_as_current: bool = False) -> None:
        """Start; further calls have no effect."""
        if self.processor is not None and not self._has_started:
            self._has_started = True
            self.processor.on_trace_start(self)
        if mark_as_current and current_trace.get() is not self:
            self._outer = current_trace.get()
            current_trace.set(self)

    def finish(self, reset_current: bool = False) -> None:
        """Finish; further calls have no effect."""
        if self.processor is not None and self._has_started and not self._has_ended:
            self._has_ended = True
            self.processor.on_trace_end(self)
        if reset_current and current_trace.get() is self:
            current_trace.set(self._outer)

    def export(self) -> dict[str, Any] | None:
        """Return the JSON for the traces API, None if it is not recorded."""
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
        """Return the JSON of `export`, with the trace's key only if requested."""
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
