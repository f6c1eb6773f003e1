"""Retries of a whole model call, as `ModelSettings.retry` configures them, for any model.

They come on top of the transport's retries (`HttpOptions.max_retries`, a client's own `max_retries`). The first call
has the transport's retries; each later call is a single attempt, so that attempts add up and never multiply.
`max_retries=0` disables both: one call, one attempt. Without a policy only the transport retries.

A failure is not retried, whatever the policy decides,
- once a streamed run has shown any part of the answer;
- if the model advises that the service may act on the request twice, unless the policy approves exactly that;
- if the service keeps the history and the request may have reached it.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from types import UnionType
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.agent.events import RawResponsesStreamEvent, RetryScheduled
from agentctl.agent.items.run_items import ModelResponse
from agentctl.agent.ports import Model, ModelRequest
from agentctl.agent.retry import (
    ModelRetryAdvice,
    ModelRetryAdviceRequest,
    ModelRetryBackoffInput,
    ModelRetryBackoffSettings,
    ModelRetryNormalizedError,
    ModelRetrySettings,
    RetryDecision,
    RetryPolicy,
    RetryPolicyContext,
    backoff_settings,
    evaluate,
)
from agentctl.agent.usage import Usage
from agentctl.errors import ModelTimeoutError, ServiceError, ServiceUnavailableError
from agentctl.log import logger
from agentctl.net.failures import retry_after
from agentctl.net.unreachable import CONNECT_FAILED, CONNECTION_LOST, NO_ANSWER
from agentctl.run.spans.spans import Spans

from .attempt import CallEvent, call_once

FIRST_DELAY = 0.25
LONGEST_DELAY = 2.0
MULTIPLIER = 2.0
JITTER = 0.125
"""The largest random change of a wait, as a fraction of it."""

_BEFORE_THE_ANSWER = frozenset({"response.created", "response.queued", "response.in_progress"})
_NETWORK = frozenset({CONNECT_FAILED, CONNECTION_LOST, NO_ANSWER})


@dataclass(slots=True)
class _Seen:
    """The progress of one call."""

    has_begun: bool = False
    has_answer: bool = False

    def note(self, event: CallEvent) -> None:
        if isinstance(event, RawResponsesStreamEvent) and not self.has_answer:
            self.has_begun = True
            self.has_answer = event.wire.get("type") not in _BEFORE_THE_ANSWER


async def call_with_retries(
    model: Model, request: ModelRequest, spans: Spans, *, streamed: bool
) -> AsyncGenerator[CallEvent]:
    """Yield the events of `call_once`, called as often as it takes; each wait is announced first.

    The usage of the response counts every call.

    Raises:
        Exception: the last call or the policy raised it.
    """
    settings = request.model_settings.retry or ModelRetrySettings()
    most = settings.max_retries or 0
    if settings.max_retries == 0:
        request = replace(request, may_retry=False)
    failed = 0
    while True:
        seen = _Seen()
        try:
            async with aclosing(call_once(model, request, spans, streamed=streamed)) as events:
                async for event in events:
                    seen.note(event)
                    if isinstance(event, ModelResponse):
                        event.usage = _with_failed_calls(event.usage, failed)
                    yield event
            return
        except Exception as error:
            failed += 1
            if failed > most or settings.policy is None or (streamed and seen.has_answer):
                raise
            context = _context(error, model, request, attempt=failed, most=most, has_begun=seen.has_begun)
            delay = await _delay(settings.policy, context, settings.backoff)
            if delay is None:
                raise
            notice = RetryScheduled(attempt=failed, max_retries=most, delay=delay, error=error)
        logger.debug("call %d of %d in %.1f s: %s", failed + 1, most + 1, delay, notice.error)
        yield notice
        with spans.retry_wait(notice):
            await asyncio.sleep(delay)
        request = replace(request, may_retry=False)


def _context(
    error: Exception, model: Model, request: ModelRequest, *, attempt: int, most: int, has_begun: bool
) -> RetryPolicyContext:
    """Return the context of a failed call for the policy."""
    question = ModelRetryAdviceRequest(
        error=error,
        attempt=attempt,
        stream=request.streamed,
        previous_response_id=request.previous_response_id,
        conversation_id=request.conversation_id,
    )
    advice = model.get_retry_advice(question)
    if has_begun:
        advice = _after_begin(advice, is_stateful=request.is_stateful)
    return RetryPolicyContext(
        error=error,
        attempt=attempt,
        max_retries=most,
        stream=request.streamed,
        normalized=normalize_error(error, advice),
        provider_advice=advice,
        previous_response_id=request.previous_response_id,
        conversation_id=request.conversation_id,
    )


async def _delay(
    policy: RetryPolicy, context: RetryPolicyContext, waits: ModelRetryBackoffInput | None
) -> float | None:
    """Return the seconds to wait before the next call, None if there is none."""
    if context.normalized.is_abort:
        return None
    decision = await evaluate(policy, context)
    if not may_replay(decision, context):
        return None
    asked = context.normalized.retry_after if decision.delay is None else decision.delay
    if asked is not None:
        return max(0.0, asked)
    return backoff(backoff_settings(waits), context.attempt, random.random())  # noqa: S311  # spreads retries


def may_replay(decision: RetryDecision, context: RetryPolicyContext) -> bool:
    """Return whether to repeat a call, given the decision of the policy."""
    if not decision.retry:
        return False
    match context.replay_safety:
        case "safe":
            return True
        case "unsafe":
            return decision.approve_unsafe_replay
        case _:
            return not context.stateful_request


def backoff(settings: ModelRetryBackoffSettings | None, failed: int, chance: float) -> float:
    """Return the seconds to wait after `failed` calls; `chance` is random, from 0 to 1."""
    settings = settings or ModelRetryBackoffSettings()
    first = FIRST_DELAY if settings.initial_delay is None else settings.initial_delay
    multiplier = MULTIPLIER if settings.multiplier is None else settings.multiplier
    longest = LONGEST_DELAY if settings.max_delay is None else settings.max_delay
    try:
        delay = min(first * multiplier ** (failed - 1), longest)
    except OverflowError:
        delay = longest
    return delay if settings.jitter is False else delay * (1 + JITTER * (2 * chance - 1))


def normalize_error(error: Exception, advice: ModelRetryAdvice | None = None) -> ModelRetryNormalizedError:
    """Return the facts of a failure; those from the model's advice take precedence."""
    read = _read_own_error(error) if isinstance(error, ServiceError) else _read_foreign_error(error)
    if advice is None:
        return read
    known = vars(advice.normalized) if advice.normalized else {}
    read = replace(read, **{name: value for name, value in known.items() if value not in (None, False)})
    return read if read.retry_after is not None else replace(read, retry_after=advice.retry_after)


def _read_own_error(error: ServiceError) -> ModelRetryNormalizedError:
    is_lost = isinstance(error, ServiceUnavailableError) and error.status is None and error.code in _NETWORK
    return ModelRetryNormalizedError(
        status_code=error.status,
        error_code=error.code,
        message=error.message,
        request_id=error.request_id,
        retry_after=error.retry_after,
        is_network_error=is_lost,
        is_timeout=is_lost and error.code == NO_ANSWER,
    )


def _read_foreign_error(error: Exception) -> ModelRetryNormalizedError:
    """Read an exception of `openai`, an HTTP library or another client."""
    is_timeout = isinstance(error, TimeoutError | ModelTimeoutError) or _is(error, "openai", "APITimeoutError")
    is_network = isinstance(error, ConnectionError | TimeoutError) or _is(error, "openai", "APIConnectionError")
    for library in ("httpx", "httpx2"):
        is_timeout = is_timeout or _is(error, library, "TimeoutException")
        is_network = is_network or _is(error, library, "TransportError")
    headers = getattr(getattr(error, "response", None), "headers", None)
    return ModelRetryNormalizedError(
        status_code=_first(error, int, "status_code", "status"),
        error_code=_first(error, str, "code"),
        message=str(error),
        request_id=_first(error, str, "request_id"),
        retry_after=retry_after(headers) if isinstance(headers, Mapping) else _first(error, int | float, "retry_after"),
        is_network_error=is_network,
        is_timeout=is_timeout,
    )


def _is(error: Exception, library: str, name: str) -> bool:
    """Return whether an error is of a class of a library, without importing the library."""
    kind = getattr(sys.modules.get(library), name, None)
    return isinstance(kind, type) and isinstance(error, kind)


def _first(error: Exception, kind: type[Any] | UnionType, *names: str) -> Any:
    values = (getattr(error, name, None) for name in names)
    return next((value for value in values if isinstance(value, kind) and not isinstance(value, bool)), None)


def _after_begin(advice: ModelRetryAdvice | None, *, is_stateful: bool) -> ModelRetryAdvice:
    """Return advice for a call whose response had begun: the service has the request, so a replay is never safe."""
    advice = advice or ModelRetryAdvice()
    return replace(advice, response_started=True, replay_safety="unsafe" if is_stateful else None)


def _with_failed_calls(usage: Usage, failed: int) -> Usage:
    """Return the usage of a response, with the failed calls before it counted."""
    if not failed:
        return usage
    whole = Usage()
    for _ in range(failed):
        whole.add(Usage(requests=1))
    whole.add(usage)
    return whole
