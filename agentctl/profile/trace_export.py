"""The export of traces to OpenAI as the command line does it: only of runs that OpenAI answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentctl._lazy import exporter
from agentctl.net.defaults import get_defaults
from agentctl.net.options import HttpOptions

if TYPE_CHECKING:
    from agentctl.tracing.processor_interface import TracingProcessor

# 5 ms that a run which nobody traces does not pay.
_load = exporter(__name__, {"openai_processor": "agentctl.tracing.processors"})[0]


@dataclass(slots=True, kw_only=True)
class TraceExport:
    """What a process of the command line tells of its traces by itself: OpenAI, where OpenAI answers the run."""

    organization: str | None
    project: str | None
    options: HttpOptions
    is_open: bool = False
    """Whether the runs that begin now are answered by OpenAI, and their traces wanted."""

    def is_wanted(self) -> bool:
        """Return whether a trace that begins now is exported, if a key turns up."""
        return self.is_open

    def make(self) -> TracingProcessor:
        """Return what exports it, with the key for traces that the process has by then."""
        make = _load("openai_processor")
        assert callable(make)
        processor: TracingProcessor = make(
            _tracing_key, organization=self.organization, project=self.project, options=self.options
        )
        return processor


def _tracing_key() -> str | None:
    return get_defaults().tracing_key
