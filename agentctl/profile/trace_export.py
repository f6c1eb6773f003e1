"""The export of traces to OpenAI as the command line does it: only of runs that OpenAI answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from agentctl._dataclass import dataclass
from agentctl.net.defaults import get_defaults

from .resolve import ClientSettings

if TYPE_CHECKING:
    from agentctl.tracing.processor_interface import TracingProcessor


@dataclass(slots=True, kw_only=True)
class TraceExport:
    """What a process of the command line tells of its traces by itself: OpenAI, where OpenAI answers the run."""

    base_url: str
    """Of the service that answers where nobody says otherwise."""
    organization: str | None
    project: str | None
    ca_file: Path | None
    has_key: bool
    """Whether the user has a key for it, even if it is not known yet."""
    default_model: str | None = None
    """What answers for an agent that names no model, where the user chose one."""
    is_open: bool = False
    """Whether the runs that begin now are answered by OpenAI, and their traces wanted."""

    @classmethod
    def of(cls, client: ClientSettings, *, has_key: bool) -> Self:
        """Return the way of traces to OpenAI, closed for now."""
        return cls(
            base_url=client.base_url,
            organization=client.organization,
            project=client.project,
            ca_file=client.ca_file,
            has_key=has_key,
        )

    def is_wanted(self) -> bool:
        """Return whether a trace that begins now is exported."""
        return self.is_open and (self.has_key or _tracing_key() is not None)

    def make(self) -> TracingProcessor:
        """Return what exports it, with the key for traces that the process has by then."""
        # 5 ms that a run without tracing does not pay.
        from agentctl.tracing.processors import openai_processor

        return openai_processor(
            _tracing_key, organization=self.organization, project=self.project, ca_file=self.ca_file
        )


def _tracing_key() -> str | None:
    return get_defaults().tracing_key
