"""The WebSocket transport: opens sockets to one endpoint, through `websockets`, without `openai`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import field, replace
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agentctl._dataclass import dataclass
from agentctl.errors import RequestRejectedError, ServiceError
from agentctl.log import logger
from agentctl.redaction import excerpt
from agentctl.version import __version__

from .endpoint import Endpoint
from .failures import response_error
from .live_socket import LiveSocket
from .options import HttpOptions, WebSocketOptions
from .proxy import Proxy, proxy_for, socks_error
from .tls import tls_context
from .transport_memory import Route
from .unreachable import connect_error, wrong_scheme_error

if TYPE_CHECKING:
    import ssl

    from websockets.asyncio.client import ClientConnection

    from .upgrade import NotUpgraded

_PATH = "responses"
_SCHEMES = {"http": "ws", "https": "wss"}

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
    return url._replace(scheme=_SCHEMES[url.scheme]).geturl()


def route_to(endpoint: Endpoint, proxy: Proxy | None) -> Route:
    """Return the way of a socket to an endpoint."""
    url = socket_url(endpoint, None).partition("?")[0]
    return Route(url=url, proxy=None if proxy is None else proxy.display_url)


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

    @property
    def route(self) -> Route:
        """The way of the sockets to the service."""
        return route_to(self.endpoint, self._proxy)

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
        from websockets.exceptions import InvalidHandshake

        from .head import NotHTTP
        from .tunnel import ProxyFailed
        from .upgrade import ClosedEarly, NotUpgraded, Opening, open_websocket

        is_proxy_secure = self._proxy is not None and self._proxy.scheme == "https"
        opening = Opening(
            url=address.url,
            headers=address.headers,
            user_agent=f"agentctl/{__version__}",
            proxy=self._proxy,
            tls=self._context() if address.url.startswith("wss:") else None,
            proxy_tls=self._context() if is_proxy_secure else None,
            max_size=self._websocket.max_size,
            timeout=options.connect_timeout,
            logger=_quiet,
        )
        try:
            return await open_websocket(opening)
        except NotUpgraded as error:
            refusal = self._refusal(error, address)
            raise refusal if refusal.status == 401 else UpgradeFailed(refusal) from error
        except ImportError as error:
            raise socks_error(self._proxy) from error
        except ProxyFailed as error:
            raise UpgradeFailed(self._unreachable(error, options, status=error.status)) from error
        except (ClosedEarly, OSError, EOFError) as error:
            raise UpgradeFailed(self._unreachable(error, options)) from error
        except NotHTTP as error:
            if str(error) == "a TLS alert":
                raise UpgradeFailed(wrong_scheme_error(self.endpoint.host, "http", None)) from error
            raise UpgradeFailed(self._no_websocket(f"it responded with {error} instead of HTTP")) from error
        except InvalidHandshake as error:
            raise UpgradeFailed(
                self._no_websocket(f"its response is not an upgrade ({excerpt(str(error))})")
            ) from error

    def _unreachable(self, error: Exception, options: HttpOptions, *, status: int | None = None) -> ServiceError:
        scheme = self.endpoint.origin.partition(":")[0]
        return connect_error(
            error, host=self.endpoint.host, options=options, proxy=self._proxy, scheme=scheme, status=status
        )

    def _refusal(self, error: NotUpgraded, address: Address) -> ServiceError:
        if error.status < 300:
            return self._no_websocket(f"it responded with {error.status} instead of 101")
        return response_error(error.status, error.headers, error.body, url=address.url, service=self.endpoint.host)

    def _no_websocket(self, reason: str) -> RequestRejectedError:
        return RequestRejectedError(f"{self.endpoint.host} did not open a WebSocket: {reason}; check the base URL")

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = tls_context(self.options.ca_file, self._environ)
        return self._tls
