"""The `httpx2` clients, async or not, of every request: with the configured proxy, trust and timeouts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from .options import HttpOptions
from .proxy import Proxy, socks_error
from .tls import tls_context

if TYPE_CHECKING:
    import ssl

    import httpx2

    Client = TypeVar("Client", httpx2.AsyncClient, httpx2.Client)


_IDLE_CONNECTION_SECONDS = 30.0
"""Longer than the default of `httpx2`: tools may run for a while between two turns."""


class Trust:
    """The TLS contexts of one client; certificate files are read once, on first use."""

    def __init__(self, options: HttpOptions, environ: Mapping[str, str]) -> None:
        self._ca_file = options.ca_file
        self._environ = environ
        self._tls: ssl.SSLContext | None = None

    def context(self, scheme: str) -> ssl.SSLContext:
        """Return the context for a scheme; raise `ConfigurationError` if a certificate file cannot be used."""
        # 14 ms: imported for the first request.
        import ssl

        if scheme != "https":
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # Never used, trusts no authority, and is cheap to create.
        if self._tls is None:
            self._tls = tls_context(self._ca_file, self._environ)
        return self._tls


def make_client(kind: type[Client], scheme: str, options: HttpOptions, *, proxy: Proxy | None, trust: Trust) -> Client:
    """Return a client for URLs of one scheme.

    Raises:
        ConfigurationError: the proxy or a certificate file cannot be used.
    """
    # 80 ms: imported for the first request.
    import httpx2

    client_proxy = None
    if proxy is not None:
        client_proxy = httpx2.Proxy(proxy.url, ssl_context=trust.context("https") if proxy.scheme == "https" else None)
    try:
        client = kind(
            verify=trust.context(scheme),
            proxy=client_proxy,
            timeout=httpx2.Timeout(options.request_timeout, connect=options.connect_timeout, pool=None),
            limits=httpx2.Limits(
                max_connections=None, max_keepalive_connections=100, keepalive_expiry=_IDLE_CONNECTION_SECONDS
            ),
            trust_env=False,
        )
    except ImportError as error:
        raise socks_error(proxy) from error
    if proxy is not None:
        # Only for a proxy.
        from .proxy_timeout import limit_proxy

        limit_proxy(client, options.connect_timeout)
    return client


_MAX_CONNECTIONS = 200


def max_connections() -> int:
    """Return the number of connections that a pool may have at once: at most half of the process's descriptors."""
    # Half a millisecond, only for a request.
    try:
        import resource
    except ImportError:  # Windows has no such limit.
        return _MAX_CONNECTIONS
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MAX_CONNECTIONS if limit == resource.RLIM_INFINITY else max(1, min(_MAX_CONNECTIONS, limit // 2))


class LoopClients:
    """A cache of one client per event loop: connections belong to the loop that opened them."""

    def __init__(self, build: Callable[[], httpx2.AsyncClient]) -> None:
        self._build = build
        self._clients: dict[asyncio.AbstractEventLoop, tuple[httpx2.AsyncClient, AsyncGenerator[None]]] = {}
        self._slots: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}

    def slot(self) -> asyncio.Semaphore:
        """Return the queue for the connections of the running loop, to be held while a connection is in use.

        The client's own queue takes time that grows with the square of its length.
        """
        loop = asyncio.get_running_loop()
        if loop not in self._slots:
            self._slots = {loop: slots for loop, slots in self._slots.items() if not loop.is_closed()}
            self._slots[loop] = asyncio.Semaphore(max_connections())
        return self._slots[loop]

    async def get(self) -> httpx2.AsyncClient:
        """Return the client of the running loop; the end of the loop closes it."""
        loop = asyncio.get_running_loop()
        known = self._clients.get(loop)
        if known is not None and not known[0].is_closed:
            return known[0]
        self._clients = {loop: kept for loop, kept in self._clients.items() if not loop.is_closed()}
        client = self._build()
        # `asyncio.run` closes the async generators of its loop: the last moment at which an unclosed client can still
        # be closed in its own loop.
        guard = _close_at_exit(client)
        self._clients[loop] = client, guard
        await anext(guard)
        return client

    async def aclose(self) -> None:
        """Close the client of the running loop; the next `get` creates another."""
        _, guard = self._clients.pop(asyncio.get_running_loop(), (None, None))
        if guard is not None:
            await guard.aclose()


async def _close_at_exit(client: httpx2.AsyncClient) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await client.aclose()
