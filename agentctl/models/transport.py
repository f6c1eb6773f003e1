"""How the Responses API is reached, and what a user may say of its sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict, get_args

from agentctl.errors import UserError

if TYPE_CHECKING:
    from agentctl.net.options import WebSocketOptions

Transport: TypeAlias = Literal["http", "websocket", "auto"]
"""`auto` is a WebSocket where one opens, else HTTP."""


class OpenAIResponsesWebSocketOptions(TypedDict, total=False):
    """Keep-alive and limits of the sockets; what is left out is this library's default."""

    ping_interval: float | None
    """Seconds of silence after which the service is pinged; None never pings."""
    ping_timeout: float | None
    """Seconds after a ping in which something must come; None waits without end."""
    max_size: int | None
    """The longest message that is taken, in bytes; None takes any."""


def check_websocket_options(given: OpenAIResponsesWebSocketOptions | None) -> None:
    """Check the names of the options.

    Raises:
        UserError: there is no such option.
    """
    known = OpenAIResponsesWebSocketOptions.__annotations__
    if unknown := sorted(set(given or ()) - set(known)):
        raise UserError(f"responses_websocket_options has no {unknown[0]!r}; there are {', '.join(known)}")


def websocket_options(given: OpenAIResponsesWebSocketOptions | None) -> WebSocketOptions:
    """Return the options as the WebSocket pipe takes them."""
    from agentctl.net.options import WebSocketOptions

    return WebSocketOptions(**(given or {}))


def choose_transport(responses_transport: Transport | None, use_websocket: bool | None) -> Transport | None:
    """Return the transport that a user's two ways of saying it choose, None where neither does.

    Raises:
        UserError: the transport is none that there is, or the two contradict each other.
    """
    if responses_transport is not None and responses_transport not in get_args(Transport):
        allowed = ", ".join(map(repr, get_args(Transport)))
        raise UserError(f"responses_transport is one of {allowed}, not {responses_transport!r}")
    if use_websocket is None:
        return responses_transport
    chosen: Transport = "websocket" if use_websocket else "http"
    if responses_transport not in (None, chosen):
        raise UserError(
            f"responses_transport={responses_transport!r} and use_responses_websocket={use_websocket} contradict each "
            "other: give one of them"
        )
    return chosen
