"""Connections through a proxy: CONNECT with an HTTP proxy, or SOCKS."""

from __future__ import annotations

import asyncio
import base64
import socket
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from .head import Head, NotHTTP, take_head
from .proxy import Proxy

if TYPE_CHECKING:
    import ssl

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


class ProxyFailed(Exception):
    """The proxy made no connection to the service; `status` is that of its response, if there was one."""

    def __init__(self, reason: str, *, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


async def open_tunnel(
    proxy: Proxy, host: str, port: int, *, tls: ssl.SSLContext | None, user_agent: str
) -> asyncio.Transport:
    """Return a connection to the service through an HTTP proxy; `tls` is the context for an https proxy.

    Raises:
        ProxyFailed: the proxy refused, or did not respond as one.
        OSError: there is no connection to the proxy.
    """
    url = urlsplit(proxy.url)
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", f"User-Agent: {user_agent}"]
    if url.username is not None:
        userinfo = f"{unquote(url.username)}:{unquote(url.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(userinfo.encode()).decode()}")
    request = "\r\n".join([*lines, "", ""]).encode()
    transport, protocol = await asyncio.get_running_loop().create_connection(
        lambda: _ConnectProtocol(request), url.hostname or "", url.port or _DEFAULT_PORTS[url.scheme], ssl=tls
    )
    try:
        head = await protocol.response
        if not 200 <= head.status < 300:
            raise ProxyFailed(f"{head.status} {head.reason}".rstrip(), status=head.status)
    except BaseException:
        transport.abort()
        raise
    return transport


async def open_socks(proxy: Proxy, host: str, port: int) -> socket.socket:
    """Return a connection to the service through a SOCKS proxy.

    Raises:
        ImportError: the package for it is not installed.
        ProxyFailed: the proxy refused.
        OSError: there is no connection to the proxy.
    """
    # 25 ms, only for a SOCKS proxy.
    from python_socks import ProxyType
    from python_socks.async_.asyncio import Proxy as SocksProxy

    url = urlsplit(proxy.url)
    socks = SocksProxy.create(
        proxy_type=ProxyType.SOCKS5,
        host=url.hostname or "",
        port=url.port or _DEFAULT_PORTS[url.scheme],
        username=None if url.username is None else unquote(url.username),
        password=None if url.password is None else unquote(url.password),
        rdns=True,  # As over HTTP, whose package leaves every host name to the proxy.
    )
    try:
        connected: socket.socket = await socks.connect(host, port)
    except OSError:
        raise
    except Exception as error:
        raise ProxyFailed(str(error) or type(error).__name__) from error
    return connected


class _ConnectProtocol(asyncio.Protocol):
    """Sends a CONNECT request and reads the head of the response."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._received = bytearray()
        self.response: asyncio.Future[Head] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Read the response."""
        self._received += data
        try:
            head = take_head(self._received)
        except NotHTTP as error:
            self._fail(ProxyFailed(f"it responded with {error} instead of HTTP"))
            return
        if head is not None and not self.response.done():
            self.response.set_result(head)

    def eof_received(self) -> None:
        """Fail, if the response is not complete."""
        self._fail(ProxyFailed("it closed the connection without a response"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail, if the response is not complete."""
        self._fail(ProxyFailed("it closed the connection without a response"))

    def _fail(self, error: ProxyFailed) -> None:
        if not self.response.done():
            self.response.set_exception(error)
