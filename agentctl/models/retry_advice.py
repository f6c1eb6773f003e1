"""Retry advice for service errors: which are worth a retry, and whether it is safe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from agentctl.agent.retry import ModelRetryAdvice, ModelRetryAdviceRequest
from agentctl.errors import ServiceUnavailableError
from agentctl.net.retry import may_have_been_sent
from agentctl.net.unreachable import FINAL

if TYPE_CHECKING:
    from openai import APIStatusError

_TEMPORARY_STATUSES = frozenset({408, 409, 425, 429})


def advice(request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
    """Return the advice for an error of the service, or of a user's own client; None if there is none."""
    error = request.error
    if isinstance(error, ServiceUnavailableError):
        return _from_service_error(error, request)
    client = sys.modules.get("openai")
    if client is None:
        return None
    if isinstance(error, client.APIStatusError):
        return _from_status(error)
    if isinstance(error, client.APIConnectionError):
        return _from_lost_request(request, reason=str(error))
    return None


def _from_service_error(error: ServiceUnavailableError, request: ModelRetryAdviceRequest) -> ModelRetryAdvice:
    if error.status is None and error.code in FINAL:
        return ModelRetryAdvice(suggested=False, reason=error.message)
    if may_have_been_sent(error):
        return _from_lost_request(request, reason=error.message)
    return ModelRetryAdvice(suggested=True, retry_after=error.retry_after, replay_safety="safe", reason=error.message)


def _from_status(error: APIStatusError) -> ModelRetryAdvice | None:
    """Return the advice for an HTTP status, by the rules of the client itself."""
    should_retry = error.response.headers.get("x-should-retry")
    if should_retry in ("true", "false"):
        suggested = should_retry == "true"
    elif error.status_code in _TEMPORARY_STATUSES or error.status_code >= 500:
        suggested = True
    else:
        return None
    return ModelRetryAdvice(suggested=suggested, replay_safety="safe" if suggested else None, reason=str(error))


def _from_lost_request(request: ModelRetryAdviceRequest, *, reason: str) -> ModelRetryAdvice:
    """Return the advice for a request that the service may be processing: retry, unless the service keeps history."""
    is_stateful = request.previous_response_id is not None or request.conversation_id is not None
    return ModelRetryAdvice(suggested=not is_stateful, replay_safety="unsafe" if is_stateful else None, reason=reason)
