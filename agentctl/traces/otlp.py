"""A stored trace as the spans of an OTLP export."""

from __future__ import annotations

from collections.abc import Iterator

from agentctl.telemetry.facts import SpanFacts

from .stored import StoredTrace


def trace_facts(trace: StoredTrace) -> Iterator[SpanFacts]:
    """Yield the spans of a trace; one that was cut ends with the trace, as an error."""
    for _, span in trace.walk():
        yield SpanFacts(
            trace_id=trace.id,
            id=span.id,
            parent_id=span.parent_id,
            kind=span.kind,
            name=span.name,
            started=span.started,
            ended=trace.end if span.ended is None else span.ended,
            data=span.data,
            details=span.details,
            error={"message": "cut"} if span.ended is None and span.error is None else span.error,
        )
