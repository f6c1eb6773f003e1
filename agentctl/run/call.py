"""The model call of a turn: the model found by name, and called with or without retries."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from agentctl.agent.agent import Agent
from agentctl.agent.ports import Model, ModelRequest, WireModel
from agentctl.agent.run_config import RunConfig

from .attempt import CallEvent, call_once

if TYPE_CHECKING:
    from agentctl.agent.tape import Tape

    from .spans.spans import Spans


CallModel: TypeAlias = Callable[..., AsyncGenerator[CallEvent]]
"""Makes a model call, as `call_model` does."""


class Models:
    """The models of a run; the provider is asked once for each name."""

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._by_name: dict[str | None, Model] = {}

    def of(self, agent: Agent[Any], tape: Tape | None = None) -> Model:
        """Return the model of an agent: the run's own choice, else the agent's, else the provider's default.

        A tape finds the models that the provider has under a name.
        """
        model = self._config.model if self._config.model is not None else agent.model
        if isinstance(model, Model):
            return model
        if model not in self._by_name:
            provider = self._config.model_provider
            self._by_name[model] = provider.get_model(model) if tape is None else tape.find_model(model, provider)
        return self._by_name[model]


def model_name(model: Model) -> str:
    """Return the name of a model for messages."""
    if isinstance(model, WireModel):
        return model.model_name
    name = getattr(model, "model", None)
    return name if isinstance(name, str) else type(model).__name__


def call_model(model: Model, request: ModelRequest, spans: Spans, *, streamed: bool) -> AsyncGenerator[CallEvent]:
    """Return the events of a model call, the response last; retried as `ModelSettings.retry` configures."""
    if request.streamed is not streamed:
        request = replace(request, streamed=streamed)
    if request.model_settings.retry is None:
        return call_once(model, request, spans, streamed=streamed)
    # 5 ms that a run without retry settings does not pay.
    from .retry import call_with_retries

    return call_with_retries(model, request, spans, streamed=streamed)
