"""What servers behind a URL have in common: the client they are reached with, and the words for what fails."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, TypeVar
from urllib.parse import urlsplit, urlunsplit

from agentctl.errors import AgentsException, ServiceError
from agentctl.net.defaults import get_defaults
from agentctl.net.mcp_client import ClientFactory, add_response_hook, make_mcp_client, mcp_error, status_error
from agentctl.net.options import HttpOptions
from agentctl.redaction import register_secret

from .asking import ASKING
from .session_server import SessionServer

if TYPE_CHECKING:
    import httpx2

_TIMEOUT = 5.0
_READ_TIMEOUT = 300.0
_PUBLIC_HEADERS = frozenset({"accept", "accept-language", "content-type", "user-agent"})
_SESSION_ID = "mcp-session-id"


class HttpServerParams(TypedDict):
    """Where a server is, and how it is reached."""

    url: str
    headers: NotRequired[dict[str, str]]
    timeout: NotRequired[float | timedelta]
    """How long connecting may take; 5 seconds unless said."""
    sse_read_timeout: NotRequired[float | timedelta]
    """How long the server may be silent; 5 minutes unless said."""
    auth: NotRequired[Any]
    """An `httpx2.Auth`."""
    httpx_client_factory: NotRequired[ClientFactory]
    """Makes the client, in place of ours with its proxy and its trust."""


Params = TypeVar("Params", bound=HttpServerParams)


class HttpServer(SessionServer[Params]):
    """A server behind a URL."""

    _refusal_is_silent = False
    """Whether `mcp` tells nobody of a refusal, so that who asked would wait for ever."""
    _refused: int | None = None
    """The status with which the server refused something last, in the connection at hand."""
    _session_id: str | None = None

    def explained(self, failure: Exception) -> AgentsException | None:
        """Return the exception for a server that cannot be reached, or refuses."""
        explained = super().explained(failure)
        if explained is not None:
            return explained
        found = mcp_error(failure, url=self._reach["url"], options=self._options())
        if found is not None:
            return _named(self.name, found)
        return None if self._refused is None else self._refusal(self._refused)

    def _refusal(self, status: int) -> ServiceError:
        return _named(self.name, status_error(status, host=_host(self._reach["url"])))

    def _http_client(self) -> httpx2.AsyncClient:
        """Return the client for a connection: the user's own, or one of ours.

        Raises:
            UserError: what the user's factory made is no client.
            ConfigurationError: a proxy or a file of certificates is not usable.
        """
        params = self._reach
        headers = dict(params.get("headers") or {})
        for name, value in headers.items():
            if name.lower() not in _PUBLIC_HEADERS:
                register_secret(value)
        register_secret(urlsplit(params["url"]).password)
        client = make_mcp_client(
            params["url"],
            self._options(),
            headers=headers,
            auth=params.get("auth"),
            make=params.get("httpx_client_factory"),
        )
        self._refused = self._session_id = None
        add_response_hook(client, self._hear)
        return client

    def _hear(self, method: str, status: int, asked: Mapping[str, str], answered: Mapping[str, str]) -> None:
        """Note how the server answers a request."""
        if status >= 400:
            self._refused = status
        elif _SESSION_ID in answered:
            self._session_id = answered[_SESSION_ID]
        asking = ASKING.get()
        if method == "POST" and asking is not None:
            asking.is_taken |= status < 400
            asking.is_forgotten |= status == 404 and self._names_session(asked)
            asking.refusal = self._refusal(status) if status >= 400 else None
        if method == "POST" and status >= 400 and self._refusal_is_silent and self._connection is not None:
            self._connection.end()

    def _names_session(self, asked: Mapping[str, str]) -> bool:
        """Return whether a request is part of a session."""
        return _SESSION_ID in asked

    @property
    def _reach(self) -> HttpServerParams:
        return self.params

    def _options(self) -> HttpOptions:
        return HttpOptions(
            connect_timeout=_seconds(self._reach.get("timeout", _TIMEOUT)),
            request_timeout=_seconds(self._reach.get("sse_read_timeout", _READ_TIMEOUT)),
            ca_file=get_defaults().ca_file,
        )


def shown_url(url: str) -> str:
    """Return a URL without what may be secret in it: user name, password, query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, _host(url), parts.path, "", ""))


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _named(name: str, error: ServiceError) -> ServiceError:
    return type(error)(f"MCP server {name!r}: {error.message}", status=error.status, code=error.code)


def _seconds(value: float | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else value
