"""Base class of servers behind a URL: their HTTP client and error messages."""

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

from .asking import REQUEST_STATUS
from .session_server import SessionServer

if TYPE_CHECKING:
    import httpx2

_TIMEOUT = 5.0
_READ_TIMEOUT = 300.0
_PUBLIC_HEADERS = frozenset({"accept", "accept-language", "content-type", "user-agent"})
_SESSION_ID = "mcp-session-id"


class HttpServerParams(TypedDict):
    """Address of a server, and options of the connection."""

    url: str
    headers: NotRequired[dict[str, str]]
    timeout: NotRequired[float | timedelta]
    """Connect timeout; 5 seconds by default."""
    sse_read_timeout: NotRequired[float | timedelta]
    """How long to wait without data; 5 minutes by default."""
    auth: NotRequired[Any]
    """An `httpx2.Auth`."""
    httpx_client_factory: NotRequired[ClientFactory]
    """Creates the client, in place of the default one with its proxy and trust settings."""


Params = TypeVar("Params", bound=HttpServerParams)


class HttpServer(SessionServer[Params]):
    """A server behind a URL."""

    _ends_on_rejection = False
    """Whether to end the connection on an error status, because `mcp` does not report it and the caller would hang."""
    _error_status: int | None = None
    """The last error status of the current connection."""
    _session_id: str | None = None

    def explain(self, failure: Exception) -> AgentsException | None:
        """Return the exception for a server that cannot be reached or answers with an error status."""
        explained = super().explain(failure)
        if explained is not None:
            return explained
        http_error = mcp_error(failure, url=self._http_params["url"], options=self._options())
        if http_error is not None:
            return _with_server_name(self.name, http_error)
        return None if self._error_status is None else self._status_error(self._error_status)

    def _status_error(self, status: int) -> ServiceError:
        return _with_server_name(self.name, status_error(status, host=_host(self._http_params["url"])))

    def _http_client(self) -> httpx2.AsyncClient:
        """Return the client for a connection: from the user's factory, or the default one.

        Raises:
            UserError: the user's factory did not return a client.
            ConfigurationError: a proxy or a certificate file is invalid.
        """
        params = self._http_params
        headers = dict(params.get("headers") or {})
        for name, value in headers.items():
            if name.lower() not in _PUBLIC_HEADERS:
                register_secret(value, is_shared=True)
        register_secret(urlsplit(params["url"]).password)
        client = make_mcp_client(
            params["url"],
            self._options(),
            headers=headers,
            auth=params.get("auth"),
            make=params.get("httpx_client_factory"),
        )
        self._error_status = self._session_id = None
        add_response_hook(client, self._on_response)
        return client

    def _on_response(
        self, method: str, status: int, request_headers: Mapping[str, str], response_headers: Mapping[str, str]
    ) -> None:
        """Record the server's response to a request."""
        if status >= 400:
            self._error_status = status
        elif _SESSION_ID in response_headers:
            self._session_id = response_headers[_SESSION_ID]
        request = REQUEST_STATUS.get()
        if method == "POST" and request is not None:
            request.is_accepted |= status < 400
            request.is_session_unknown |= status == 404 and self._has_session(request_headers)
            request.error = self._status_error(status) if status >= 400 else None
        if method == "POST" and status >= 400 and self._ends_on_rejection and self._connection is not None:
            self._connection.end()

    def _has_session(self, request_headers: Mapping[str, str]) -> bool:
        """Return whether a request belongs to a session."""
        return _SESSION_ID in request_headers

    @property
    def _http_params(self) -> HttpServerParams:
        return self.params

    def _options(self) -> HttpOptions:
        return HttpOptions(
            connect_timeout=_seconds(self._http_params.get("timeout", _TIMEOUT)),
            request_timeout=_seconds(self._http_params.get("sse_read_timeout", _READ_TIMEOUT)),
            ca_file=get_defaults().ca_file,
        )


def shown_url(url: str) -> str:
    """Return a URL without the parts that may be secret: user name, password, query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, _host(url), parts.path, "", ""))


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _with_server_name(name: str, error: ServiceError) -> ServiceError:
    return type(error)(f"MCP server {name!r}: {error.message}", status=error.status, code=error.code)


def _seconds(value: float | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else value
