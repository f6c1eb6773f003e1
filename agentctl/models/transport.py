"""The transports of the Responses API, and the options of its sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict, get_args

from agentctl.errors import UserError

if TYPE_CHECKING:
    from agentctl.net.options import WebSocketOptions

Transport: TypeAlias = Literal["http", "websocket", "auto"]
"""`auto` is a WebSocket if it can be opened, else HTTP."""


class OpenAIResponsesWebSocketOptions(TypedDict, total=False):
    """Keep-alive and limits of the sockets; omitted options have this library's defaults."""

    ping_interval: float | None
    """Seconds without data after which a ping is sent; None sends none."""
    ping_timeout: float | None
    """Seconds to wait for data after a ping; None waits forever."""
    max_size: int | None
    """The size limit of a message, in bytes; None for no limit."""


def check_websocket_options(options: OpenAIResponsesWebSocketOptions | None) -> None:
    """Check the names of the options.

    Raises:
        UserError: an option is unknown.
    """
    known = OpenAIResponsesWebSocketOptions.__annotations__
    if unknown := sorted(set(options or ()) - set(known)):
        raise UserError(f"responses_websocket_options has no {unknown[0]!r}; its options are {', '.join(known)}")


def websocket_options(options: OpenAIResponsesWebSocketOptions | None) -> WebSocketOptions:
    """Return the options in the form of the WebSocket transport."""
    from agentctl.net.options import WebSocketOptions

    return WebSocketOptions(**(options or {}))


def choose_transport(responses_transport: Transport | None, use_websocket: bool | None) -> Transport | None:
    """Return the transport chosen by either of the two options, None if neither is given.

    Raises:
        UserError: the transport is unknown, or the options contradict each other.
    """
    if responses_transport is not None and responses_transport not in get_args(Transport):
        allowed = ", ".join(map(repr, get_args(Transport)))
        raise UserError(f"responses_transport must be one of {allowed}, not {responses_transport!r}")
    if use_websocket is None:
        return responses_transport
    chosen: Transport = "websocket" if use_websocket else "http"
    if responses_transport not in (None, chosen):
        raise UserError(
            f"responses_transport={responses_transport!r} and use_responses_websocket={use_websocket} contradict each "
            "other: give one of them"
        )
    return chosen
