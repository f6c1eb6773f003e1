"""The command line's export of traces to OpenAI, limited to runs that OpenAI serves."""

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
    """The default trace processor of the command line: exports to OpenAI the traces of runs that OpenAI serves."""

    base_url: str
    """The base URL of the endpoint, unless the agent's code sets another client."""
    organization: str | None
    project: str | None
    ca_file: Path | None
    has_key: bool
    """Whether the user has a key for it, even if not fetched yet."""
    default_model: str | None = None
    """The user's model for agents without one, if any."""
    is_open: bool = False
    """Whether runs that start now are served by OpenAI and traced."""

    @classmethod
    def of(cls, client: ClientSettings, *, has_key: bool) -> Self:
        """Return the export for the endpoint, not open yet."""
        return cls(
            base_url=client.base_url,
            organization=client.organization,
            project=client.project,
            ca_file=client.ca_file,
            has_key=has_key,
        )

    def is_wanted(self) -> bool:
        """Return whether a trace that starts now is exported."""
        return self.is_open and (self.has_key or _tracing_key() is not None)

    def make(self) -> TracingProcessor:
        """Return the processor, which uses the tracing key that the process has at export time."""
        # 5 ms, only for a traced run.
        from agentctl.tracing.processors import openai_processor

        return openai_processor(
            _tracing_key, organization=self.organization, project=self.project, ca_file=self.ca_file
        )


def _tracing_key() -> str | None:
    return get_defaults().tracing_key
