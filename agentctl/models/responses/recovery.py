"""What is done, unnoticed, about a request that failed before its response began; values in, values out."""

from __future__ import annotations

from enum import Enum

from agentctl.errors import RequestRejectedError, ServiceError
from agentctl.net.live_socket import NotSent

from .planner import Delta, Plan


class Recovery(Enum):
    """A way to send a request again that cannot do it twice; each is taken once."""

    FULL_INPUT = "the whole input on the same socket, whose service does not know what the request was to follow"
    NEW_SOCKET = "the whole input on a new socket, since the service has ended this one or is about to"
    PLAIN_REASONING = "without encrypted reasoning, which this model does not have"


def recovery(
    error: ServiceError | NotSent, plan: Plan, *, is_reused: bool, asks_for_reasoning: bool
) -> Recovery | None:
    """Return what helps against `error`, None where nothing does that the user need not know of.

    `is_reused` is whether the socket had been at hand; `asks_for_reasoning`, whether we ask for encrypted reasoning
    though the user does not.
    """
    if isinstance(error, NotSent):
        return Recovery.NEW_SOCKET if is_reused else None
    if error.code == "previous_response_not_found":
        return Recovery.FULL_INPUT if isinstance(plan, Delta) else None
    if error.code == "websocket_connection_limit_reached":
        return Recovery.NEW_SOCKET
    if asks_for_reasoning and isinstance(error, RequestRejectedError) and "ncrypted content" in error.message:
        return Recovery.PLAIN_REASONING
    return None
