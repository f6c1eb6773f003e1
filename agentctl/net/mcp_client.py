"""The `httpx2` client that the MCP library uses, with our proxy and trust, and the translation of its errors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from agentctl.errors import AuthenticationError, RequestRejectedError, ServiceError, ServiceUnavailableError, UserError

from .http_pool import IDLE_CONNECTION_SECONDS, MAX_IDLE_CONNECTIONS, Trust, timeouts
from .options import HttpOptions
from .proxy import Proxy, proxy_for, socks_error
from .unreachable import transport_error

if TYPE_CHECKING:
    import httpx2

ResponseCallback = Callable[[str, int, Mapping[str, str], Mapping[str, str]], None]
"""A callback for each response: its request's method, its status, the request's headers and its own."""


class ClientFactory(Protocol):
    """A factory for a client that replaces ours."""

    def __call__(
        self, headers: dict[str, str] | None = None, timeout: Any = None, auth: Any = None
    ) -> httpx2.AsyncClient:
        """Return an `httpx2` client with these headers, timeouts and authentication."""


def make_mcp_client(
    url: str,
    options: HttpOptions,
    *,
    headers: dict[str, str],
    auth: httpx2.Auth | None = None,
    make: ClientFactory | None = None,
    environ: Mapping[str, str] = os.environ,
) -> httpx2.AsyncClient:
    """Return a client for one URL that sends `headers` with every request: one of ours, or the one from `make`.

    Raises:
        UserError: `make` did not return a client.
        ConfigurationError: the proxy or a certificate file cannot be used.
    """
    # 110 ms: imported for the first server.
    import ssl

    import httpx2

    if make is not None:
        timeout = httpx2.Timeout(options.connect_timeout, read=options.request_timeout)
        made = make(headers=headers or None, timeout=timeout, auth=auth)
        if not isinstance(made, httpx2.AsyncClient):
            raise UserError(f"a client factory must return an httpx2.AsyncClient, not {type(made).__name__}")
        return made
    proxy, trust = proxy_for(url, environ), Trust(options, environ)
    try:
        client = httpx2.AsyncClient(
            # Without TLS, a context that trusts no authority, is never used, and is cheap to create.
            verify=trust.context(urlsplit(url).scheme) or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            proxy=None if proxy is None else _client_proxy(proxy, trust),
            timeout=httpx2.Timeout(**timeouts(options)),
            limits=httpx2.Limits(
                max_connections=None,
                max_keepalive_connections=MAX_IDLE_CONNECTIONS,
                keepalive_expiry=IDLE_CONNECTION_SECONDS,
            ),
            trust_env=False,
            headers=headers,
            auth=auth,
        )
    except ImportError as error:
        raise socks_error(proxy) from error
    if proxy is not None:
        _limit_proxy(client, options.connect_timeout)
    return client


def _client_proxy(proxy: Proxy, trust: Trust) -> httpx2.Proxy:
    import httpx2

    return httpx2.Proxy(proxy.url, ssl_context=trust.context("https") if proxy.scheme == "https" else None)


def _limit_proxy(client: httpx2.AsyncClient, connect_timeout: float) -> None:
    # Only for a proxy.
    from .proxy_timeout import limit_proxy

    async def limit(request: httpx2.Request) -> None:
        request.extensions = limit_proxy(request.extensions, connect_timeout, is_async=True)

    client.event_hooks = {**client.event_hooks, "request": [*client.event_hooks["request"], limit]}


def add_response_hook(client: httpx2.AsyncClient, callback: ResponseCallback) -> None:
    """Have `callback` called for every response that a client receives."""

    async def call(response: httpx2.Response) -> None:
        callback(response.request.method, response.status_code, response.request.headers, response.headers)

    client.event_hooks = {**client.event_hooks, "response": [*client.event_hooks["response"], call]}


def mcp_error(
    error: BaseException, *, url: str, options: HttpOptions, environ: Mapping[str, str] = os.environ
) -> ServiceError | None:
    """Return the exception for an error of `httpx2`, alone or in an exception group; None for any other error."""
    import httpx2

    for each in _leaves(error):
        if isinstance(each, httpx2.HTTPStatusError):
            return status_error(each.response.status_code, host=urlsplit(url).netloc.rpartition("@")[2])
        if isinstance(each, httpx2.RequestError):
            host = urlsplit(url).netloc.rpartition("@")[2]
            return transport_error(each, host=host, options=options, proxy=proxy_for(url, environ), has_responded=False)
    return None


def status_error(status: int, *, host: str) -> ServiceError:
    """Return the exception for an unsuccessful HTTP status."""
    kind: type[ServiceError] = RequestRejectedError
    if status in (401, 403):
        kind = AuthenticationError
    elif status in (408, 425, 429) or (status >= 500 and status not in (501, 505)):
        kind = ServiceUnavailableError
    return kind(f"{host} responded with HTTP status {status}", status=status)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error
