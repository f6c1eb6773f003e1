"""POST requests from a thread without an event loop, with the same proxy, trust and timeouts, and without redirects."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from urllib.parse import urlsplit

from agentctl._dataclass import dataclass
from agentctl.origin import origin_of
from agentctl.version import __version__

from .failures import retry_after
from .http_pool import Trust, lower_headers, make_pool, make_request
from .options import HttpOptions
from .proxy import proxy_for
from .unreachable import is_transport_error, transport_error

_MAX_RESPONSE = 64 * 1024
"""The number of bytes that are read so that the connection can be reused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostResult:
    """The status of a response, and the delay it requests."""

    status: int
    retry_after: float | None
    """Seconds."""


class PostPipe:
    """A connection to one URL, for one thread at a time.

    Raises:
        ConfigurationError: the URL is invalid, or the environment names an invalid proxy.
    """

    def __init__(self, url: str, options: HttpOptions, *, environ: Mapping[str, str] = os.environ) -> None:
        # 60 ms: imported for the first request.
        import httpcore2

        origin_of(url)
        self._url = url
        self._options = options
        self._proxy = proxy_for(url, environ)
        trust = Trust(options, environ)
        self._pool = make_pool(httpcore2.ConnectionPool, urlsplit(url).scheme, proxy=self._proxy, trust=trust)

    def post(self, body: bytes, headers: Mapping[str, str]) -> PostResult:
        """Send JSON and return the result, whatever its status.

        Raises:
            ServiceError: there was no response.
            ConfigurationError: the URL is invalid.
        """
        sent = {"content-type": "application/json", "user-agent": f"agentctl/{__version__}", **headers}
        sent = {name.lower(): value for name, value in sent.items()}
        request = make_request(
            "POST", self._url, headers=sent, body=body, options=self._options, proxy=self._proxy, is_async=False
        )
        try:
            response = self._pool.handle_request(request)
            with closing(response):
                read = 0
                for chunk in response.iter_stream():
                    read += len(chunk)
                    if read > _MAX_RESPONSE:
                        break
        except Exception as error:
            if not is_transport_error(error):
                raise
            scheme, _, host = origin_of(self._url).partition("://")
            raise transport_error(
                error, host=host, options=self._options, proxy=self._proxy, has_responded=False, scheme=scheme
            ) from error
        return PostResult(status=response.status, retry_after=retry_after(lower_headers(response.headers)))

    def close(self) -> None:
        """Close the connection."""
        self._pool.close()
