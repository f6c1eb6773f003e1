"""Whether a failed request gets another try, and after what wait; values in, values out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agentctl._dataclass import dataclass
from agentctl.errors import ServiceUnavailableError

from .unreachable import CONNECTION_LOST, FINAL, NO_ANSWER

FIRST_DELAY = 0.5
LONGEST_DELAY = 8.0
LONGEST_RETRY_AFTER = 60.0
"""Seconds: a service that asks for a longer wait is not waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """The tries that are left to one request, none of which has brought an event yet."""

    max_retries: int
    is_replayable: bool
    """Whether the request may be sent again though the service may have got it; see `is_replayable`."""
    done: int = 0
    replayed: int = 0
    """How many of the tries followed a connection that broke after the request was sent."""

    def delay(self, error: Exception, chance: float) -> float | None:
        """Return the seconds to wait before the next try, None if there is none; `chance` is random, from 0 to 1."""
        if not isinstance(error, ServiceUnavailableError) or self.done >= self.max_retries:
            return None
        if error.code in FINAL and error.status is None:
            return None
        if may_have_been_sent(error) and (self.replayed or not self.is_replayable):
            return None
        if error.retry_after:
            return error.retry_after if error.retry_after <= LONGEST_RETRY_AFTER else None
        backoff = min(FIRST_DELAY * 2.0**self.done, LONGEST_DELAY)
        return backoff * (1 - 0.25 * chance)

    def after(self, error: Exception) -> Retries:
        """Return what is left once `error` has led to another try."""
        return replace(self, done=self.done + 1, replayed=self.replayed + may_have_been_sent(error))


def may_have_been_sent(error: Exception) -> bool:
    """Return whether the service may be at work on a request that failed like this."""
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
    """Return whether a Responses request does no harm when the service gets it twice.

    It does where the service keeps a conversation that would hold the turn twice, or runs tools of its own.
    """
    tools = body.get("tools")
    hosted = isinstance(tools, list) and any(
        not isinstance(tool, dict) or tool.get("type") != "function" for tool in tools
    )
    stateful = "conversation" in body or ("previous_response_id" in body and body.get("store") is not False)
    return not hosted and not stateful
