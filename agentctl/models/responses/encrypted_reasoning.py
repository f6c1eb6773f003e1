"""Encrypted reasoning, which is requested where nothing is stored, and left out where the service does not accept it.

With it the history on our side is complete, and can be sent again.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue, WireEvent
from agentctl.errors import RequestRejectedError

INCLUDE = "reasoning.encrypted_content"
_BAD_REQUEST = frozenset({400, 422})


@dataclass(slots=True)
class EndpointFeatures:
    """The features of an endpoint, as far as its responses showed them; its models share them."""

    accepts_encrypted_reasoning: bool = True


def with_encrypted_reasoning(body: dict[str, Any], features: EndpointFeatures) -> dict[str, JSONValue]:
    """Return the body, requesting encrypted reasoning if nothing is stored; the very body if that changes nothing."""
    include = body.get("include") or []
    if body.get("store") is not False or not features.accepts_encrypted_reasoning or INCLUDE in include:
        return body
    return {**body, "include": [*include, INCLUDE]}


def is_bad_request(error: Exception) -> bool:
    """Return whether the service rejected a request (400), for whatever reason it gives: it may be the `include`."""
    if isinstance(error, RequestRejectedError):
        return error.status is None or error.status in _BAD_REQUEST
    client = sys.modules.get("openai")  # A user's own client raises its own errors.
    return client is not None and isinstance(error, client.APIStatusError) and error.status_code in _BAD_REQUEST


async def without_it_if_rejected(
    send: Callable[[Mapping[str, JSONValue]], AsyncGenerator[list[WireEvent]]],
    body: dict[str, JSONValue],
    plain_body: dict[str, JSONValue],
    features: EndpointFeatures,
) -> AsyncGenerator[list[WireEvent]]:
    """Yield the response to `body`, or to `plain_body` if the service rejected the former.

    The endpoint is known not to accept encrypted reasoning once it responded to the latter.
    """
    has_begun = False
    try:
        async with aclosing(send(body)) as batches:
            async for batch in batches:
                has_begun = True
                yield batch
        return
    except Exception as error:
        if has_begun or not is_bad_request(error):
            raise
    async with aclosing(send(plain_body)) as batches:
        async for batch in batches:
            features.accepts_encrypted_reasoning = False
            yield batch
