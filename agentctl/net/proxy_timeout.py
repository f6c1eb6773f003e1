"""The connect timeout for the whole way through a proxy, which `httpx2` waits for as for a response."""

from __future__ import annotations

from typing import Any

import httpx2

_LIMITED = ("read", "write")


def limit_proxy(client: httpx2.AsyncClient | httpx2.Client, connect_timeout: float) -> None:
    """Apply the connect timeout, in seconds, to what a client exchanges with its proxy before a request is sent."""
    hook = _async_hook if isinstance(client, httpx2.AsyncClient) else _hook

    client.event_hooks = {**client.event_hooks, "request": [*client.event_hooks["request"], hook(connect_timeout)]}


def _hook(connect_timeout: float) -> Any:
    def watch(request: httpx2.Request) -> None:
        phase = _ProxyPhase(request, connect_timeout)

        def observe(event: str, info: dict[str, Any]) -> None:
            if (stream := phase.failed_stream(event, info)) is not None:
                stream.close()
            phase.observe(event, info)

        request.extensions = {**request.extensions, "trace": observe}

    return watch


def _async_hook(connect_timeout: float) -> Any:
    async def watch(request: httpx2.Request) -> None:
        phase = _ProxyPhase(request, connect_timeout)

        async def observe(event: str, info: dict[str, Any]) -> None:
            if (stream := phase.failed_stream(event, info)) is not None:
                await stream.aclose()
            phase.observe(event, info)

        request.extensions = {**request.extensions, "trace": observe}

    return watch


class _ProxyPhase:
    """The time until a request is sent to the service: its timeouts are shortened, its errors those of the proxy."""

    def __init__(self, request: httpx2.Request, connect_timeout: float) -> None:
        timeouts = dict(request.extensions.get("timeout", {}))
        self._own = {name: timeouts.get(name) for name in _LIMITED}
        self._is_over = False
        self._stream: Any = None
        self._timeouts = timeouts
        timeouts |= {name: _shorter(timeouts.get(name), connect_timeout) for name in _LIMITED}
        request.extensions = {**request.extensions, "timeout": timeouts}

    def failed_stream(self, event: str, info: dict[str, Any]) -> Any:
        """Return the connection to a SOCKS proxy that failed, which `httpx2` leaves open; None for any other event."""
        if event.endswith("setup_socks5_connection.started"):
            self._stream = info["stream"]
        return self._stream if event.endswith("setup_socks5_connection.failed") else None

    def observe(self, event: str, info: dict[str, Any]) -> None:
        """Follow the events of a request.

        Raises:
            httpx2.ConnectTimeout: the proxy did not respond in time.
            httpx2.ProxyError: it did not respond as a proxy.
        """
        if self._is_over:
            return
        if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            self._is_over = True
            self._timeouts |= self._own
        elif event.endswith(("receive_response_headers.failed", "setup_socks5_connection.failed")):
            error = info["exception"]
            kind = type(error).__name__
            if "Timeout" in kind:
                raise httpx2.ConnectTimeout("") from error
            if kind in ("ReadError", "RemoteProtocolError"):
                raise httpx2.ProxyError("it closed the connection without a response") from error
            if kind == "ProtocolError":  # Of the package for SOCKS, which `httpx2` does not translate.
                raise httpx2.ProxyError("it did not respond as a SOCKS proxy") from error


def _shorter(timeout: float | None, limit: float) -> float:
    return limit if timeout is None else min(timeout, limit)
