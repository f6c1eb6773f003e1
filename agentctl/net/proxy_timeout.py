"""The connect timeout for the whole way through a proxy, which `httpcore2` waits for as for a response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpcore2

_LIMITED = ("read", "write")


def limit_proxy(extensions: Mapping[str, Any], connect_timeout: float, *, is_async: bool) -> dict[str, Any]:
    """Return the extensions of a request, with the connect timeout, in seconds, for what precedes it at the proxy."""
    phase = _ProxyPhase(extensions, connect_timeout)

    def observe(event: str, info: dict[str, Any]) -> None:
        if (stream := phase.failed_stream(event, info)) is not None:
            stream.close()
        phase.observe(event, info)

    async def observe_async(event: str, info: dict[str, Any]) -> None:
        if (stream := phase.failed_stream(event, info)) is not None:
            await stream.aclose()
        phase.observe(event, info)

    return {**extensions, "timeout": phase.timeouts, "trace": observe_async if is_async else observe}


class _ProxyPhase:
    """The time until a request is sent to the service: its timeouts are shortened, its errors those of the proxy."""

    def __init__(self, extensions: Mapping[str, Any], connect_timeout: float) -> None:
        self.timeouts = dict(extensions.get("timeout", {}))
        """Those of the phase, and of the request once the phase is over."""
        self._own = {name: self.timeouts.get(name) for name in _LIMITED}
        self._is_over = False
        self._stream: Any = None
        self.timeouts |= {name: _shorter(self.timeouts.get(name), connect_timeout) for name in _LIMITED}

    def failed_stream(self, event: str, info: dict[str, Any]) -> Any:
        """Return the connection to a SOCKS proxy that failed, which stays open; None for any other event."""
        if event.endswith("setup_socks5_connection.started"):
            self._stream = info["stream"]
        return self._stream if event.endswith("setup_socks5_connection.failed") else None

    def observe(self, event: str, info: dict[str, Any]) -> None:
        """Follow the events of a request.

        Raises:
            httpcore2.ConnectTimeout: the proxy did not respond in time.
            httpcore2.ProxyError: it did not respond as a proxy.
        """
        if self._is_over:
            return
        if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            self._is_over = True
            self.timeouts |= self._own
        elif event.endswith(("receive_response_headers.failed", "setup_socks5_connection.failed")):
            error = info["exception"]
            kind = type(error).__name__
            if "Timeout" in kind:
                raise httpcore2.ConnectTimeout("") from error
            if kind in ("ReadError", "RemoteProtocolError"):
                raise httpcore2.ProxyError("it closed the connection without a response") from error
            if kind == "ProtocolError":  # Of the package for SOCKS, which `httpcore2` does not translate.
                raise httpcore2.ProxyError("it did not respond as a SOCKS proxy") from error


def _shorter(timeout: float | None, limit: float) -> float:
    return limit if timeout is None else min(timeout, limit)
