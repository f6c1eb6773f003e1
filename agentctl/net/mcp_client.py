"""A client of `httpx2` for a library that speaks through one, with our proxy and our trust, and what it tells of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from agentctl.errors import AuthenticationError, RequestRejectedError, ServiceError, ServiceUnavailableError, UserError

from .client import Trust, make_client
from .options import HttpOptions
from .proxy import proxy_for
from .unreachable import transport_error

if TYPE_CHECKING:
    import httpx2

Answered = Callable[[str, int, Mapping[str, str], Mapping[str, str]], None]
"""Told of each answer: the method of the request, the status, the headers of the request and those of the answer."""


class ClientFactory(Protocol):
    """Makes a client in place of ours."""

    def __call__(
        self, headers: dict[str, str] | None = None, timeout: Any = None, auth: Any = None
    ) -> httpx2.AsyncClient:
        """Return a client of `httpx2` with these headers, timeouts and authentication."""


def make_mcp_client(
    url: str,
    options: HttpOptions,
    *,
    headers: dict[str, str],
    auth: httpx2.Auth | None = None,
    make: ClientFactory | None = None,
    environ: Mapping[str, str] = os.environ,
) -> httpx2.AsyncClient:
    """Return a client for one URL, with headers that every request has: one of ours, or one that `make` makes.

    Raises:
        UserError: what `make` made is no client.
        ConfigurationError: the proxy or a certificate file cannot be used.
    """
    # 80 ms: imported for the first request.
    import httpx2

    if make is not None:
        timeout = httpx2.Timeout(options.connect_timeout, read=options.request_timeout)
        made = make(headers=headers or None, timeout=timeout, auth=auth)
        if not isinstance(made, httpx2.AsyncClient):
            raise UserError(f"a factory of clients makes an httpx2.AsyncClient, not {type(made).__name__}")
        return made
    scheme = urlsplit(url).scheme
    client = make_client(
        httpx2.AsyncClient, scheme, options, proxy=proxy_for(url, environ), trust=Trust(options, environ)
    )
    client.headers.update(headers)
    if auth is not None:
        client.auth = auth
    return client


def add_response_hook(client: httpx2.AsyncClient, answered: Answered) -> None:
    """Have `answered` told of every answer that a client gets."""

    async def tell(answer: httpx2.Response) -> None:
        answered(answer.request.method, answer.status_code, answer.request.headers, answer.headers)

    client.event_hooks = {**client.event_hooks, "response": [*client.event_hooks["response"], tell]}


def mcp_error(
    error: BaseException, *, url: str, options: HttpOptions, environ: Mapping[str, str] = os.environ
) -> ServiceError | None:
    """Return the exception for what `httpx2` raised, if that is what `error` is or has in it."""
    import httpx2

    for each in _leaves(error):
        if isinstance(each, httpx2.HTTPStatusError):
            return status_error(each.response.status_code, host=urlsplit(url).netloc.rpartition("@")[2])
        if isinstance(each, httpx2.RequestError):
            host = urlsplit(url).netloc.rpartition("@")[2]
            return transport_error(each, host=host, options=options, proxy=proxy_for(url, environ), has_answered=False)
    return None


def status_error(status: int, *, host: str) -> ServiceError:
    """Return the exception for an answer that is a refusal."""
    kind: type[ServiceError] = RequestRejectedError
    if status in (401, 403):
        kind = AuthenticationError
    elif status in (408, 425, 429) or status >= 500:
        kind = ServiceUnavailableError
    return kind(f"{host} answered with HTTP status {status}", status=status)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error
