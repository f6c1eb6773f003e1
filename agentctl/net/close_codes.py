"""The one table of how a WebSocket closes: a close code in, an exception of ours out (RFC 6455, section 7.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentctl._dataclass import dataclass
from agentctl.errors import ModelBehaviorError, ServiceUnavailableError
from agentctl.redaction import excerpt

from .options import MIB, WebSocketOptions
from .unreachable import ANSWER_TOO_LARGE, CLOSED_ON_PURPOSE, CONNECTION_LOST

if TYPE_CHECKING:
    from websockets.exceptions import ConnectionClosed

ABNORMAL = 1006
"""The code where none came: the connection broke."""
TOO_BIG = 1009

_ON_PURPOSE = {
    1000: "it may not offer the Responses API over WebSocket: take the transport `http`",
    1003: "it may not offer the Responses API over WebSocket: take the transport `http`",
    1008: "see what the key may do, or take the transport `http`",
    TOO_BIG: "the request is longer than it takes: send less",
}
"""What to do where the service closed for a reason that stays, and would close again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseInfo:
    """How a socket came to its end."""

    code: int
    reason: str = ""
    is_ours: bool = False
    """Whether our side closed it, because of what it received."""


def close_info(closed: ConnectionClosed) -> CloseInfo:
    """Return how a socket closed from what `websockets` raises."""
    if closed.sent is not None and not (closed.rcvd and closed.rcvd_then_sent):
        return CloseInfo(code=closed.sent.code, reason=closed.sent.reason, is_ours=True)
    if closed.rcvd is not None:
        return CloseInfo(code=closed.rcvd.code, reason=closed.rcvd.reason)
    return CloseInfo(code=ABNORMAL)


def close_error(
    closing: CloseInfo, *, host: str, has_answered: bool, options: WebSocketOptions
) -> ServiceUnavailableError | ModelBehaviorError:
    """Return the exception for a response that a closed socket cut, or kept from beginning."""
    when = "in the middle of the answer" if has_answered else "before it answered"
    if closing.is_ours:
        if closing.code == TOO_BIG:
            return ServiceUnavailableError(
                f"{host} sent a message longer than {(options.max_size or 0) / MIB:g} MiB; raise `max_size` of the "
                "WebSocket options",
                code=ANSWER_TOO_LARGE,
            )
        return ModelBehaviorError(f"{host} broke the WebSocket protocol {when}: {excerpt(closing.reason)}; try again")
    if closing.code == ABNORMAL:
        return ServiceUnavailableError(f"the connection to {host} broke {when}; try again", code=CONNECTION_LOST)
    remedy = None if has_answered and closing.code == 1000 else _ON_PURPOSE.get(closing.code)
    said = f"{closing.code} {excerpt(closing.reason)}".rstrip()
    return ServiceUnavailableError(
        f"{host} closed the connection {when} ({said}); {remedy or 'try again'}",
        code=CLOSED_ON_PURPOSE if remedy else CONNECTION_LOST,
    )
