"""The table of WebSocket close codes: the exception that each becomes (RFC 6455, section 7.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentctl._dataclass import dataclass
from agentctl.errors import ModelBehaviorError, ServiceUnavailableError
from agentctl.redaction import excerpt

from .options import WebSocketOptions
from .unreachable import CLOSED_ON_PURPOSE, CONNECTION_LOST, too_large_error

if TYPE_CHECKING:
    from websockets.exceptions import ConnectionClosed

ABNORMAL = 1006
"""The code of a connection that was lost without a close frame."""
TOO_BIG = 1009

_REMEDIES = {
    1000: "it may not support the Responses API over WebSocket: use the transport `http`",
    1003: "it may not support the Responses API over WebSocket: use the transport `http`",
    1008: "check the permissions of the key, or use the transport `http`",
    TOO_BIG: "the request is longer than it accepts: shorten the input",
}
"""The remedies for close codes with a lasting cause, after which a retry would fail in the same way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseInfo:
    """The code and reason with which a socket was closed."""

    code: int
    reason: str = ""
    is_ours: bool = False
    """Whether this side closed it, because of data it received."""


def close_info(closed: ConnectionClosed) -> CloseInfo:
    """Return the close code and reason in an exception of `websockets`."""
    if closed.sent is not None and not (closed.rcvd and closed.rcvd_then_sent):
        return CloseInfo(code=closed.sent.code, reason=closed.sent.reason, is_ours=True)
    if closed.rcvd is not None:
        return CloseInfo(code=closed.rcvd.code, reason=closed.rcvd.reason)
    return CloseInfo(code=ABNORMAL)


def close_error(
    closing: CloseInfo, *, host: str, has_responded: bool, options: WebSocketOptions
) -> ServiceUnavailableError | ModelBehaviorError:
    """Return the exception for a response that was not received, or not completely, because its socket was closed."""
    when = "during the response" if has_responded else "before it responded"
    if closing.is_ours:
        if closing.code == TOO_BIG:
            return too_large_error(host, options.max_size or 0)
        return ModelBehaviorError(
            f"{host} violated the WebSocket protocol {when}: {excerpt(closing.reason)}; try again"
        )
    if closing.code == ABNORMAL:
        return ServiceUnavailableError(f"the connection to {host} was lost {when}; try again", code=CONNECTION_LOST)
    remedy = None if has_responded and closing.code == 1000 else _REMEDIES.get(closing.code)
    shown = f"{closing.code} {excerpt(closing.reason)}".rstrip()
    return ServiceUnavailableError(
        f"{host} closed the connection {when} ({shown}); {remedy or 'try again'}",
        code=CLOSED_ON_PURPOSE if remedy else CONNECTION_LOST,
    )
