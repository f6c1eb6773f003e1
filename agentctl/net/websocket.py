"""The WebSocket transport: opens sockets to one endpoint, through `websockets`, without `openai`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError, RequestRejectedError, ServiceError
from agentctl.log import logger
from agentctl.redaction import excerpt
from agentctl.version import __version__

from .endpoint import Endpoint
from .failures import response_error
from .live_socket import LiveSocket
from .options import HttpOptions, WebSocketOptions
from .proxy import proxy_for
from .tls import tls_context
from .unreachable import connect_error

if TYPE_CHECKING:
    import ssl

    from websockets.asyncio.client import ClientConnection
    from websockets.exceptions import InvalidStatus

_PATH = "responses"
_SCHEMES = {"http": "ws", "https": "wss"}
_CLOSE_SECONDS = 1

_quiet = logging.Logger("agentctl.websockets")  # Outside the logger tree: it would log keys and frames.
_quiet.disabled = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The URL and headers of a socket; sockets with equal addresses are interchangeable."""

    url: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)


def address_at(endpoint: Endpoint, headers: Mapping[str, str], query: Mapping[str, object] | None) -> Address:
    """Return the address of an endpoint; `headers`, with names in lower case, override the endpoint's own.

    Raises:
        MissingKeyError: the endpoint has no key.
    """
    own = endpoint.headers_for(endpoint.base_url)
    return Address(url=socket_url(endpoint, query), headers=tuple(sorted({**own, **headers}.items())))


def socket_url(endpoint: Endpoint, query: Mapping[str, object] | None) -> str:
    """Return the URL of the sockets of an endpoint."""
    return _socket_form(endpoint.url(_PATH, query))


@lru_cache
def _socket_form(http_url: str) -> str:
    url = urlsplit(http_url)
    # Some services document a base URL that already ends with the path.
    path = url.path.replace(f"/{_PATH}/{_PATH}", f"/{_PATH}")
    return url._replace(scheme=_SCHEMES[url.scheme], path=path).geturl()


class UpgradeFailed(Exception):
    """The upgrade failed, so nothing was sent.

    `error` is the exception for a caller without another transport.
    """

    def __init__(self, error: ServiceError) -> None:
        super().__init__(error.message)
        self.error = error


class WebSocketPipe:
    """A factory of sockets to one endpoint, whose base URL is the WebSocket's in http or https form.

    Raises:
        ConfigurationError: the environment names an invalid proxy.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        options: HttpOptions,
        *,
        websocket: WebSocketOptions | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.endpoint = endpoint
        self.options = options
        self._websocket = websocket or WebSocketOptions()
        self._environ = environ
        self._proxy = proxy_for(endpoint.base_url, environ)
        self._tls: ssl.SSLContext | None = None

    async def open(self, address: Address, *, open_timeout: float | None = None) -> LiveSocket:
        """Return a new socket; `open_timeout` shortens the connect timeout, in seconds.

        Raises:
            UpgradeFailed: no socket could be opened.
            AuthenticationError: the key was rejected (401), as it would be over any transport.
            ConfigurationError: the proxy or a certificate file cannot be used.
        """
        options = self.options
        if open_timeout is not None and open_timeout < options.connect_timeout:
            options = replace(options, connect_timeout=open_timeout)
        logger.debug("opening a WebSocket to %s", address.url.partition("?")[0])
        connection = await self._connect(address, options)
        return LiveSocket(
            connection,
            host=self.endpoint.host,
            proxy=self._proxy,
            options=self.options,
            websocket=self._websocket,
        )

    async def _connect(self, address: Address, options: HttpOptions) -> ClientConnection:
        # 40 ms in addition to asyncio: imported for the first socket.
        from websockets.asyncio.client import connect
        from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidProxy, InvalidStatus, ProxyError

        opening = connect(
            address.url,
            additional_headers=address.headers,
            user_agent_header=f"agentctl/{__version__}",
            proxy=self._proxy.url if self._proxy is not None else None,
            compression=None,
            open_timeout=options.connect_timeout,
            close_timeout=_CLOSE_SECONDS,
            ping_interval=None,
            max_size=self._websocket.max_size,
            max_queue=None,
            logger=_quiet,
            **self._trust(address.url),
        )
        opening.process_redirect = _reject_redirect  # type: ignore[method-assign, assignment]  # a key stays at its origin
        try:
            return await opening
        except InvalidStatus as error:
            refusal = self._refusal(error, address)
            raise refusal if refusal.status == 401 else UpgradeFailed(refusal) from error
        except InvalidProxy as error:
            raise ConfigurationError(
                f"the proxy cannot be used: {excerpt(error.msg)}", key=self._proxy_variable()
            ) from error
        except ImportError as error:
            raise ConfigurationError(
                "a SOCKS proxy needs a package that is not installed: pip install 'python-socks[asyncio]'",
                key=self._proxy_variable(),
            ) from error
        except (ProxyError, InvalidMessage, OSError, EOFError) as error:
            unreachable = connect_error(error, host=self.endpoint.host, options=options, proxy=self._proxy)
            raise UpgradeFailed(unreachable) from error
        except InvalidHandshake as error:
            raise UpgradeFailed(
                self._no_websocket(f"its response is not an upgrade ({excerpt(str(error))})")
            ) from error

    def _refusal(self, error: InvalidStatus, address: Address) -> ServiceError:
        response = error.response
        if response.status_code < 300:
            return self._no_websocket(f"it responded with {response.status_code} instead of 101")
        headers = {name.lower(): value for name, value in response.headers.raw_items()}
        return response_error(
            response.status_code, headers, bytes(response.body or b""), url=address.url, service=self.endpoint.host
        )

    def _no_websocket(self, reason: str) -> RequestRejectedError:
        return RequestRejectedError(f"{self.endpoint.host} did not open a WebSocket: {reason}; check the base URL")

    def _proxy_variable(self) -> str | None:
        return self._proxy.variable if self._proxy is not None else None

    def _trust(self, url: str) -> dict[str, Any]:
        """Return the TLS contexts of the service and of the proxy, as keyword arguments of `websockets`."""
        trust: dict[str, Any] = {}
        if url.startswith("wss:"):
            trust["ssl"] = self._context()
        if self._proxy is not None and self._proxy.scheme == "https":
            trust["proxy_ssl"] = self._context()
        return trust

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = tls_context(self.options.ca_file, self._environ)
        return self._tls


def _reject_redirect(error: Exception) -> Exception:
    return error
