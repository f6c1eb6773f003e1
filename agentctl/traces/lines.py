"""A trace as JSON Lines: the trace, then a line for each span in the order of the tree."""

from __future__ import annotations

from collections.abc import Iterator

from agentctl.prices.cost import PriceSource
from agentctl.redaction import redact_data
from agentctl.tracing.ingest import as_json

from .stored import StoredTrace, span_json


def trace_lines(trace: StoredTrace, prices: PriceSource) -> Iterator[str]:
    """Yield the lines, without their line ends."""
    head = {name: value for name, value in trace.to_json(prices).items() if name != "spans"}
    yield as_json(redact_data({"type": "trace", **head}))
    for depth, span in trace.walk():
        yield as_json(redact_data({"type": "span", "trace_id": trace.id, "depth": depth, **span_json(span, prices)}))
