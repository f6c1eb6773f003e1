"""What the models behind a service have in common: they know which of their failures are worth another try."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentctl.agent.ports import WireModel

if TYPE_CHECKING:
    from agentctl.agent.retry import ModelRetryAdvice, ModelRetryAdviceRequest


class ServiceModel(WireModel):
    """A model behind a service."""

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        """Return what is known of a failure of the service, or of a user's own client."""
        # 5 ms that only a run with retries of its own pays.
        from .retry_advice import advice

        return advice(request)
