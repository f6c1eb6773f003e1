"""The connection pools of `httpcore2`, for every request over HTTP: with the configured proxy, trust and timeouts.

`httpx2`, which builds on it, would take another 50 ms to import, and 0.3 ms for each request.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from agentctl.errors import ConfigurationError

from .options import HttpOptions
from .proxy import Proxy, socks_error
from .tls import tls_context

if TYPE_CHECKING:
    import ssl

    import httpcore2

    Pool = TypeVar("Pool", httpcore2.AsyncConnectionPool, httpcore2.ConnectionPool)


IDLE_CONNECTION_SECONDS = 30.0
"""Seconds for which an unused connection stays open: tools may run for a while between two turns."""
MAX_IDLE_CONNECTIONS = 100

_PLAIN_URL = re.compile(r"(?!.*/\.)https?://[A-Za-z0-9._:\[\]-]+(/[!$%&'()*+,\-./0-9:;=?@A-Z_a-z~]*)?")
"""A URL that goes out as it is written: no other characters, and no `/../`."""


class Trust:
    """The TLS context of one client; certificate files are read once, on first use."""

    def __init__(self, options: HttpOptions, environ: Mapping[str, str]) -> None:
        self._ca_file = options.ca_file
        self._environ = environ
        self._tls: ssl.SSLContext | None = None

    def context(self, scheme: str) -> ssl.SSLContext | None:
        """Return the context for a scheme, None for one without TLS.

        Raises:
            ConfigurationError: a certificate file cannot be used.
        """
        if scheme != "https":
            return None
        if self._tls is None:
            self._tls = tls_context(self._ca_file, self._environ)
        return self._tls


def make_pool(kind: type[Pool], scheme: str, *, proxy: Proxy | None, trust: Trust) -> Pool:
    """Return a pool for URLs of one scheme.

    Raises:
        ConfigurationError: the proxy or a certificate file cannot be used.
    """
    return kind(
        ssl_context=trust.context(scheme),
        proxy=None if proxy is None else _core_proxy(proxy, trust),
        max_connections=None,
        max_keepalive_connections=MAX_IDLE_CONNECTIONS,
        keepalive_expiry=IDLE_CONNECTION_SECONDS,
    )


def make_request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    options: HttpOptions,
    proxy: Proxy | None,
    is_async: bool,
) -> httpcore2.Request:
    """Return a request; `headers` have names in lower case.

    Raises:
        ConfigurationError: the URL is not valid.
    """
    # 60 ms: imported for the first request.
    import httpcore2

    target, host = address_of(url)
    lines = [(b"host", host)]
    lines += [(name.encode("ascii"), value.encode("utf-8")) for name, value in headers.items()]
    if body is not None:
        lines.append((b"content-length", b"%d" % len(body)))
    extensions: dict[str, Any] = {"timeout": timeouts(options)}
    if proxy is not None:
        # Only for a proxy.
        from .proxy_timeout import limit_proxy

        extensions = limit_proxy(extensions, options.connect_timeout, is_async=is_async)
    return httpcore2.Request(method, target, headers=lines, content=body, extensions=extensions)


def timeouts(options: HttpOptions) -> dict[str, float | None]:
    """Return the timeouts of each phase of a request, in seconds."""
    wait = options.request_timeout
    return {"connect": options.connect_timeout, "read": wait, "write": wait, "pool": None}


def lower_headers(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers of a response by their names in lower case; the values of a repeated one are joined."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("ascii").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


@lru_cache
def address_of(url: str) -> tuple[httpcore2.URL, bytes]:
    """Return a URL as it goes out, and its host as the header has it.

    Raises:
        ConfigurationError: the URL is not valid.
    """
    import httpcore2

    if _PLAIN_URL.fullmatch(url):
        parts = urlsplit(url)
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        port = None if parts.port == (80 if parts.scheme == "http" else 443) else parts.port
        host = parts.netloc.lower() if port else parts.netloc.lower().removesuffix(f":{parts.port}")
        target = httpcore2.URL(scheme=parts.scheme, host=parts.hostname or "", port=port, target=path)
        return target, host.encode()
    # 50 ms, only for a URL with other characters: a host in another script, a path with spaces.
    import httpx2

    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise ConfigurationError(f"{url.partition('?')[0]} is not a valid URL: {error}") from error
    target = httpcore2.URL(scheme=parsed.raw_scheme, host=parsed.raw_host, port=parsed.port, target=parsed.raw_path)
    return target, parsed.netloc


def _core_proxy(proxy: Proxy, trust: Trust) -> httpcore2.Proxy:
    import httpcore2

    if proxy.scheme.startswith("socks"):
        try:
            import socksio  # noqa: F401
        except ImportError as error:
            raise socks_error(proxy) from error
    parts = urlsplit(proxy.url)
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    address = urlsplit(proxy.display_url)
    target, _ = address_of(f"http://{address.netloc}")
    return httpcore2.Proxy(
        httpcore2.URL(scheme=proxy.scheme, host=target.host, port=address.port, target="/"),
        auth=(unquote(user).encode(), unquote(password).encode()) if user or password else None,
        ssl_context=trust.context("https") if proxy.scheme == "https" else None,
    )


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


class LoopPools:
    """A cache of one pool per event loop: connections belong to the loop that opened them."""

    def __init__(self, build: Callable[[], httpcore2.AsyncConnectionPool]) -> None:
        self._build = build
        self._pools: dict[asyncio.AbstractEventLoop, tuple[httpcore2.AsyncConnectionPool, AsyncGenerator[None]]] = {}
        self._slots: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}

    def slot(self) -> asyncio.Semaphore:
        """Return the queue for the connections of the running loop, to be held while a connection is in use.

        The pool's own queue takes time that grows with the square of its length.
        """
        loop = asyncio.get_running_loop()
        if loop not in self._slots:
            self._slots = {loop: slots for loop, slots in self._slots.items() if not loop.is_closed()}
            self._slots[loop] = asyncio.Semaphore(max_connections())
        return self._slots[loop]

    async def get(self) -> httpcore2.AsyncConnectionPool:
        """Return the pool of the running loop; the end of the loop closes it."""
        loop = asyncio.get_running_loop()
        if (known := self._pools.get(loop)) is not None:
            return known[0]
        self._pools = {loop: kept for loop, kept in self._pools.items() if not loop.is_closed()}
        pool = self._build()
        # `asyncio.run` closes the async generators of its loop: the last moment at which an unclosed pool can still
        # be closed in its own loop.
        guard = _close_at_exit(pool)
        self._pools[loop] = pool, guard
        await anext(guard)
        return pool

    async def aclose(self) -> None:
        """Close the pool of the running loop; the next `get` creates another."""
        _, guard = self._pools.pop(asyncio.get_running_loop(), (None, None))
        if guard is not None:
            await guard.aclose()


async def _close_at_exit(pool: httpcore2.AsyncConnectionPool) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await pool.aclose()
