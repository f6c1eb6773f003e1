"""The base class of models behind a service, which give retry advice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentctl.agent.ports import WireModel

if TYPE_CHECKING:
    from agentctl.agent.retry import ModelRetryAdvice, ModelRetryAdviceRequest


class ServiceModel(WireModel):
    """A model behind a service."""

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        """Return the advice for an error of the service, or of a user's own client; None if there is none."""
        # 5 ms, only for a run with a retry policy.
        from .retry_advice import advice

        return advice(request)
