"""What a run may be told beside agent and input."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.ports import Model, ModelProvider
from agentctl.errors import UserError

DEFAULT_MAX_TURNS = 10
"""How many turns a run may take when it is not told."""


def _default_provider() -> ModelProvider:
    # `RunConfig` is vocabulary; the providers and what they talk to are imported only when a run needs them.
    from agentctl.models.multi_provider import MultiProvider

    return MultiProvider()


@dataclass
class RunConfig:
    """Settings of a whole run, over those of its agents."""

    model: str | Model | None = None
    """The model of every agent in the run, whatever they say themselves."""
    model_provider: ModelProvider = field(default_factory=_default_provider)
    """Finds the models that are given by name."""
    model_settings: ModelSettings | None = None
    """Put over the settings of every agent in the run, value by value."""


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
