"""What a run may be told beside agent and input."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.ports import Model, ModelProvider
from agentctl.errors import UserError

if TYPE_CHECKING:
    from agentctl.tracing.traces import TracingConfig

DEFAULT_MAX_TURNS = 10
"""How many turns a run may take when it is not told."""


def _default_provider() -> ModelProvider:
    # `RunConfig` is vocabulary; the providers and what they talk to are imported only when a run needs them.
    from agentctl.models.multi_provider import MultiProvider

    return MultiProvider()


def _includes_sensitive_data() -> bool:
    return os.environ.get("OPENAI_AGENTS_TRACE_INCLUDE_SENSITIVE_DATA", "").strip().lower() not in ("0", "false")


@dataclass
class RunConfig:
    """Settings of a whole run, over those of its agents."""

    model: str | Model | None = None
    """The model of every agent in the run, whatever they say themselves."""
    model_provider: ModelProvider = field(default_factory=_default_provider)
    """Finds the models that are given by name."""
    model_settings: ModelSettings | None = None
    """Put over the settings of every agent in the run, value by value."""
    tracing_disabled: bool = False
    """Whether this run has no trace, whatever the process does."""
    tracing: TracingConfig | None = None
    """How the trace differs from the process's."""
    trace_include_sensitive_data: bool = field(default_factory=_includes_sensitive_data)
    """Whether spans hold inputs and outputs: OPENAI_AGENTS_TRACE_INCLUDE_SENSITIVE_DATA decides, else they do."""
    workflow_name: str = "Agent workflow"
    """The name of the trace."""
    trace_id: str | None = None
    """The id of the trace; None is a new one."""
    group_id: str | None = None
    """What the trace has in common with others, a conversation for instance."""
    trace_metadata: dict[str, Any] | None = None


def run_config(given: RunConfig | dict[str, Any] | None) -> RunConfig:
    """Return the configuration of a run from what a caller may give.

    Raises:
        UserError: a dict has a key that is no field of `RunConfig`.
    """
    if isinstance(given, RunConfig):
        return given
    known = {field.name for field in fields(RunConfig)}
    if unknown := set(given or ()) - known:
        raise UserError(f"run_config has no field {sorted(unknown)[0]!r}; the fields are {', '.join(sorted(known))}")
    return RunConfig(**(given or {}))
