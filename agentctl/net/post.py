"""POST requests from a thread without an event loop, with the same proxy, trust and timeouts, and without redirects."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError
from agentctl.origin import origin_of
from agentctl.version import __version__

from .client import Trust, make_client
from .failures import retry_after
from .options import HttpOptions
from .proxy import proxy_for
from .unreachable import transport_error

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
        # 80 ms: imported for the first request.
        import httpx2

        origin_of(url)
        self._url = url
        self._options = options
        self._proxy = proxy_for(url, environ)
        scheme = urlsplit(url).scheme
        trust = Trust(options, environ)
        self._client = make_client(httpx2.Client, scheme, options, proxy=self._proxy, trust=trust)

    def post(self, body: bytes, headers: Mapping[str, str]) -> PostResult:
        """Send JSON and return the result, whatever its status.

        Raises:
            ServiceError: there was no response.
            ConfigurationError: the URL is invalid.
        """
        import httpx2

        sent = {"content-type": "application/json", "user-agent": f"agentctl/{__version__}", **headers}
        try:
            with self._client.stream("POST", self._url, content=body, headers=sent) as response:
                read = 0
                for chunk in response.iter_raw():
                    read += len(chunk)
                    if read > _MAX_RESPONSE:
                        break
        except httpx2.InvalidURL as error:
            raise ConfigurationError(f"{self._url} is not a valid URL: {error}") from error
        except httpx2.RequestError as error:
            scheme, _, host = origin_of(self._url).partition("://")
            raise transport_error(
                error, host=host, options=self._options, proxy=self._proxy, has_responded=False, scheme=scheme
            ) from error
        return PostResult(status=response.status_code, retry_after=retry_after(response.headers))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
