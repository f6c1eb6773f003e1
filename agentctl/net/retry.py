"""The retry policy of requests: whether a failed one is retried, and after which delay; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agentctl._dataclass import dataclass
from agentctl.errors import ServiceUnavailableError

from .unreachable import CONNECTION_LOST, FINAL, NO_ANSWER

INITIAL_DELAY = 0.5
MAX_DELAY = 8.0
MAX_RETRY_AFTER = 60.0
"""Seconds; if a service requests a longer delay, the request is not retried."""

_CONNECTION_LIMIT = "websocket_connection_limit_reached"
"""After a recovery on a new connection, which is no retry, the service has no room for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """The retries left for a request that has not received an event yet."""

    max_retries: int
    is_replayable: bool
    """Whether the request can be sent again though the service may have received it; see `is_replayable`."""
    done: int = 0
    replayed: int = 0
    """The number of retries after a connection that was lost once the request was sent."""

    def delay(self, error: Exception, chance: float) -> float | None:
        """Return the seconds until the next retry, or None for no retry; `chance` is a random number from 0 to 1."""
        if not isinstance(error, ServiceUnavailableError) or self.done >= self.max_retries:
            return None
        if (error.code in FINAL and error.status is None) or error.code == _CONNECTION_LIMIT:
            return None
        if may_have_been_sent(error) and (self.replayed or not self.is_replayable):
            return None
        if error.retry_after:
            return error.retry_after if error.retry_after <= MAX_RETRY_AFTER else None
        backoff = min(INITIAL_DELAY * 2.0**self.done, MAX_DELAY)
        return backoff * (1 - 0.25 * chance)

    def after(self, error: Exception) -> Retries:
        """Return the retries left after the one that `error` causes."""
        return replace(self, done=self.done + 1, replayed=self.replayed + may_have_been_sent(error))


def may_have_been_sent(error: Exception) -> bool:
    """Return whether the service may be processing a request that failed with this error."""
    return (
        isinstance(error, ServiceUnavailableError)
        and error.status is None
        and error.code
        in (
            CONNECTION_LOST,
            NO_ANSWER,
        )
    )


def is_replayable(body: Mapping[str, object]) -> bool:
    """Return whether a Responses request is harmless if the service receives it twice.

    It is not if the service would record the turn twice in a conversation, or runs hosted tools.
    """
    tools = body.get("tools")
    hosted = isinstance(tools, list) and any(
        not isinstance(tool, dict) or tool.get("type") != "function" for tool in tools
    )
    stateful = "conversation" in body or ("previous_response_id" in body and body.get("store") is not False)
    return not hosted and not stateful
