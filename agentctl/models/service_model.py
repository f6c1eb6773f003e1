"""What the models behind a service have in common: they know which of their failures are worth another try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentctl._lazy import exporter
from agentctl.agent.ports import WireModel

if TYPE_CHECKING:
    from agentctl.agent.retry import ModelRetryAdvice, ModelRetryAdviceRequest

# 5 ms that only a run with retries of its own pays.
_load = exporter(__name__, {"advice": "agentctl.models.retry_advice"})[0]


class ServiceModel(WireModel):
    """A model behind a service."""

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        """Return what is known of a failure of the service, or of a user's own client."""
        advice: Any = _load("advice")
        known: ModelRetryAdvice | None = advice(request)
        return known
