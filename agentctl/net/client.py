"""A client of `httpx2` as every request of ours goes through, async or not: our proxy, our trust, our patience."""

from __future__ import annotations

from collections.abc import Mapping
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
        """Return the context for a scheme; raise `ConfigurationError` where a file of certificates is not usable."""
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
        ConfigurationError: a file of certificates or the proxy is not usable.
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
