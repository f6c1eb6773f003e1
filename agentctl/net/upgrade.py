"""The opening of a WebSocket: the connection, through a proxy if there is one, and the response to the upgrade."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from logging import Logger
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from agentctl._dataclass import dataclass

from .head import Head, NotHTTP, take_head
from .proxy import Proxy
from .tunnel import open_socks, open_tunnel

_BODY_SECONDS = 0.5
"""Seconds to wait for the body of a response that is no upgrade: its head alone tells that it is none."""
_MAX_BODY = 1024 * 1024
_CLOSE_SECONDS = 1


class NotUpgraded(Exception):
    """The response to the upgrade is an HTTP response of another kind."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.headers = headers
        self.body = body


class ClosedEarly(Exception):
    """The connection was closed without a response."""

    def __init__(self) -> None:
        super().__init__("it was closed without a response")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The parameters of a WebSocket that is to be opened."""

    url: str
    headers: Sequence[tuple[str, str]]
    user_agent: str
    proxy: Proxy | None
    tls: ssl.SSLContext | None
    """The context for the service; None for a ws URL."""
    proxy_tls: ssl.SSLContext | None
    """The context for an https proxy."""
    max_size: int | None
    timeout: float
    """Seconds for everything: the connection, the proxy, TLS, and the response."""
    logger: Logger


async def open_websocket(opening: Opening) -> ClientConnection:
    """Return an open connection.

    Raises:
        TimeoutError: it took too long.
        OSError: there is no connection to the service or the proxy, or TLS failed.
        ProxyFailed: the proxy refused.
        ImportError: the package for a SOCKS proxy is not installed.
        NotHTTP: the response is not HTTP.
        NotUpgraded: the response is no upgrade.
        ClosedEarly: there was no response.
        InvalidHandshake: the headers of the upgrade are wrong.
    """
    async with asyncio.timeout(opening.timeout):
        connection = await _connect(opening)
        try:
            await connection.handshake(opening.headers, opening.user_agent)
        except BaseException as error:
            connection.transport.abort()
            if connection.failure is not None and not isinstance(error, asyncio.CancelledError):
                raise connection.failure from error
            raise
    return connection


async def _connect(opening: Opening) -> _Connection:
    uri, proxy, loop = parse_uri(opening.url), opening.proxy, asyncio.get_running_loop()

    def new() -> _Connection:
        protocol = ClientProtocol(uri, max_size=opening.max_size, logger=opening.logger)
        return _Connection(protocol, ping_interval=None, close_timeout=_CLOSE_SECONDS, max_queue=None)

    name: dict[str, Any] = {} if opening.tls is None else {"ssl": opening.tls, "server_hostname": uri.host}
    if proxy is None:
        return (await loop.create_connection(new, uri.host, uri.port, **name))[1]
    if proxy.scheme.startswith("socks"):
        sock = await open_socks(proxy, uri.host, uri.port)
        return (await loop.create_connection(new, sock=sock, **name))[1]
    transport = await open_tunnel(proxy, uri.host, uri.port, tls=opening.proxy_tls, user_agent=opening.user_agent)
    connection = new()
    transport.set_protocol(connection)
    try:
        if opening.tls is not None:
            secured = await loop.start_tls(transport, connection, opening.tls, server_hostname=uri.host)
            assert secured is not None
            transport = secured
    except BaseException:
        transport.abort()
        raise
    connection.connection_made(transport)
    return connection


class _Connection(ClientConnection):
    """A connection that reads the response to its upgrade itself, so that one which is no upgrade ends at once.

    The library would read the body of any other response to its end, which an event stream does not have.
    """

    def __init__(self, protocol: ClientProtocol, **options: Any) -> None:
        super().__init__(protocol, **options)
        self.failure: NotHTTP | NotUpgraded | ClosedEarly | None = None
        self._received = bytearray()
        self._head: Head | None = None
        self._is_upgraded = False
        self._timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Read the response, and pass on what follows an upgrade."""
        if self._is_upgraded:
            super().data_received(data)
            return
        self._received += data
        try:
            self._read()
        except NotHTTP as error:
            self._fail(error)

    def eof_received(self) -> None:
        """End the response."""
        self._end()
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the response."""
        self._end()
        super().connection_lost(exc)

    def _read(self) -> None:
        if self._head is None:
            head = take_head(self._received)
            if head is None:
                return
            if head.status == 101:
                self._is_upgraded = True
                super().data_received(bytes(self._received))
                self._received.clear()
                return
            self._head = head
            # A success is no refusal whose reason could be read.
            delay = 0.0 if head.status < 300 else _BODY_SECONDS
            self._timer = self.loop.call_later(delay, self._end)
        if _is_complete(self._head, self._received):
            self._end()

    def _end(self) -> None:
        if self._is_upgraded or self.failure is not None:
            return
        if self._head is None:
            self._fail(ClosedEarly())
            return
        body = bytes(self._received[self._head.size :][:_MAX_BODY])
        if self._head.headers.get("transfer-encoding", "").lower() == "chunked":
            body = _join_chunks(body)
        if self._head.headers.get("content-encoding", "").lower() not in ("", "identity"):
            body = _decompress(body)
        self._fail(NotUpgraded(self._head.status, self._head.headers, body))

    def _fail(self, failure: NotHTTP | NotUpgraded | ClosedEarly) -> None:
        self.failure = self.failure or failure
        if self._timer is not None:
            self._timer.cancel()
        self.transport.abort()


def _is_complete(head: Head, received: bytearray) -> bool:
    size = len(received) - head.size
    length = head.headers.get("content-length", "")
    if length.isdecimal():
        return size >= min(int(length), _MAX_BODY)
    if head.headers.get("transfer-encoding", "").lower() == "chunked":
        return received.endswith(b"0\r\n\r\n")
    return size >= _MAX_BODY


def _decompress(body: bytes) -> bytes:
    """Return the text of a compressed body, as far as it was received; nothing, if the compression is unknown."""
    # 1 ms, only for a service that compresses without being asked.
    import zlib

    try:
        return zlib.decompressobj(wbits=32 + zlib.MAX_WBITS).decompress(body, _MAX_BODY)
    except zlib.error:
        return b""


def _join_chunks(body: bytes) -> bytes:
    """Return the data of a chunked body, as far as it was received."""
    data = b""
    while body:
        line, _, body = body.partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            break
        if not size:
            break
        data += body[:size]
        body = body[size + 2 :]
    return data
