"""Probes: how far the way to a service goes, step by step and timed, without a request that would cost anything."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agentctl._dataclass import dataclass
from agentctl.threads import in_daemon_thread

from .endpoint import Endpoint, with_key
from .options import HttpOptions
from .proxy import Proxy, proxy_for
from .tls import tls_context
from .unreachable import connect_error
from .websocket import UpgradeFailed, WebSocketPipe, address_at

if TYPE_CHECKING:
    import ssl

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_FIRST_PATIENCE = 1.0
"""Seconds that an address is given while there is another one to try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectTimings:
    """A connection that was made, each step in seconds."""

    proxy: Proxy | None
    """What the connection leads to, where it is not the service itself."""
    lookup: float
    connect: float
    handshake: float | None
    """None without TLS."""
    tls: str | None
    """The version of TLS."""


async def probe_connection(
    endpoint: Endpoint, options: HttpOptions, *, environ: Mapping[str, str] = os.environ
) -> ConnectTimings:
    """Connect to the service, or to the proxy before it, and hang up again; nothing is sent.

    Raises:
        ServiceUnavailableError: its name is not known, nobody answers, or its certificate is not trusted.
        ConfigurationError: the proxy or a certificate file cannot be used.
    """
    proxy = proxy_for(endpoint.base_url, environ)
    url = urlsplit(endpoint.base_url if proxy is None else proxy.url)
    host, port = url.hostname or "", url.port or _DEFAULT_PORTS[url.scheme]
    context = tls_context(options.ca_file, environ) if url.scheme == "https" else None
    try:
        began = time.perf_counter()
        addresses = await _addresses(host, port)
        found = time.perf_counter()
        writer = await _connect(addresses, port)
        connected = time.perf_counter()
        try:
            tls = None if context is None else await _shake_hands(writer, context, host)
        finally:
            writer.transport.abort()
    except (OSError, UnicodeError) as error:
        raise connect_error(error, host=endpoint.host, options=options, proxy=proxy) from error
    handshake = None if tls is None else time.perf_counter() - connected
    return ConnectTimings(proxy=proxy, lookup=found - began, connect=connected - found, handshake=handshake, tls=tls)


async def probe_websocket(
    endpoint: Endpoint, options: HttpOptions, *, listen: float, environ: Mapping[str, str] = os.environ
) -> float:
    """Open a WebSocket, send nothing, and return the seconds that took, once it has stayed open for `listen` seconds.

    Raises:
        ServiceError: the upgrade was refused or did not come, or the socket was closed again: the message says how.
        ModelBehaviorError: what came does not belong to the protocol.
        MissingKeyError: the endpoint has no key.
        ConfigurationError: the proxy or a certificate file cannot be used.
    """
    pipe = WebSocketPipe(endpoint, options, environ=environ)
    began = time.perf_counter()
    try:
        socket = await with_key(endpoint, lambda known: pipe.open(address_at(known, {}, None)))
    except UpgradeFailed as failed:
        raise failed.error from failed
    took = time.perf_counter() - began
    try:
        async with asyncio.timeout(listen):
            await socket.receive()
    except TimeoutError:
        pass  # Silence is what an open socket is expected to keep.
    finally:
        socket.abort()
    return took


async def _addresses(host: str, port: int) -> list[str]:
    # Not the event loop's own look-up, whose thread would hold up the end of the process.
    import socket

    def look_up() -> list[str]:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    return await in_daemon_thread(look_up, name=f"look-up of {host}")


async def _connect(addresses: list[str], port: int) -> asyncio.StreamWriter:
    """Return a connection to the first address that answers."""
    *others, last = addresses
    for address in others:
        try:
            async with asyncio.timeout(_FIRST_PATIENCE):
                return (await asyncio.open_connection(address, port))[1]
        except OSError:
            continue
    return (await asyncio.open_connection(last, port))[1]


async def _shake_hands(writer: asyncio.StreamWriter, context: ssl.SSLContext, host: str) -> str:
    await writer.start_tls(context, server_hostname=host)
    version: str = writer.get_extra_info("ssl_object").version()
    return version
