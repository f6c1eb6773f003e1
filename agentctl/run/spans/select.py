"""Selects the spans of a run: recorded where its trace has a recipient, else none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentctl.tracing.process import is_tracing_active

from .spans import NullSpans

if TYPE_CHECKING:
    from agentctl.agent.run_config import RunConfig

    from .spans import Spans


def spans_for(config: RunConfig) -> Spans:
    """Return the spans of a run with this configuration."""
    if config.tracing_disabled or not is_tracing_active((config.tracing or {}).get("api_key")):
        return NullSpans()
    # 5 ms that a run without tracing does not pay.
    from .recorded import RecordedSpans

    return RecordedSpans(config)
