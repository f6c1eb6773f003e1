"""Probes of the connection to a service, each step timed, without a request that would cost anything."""

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
from .websocket import WebSocketPipe, address_at

if TYPE_CHECKING:
    import ssl

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
LISTEN_SECONDS = 0.5
"""Seconds within which a service closes a socket that it does not support after all."""
_ATTEMPT_TIMEOUT = 1.0
"""Seconds to wait for an address if there is another one to try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectTimings:
    """The durations of the steps of a connection, in seconds."""

    proxy: Proxy | None
    """The proxy that the connection was made to, if any."""
    lookup: float
    connect: float
    handshake: float | None
    """None without TLS."""
    tls: str | None
    """The TLS version."""


async def probe_connection(
    endpoint: Endpoint, options: HttpOptions, *, environ: Mapping[str, str] = os.environ
) -> ConnectTimings:
    """Connect to the service, or to its proxy, and disconnect; nothing is sent.

    Raises:
        ServiceError: the name cannot be resolved, nothing responds, or the certificate is not trusted.
        ConfigurationError: the proxy or a certificate file cannot be used.
    """
    proxy = proxy_for(endpoint.base_url, environ)
    url = urlsplit(endpoint.base_url if proxy is None else proxy.url)
    host, port = url.hostname or "", url.port or _DEFAULT_PORTS[url.scheme]
    context = tls_context(options.ca_file, environ) if url.scheme == "https" else None
    try:
        start = time.perf_counter()
        addresses = await _addresses(host, port)
        found = time.perf_counter()
        writer = await _connect(addresses, port)
        connected = time.perf_counter()
        try:
            tls = None if context is None else await _shake_hands(writer, context, host)
        finally:
            writer.transport.abort()
    except (OSError, UnicodeError) as error:
        scheme = endpoint.origin.partition(":")[0]
        raise connect_error(error, host=endpoint.host, options=options, proxy=proxy, scheme=scheme) from error
    handshake = None if tls is None else time.perf_counter() - connected
    return ConnectTimings(proxy=proxy, lookup=found - start, connect=connected - found, handshake=handshake, tls=tls)


async def probe_websocket(pipe: WebSocketPipe, *, listen: float, open_timeout: float | None = None) -> float:
    """Open a WebSocket, send nothing, and return the seconds to open it, if it then stays open for `listen` seconds.

    `open_timeout` shortens the connect timeout, in seconds.

    Raises:
        UpgradeFailed: no socket could be opened.
        ServiceError: the key was rejected, or the socket was closed again.
        ModelBehaviorError: a message violates the protocol.
        MissingKeyError: the endpoint has no key.
        ConfigurationError: the proxy or a certificate file cannot be used.
    """
    start = time.perf_counter()
    socket = await with_key(
        pipe.endpoint, lambda resolved: pipe.open(address_at(resolved, {}, None), open_timeout=open_timeout)
    )
    elapsed = time.perf_counter() - start
    try:
        async with asyncio.timeout(listen):
            await socket.receive()
    except TimeoutError:
        pass  # An open socket is expected to stay silent.
    finally:
        socket.abort()
    return elapsed


async def _addresses(host: str, port: int) -> list[str]:
    # Not the event loop's own look-up, whose thread would delay the exit of the process.
    import socket

    def look_up() -> list[str]:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    return await in_daemon_thread(look_up, name=f"look-up of {host}")


async def _connect(addresses: list[str], port: int) -> asyncio.StreamWriter:
    """Return a connection to the first address that responds."""
    *others, last = addresses
    for address in others:
        try:
            async with asyncio.timeout(_ATTEMPT_TIMEOUT):
                return (await asyncio.open_connection(address, port))[1]
        except OSError:
            continue
    return (await asyncio.open_connection(last, port))[1]


async def _shake_hands(writer: asyncio.StreamWriter, context: ssl.SSLContext, host: str) -> str:
    await writer.start_tls(context, server_hostname=host)
    version: str = writer.get_extra_info("ssl_object").version()
    return version
