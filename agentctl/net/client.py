"""A client of `httpx2` as every request of ours goes through, async or not: our proxy, our trust, our patience."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from agentctl.errors import ConfigurationError

from .options import HttpOptions
from .proxy import Proxy
from .tls import tls_context

if TYPE_CHECKING:
    import ssl

    import httpx2

    Client = TypeVar("Client", httpx2.AsyncClient, httpx2.Client)


_IDLE_CONNECTION_SECONDS = 30.0
"""Longer than `httpx2` keeps one by itself: tools take their time between two turns."""


class Trust:
    """The TLS contexts of one client; the files of certificates are read once, when first needed."""

    def __init__(self, options: HttpOptions, environ: Mapping[str, str]) -> None:
        self._ca_file = options.ca_file
        self._environ = environ
        self._tls: ssl.SSLContext | None = None

    def context(self, scheme: str) -> ssl.SSLContext:
        """Return the context for a scheme; raise `ConfigurationError` where a certificate file cannot be used."""
        # 14 ms: imported for the first request.
        import ssl

        if scheme != "https":
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # Never used, trusts nobody, and costs nothing to make.
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

    way = None
    if proxy is not None:
        way = httpx2.Proxy(proxy.url, ssl_context=trust.context("https") if proxy.scheme == "https" else None)
    try:
        return kind(
            verify=trust.context(scheme),
            proxy=way,
            timeout=httpx2.Timeout(options.request_timeout, connect=options.connect_timeout, pool=None),
            limits=httpx2.Limits(
                max_connections=None, max_keepalive_connections=100, keepalive_expiry=_IDLE_CONNECTION_SECONDS
            ),
            trust_env=False,
        )
    except ImportError as error:
        assert proxy is not None
        raise ConfigurationError(
            "a SOCKS proxy needs a package that is not installed: pip install 'httpx2[socks]'", key=proxy.variable
        ) from error


class LoopClients:
    """Keeps one client per event loop: connections belong to the loop that opened them."""

    def __init__(self, build: Callable[[], httpx2.AsyncClient]) -> None:
        self._build = build
        self._clients: dict[asyncio.AbstractEventLoop, tuple[httpx2.AsyncClient, AsyncGenerator[None]]] = {}

    async def get(self) -> httpx2.AsyncClient:
        """Return the client of the running loop; a loop that ends closes its client."""
        loop = asyncio.get_running_loop()
        known = self._clients.get(loop)
        if known is not None and not known[0].is_closed:
            return known[0]
        self._clients = {loop: kept for loop, kept in self._clients.items() if not loop.is_closed()}
        client = self._build()
        # `asyncio.run` closes the generators that its loop has seen: the one moment at which a client that nobody
        # closed can still be closed in its own loop.
        guard = _until_closed(client)
        self._clients[loop] = client, guard
        await anext(guard)
        return client

    async def aclose(self) -> None:
        """Close the client of the running loop; the next `get` makes another."""
        _, guard = self._clients.pop(asyncio.get_running_loop(), (None, None))
        if guard is not None:
            await guard.aclose()


async def _until_closed(client: httpx2.AsyncClient) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await client.aclose()
