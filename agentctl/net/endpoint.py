"""Where a service is, and the key for it, which goes to its origin and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError, MissingKeyError
from agentctl.redaction import register_secret

if TYPE_CHECKING:
    from .key_source import KeySource

OPENAI_BASE_URL = "https://api.openai.com/v1"
"""The base URL of OpenAI's own service."""

NO_KEY = "none"
"""The key that means: send no key."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HTTP_SCHEMES = {"ws": "http", "wss": "https"}


@lru_cache  # Asked for at every request, in several places.
def origin_of(url: str) -> str:
    """Return the origin of an http or https URL, `scheme://host[:port]`, in lower case and without a default port.

    Raises:
        ConfigurationError: it is no such URL, or it carries a user name or password.
    """
    scheme, host, port = _address(_split(url))
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" if port == _DEFAULT_PORTS[scheme] else f"{scheme}://{shown}:{port}"


def http_form(url: str) -> str:
    """Return a ws or wss URL as the http or https URL of the same place; any other URL as it is."""
    scheme, separator, rest = url.partition("://")
    return f"{_HTTP_SCHEMES.get(scheme.lower(), scheme)}{separator}{rest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The base URL of a service, and who we are there.

    Raises:
        ConfigurationError: the base URL is not usable, or the key cannot be sent as a header.
    """

    base_url: str
    key: str | KeySource | None = field(default=None, repr=False)
    """None where there is none, which fails the first request; `NO_KEY` where the service wants none."""
    organization: str | None = None
    project: str | None = None

    def __post_init__(self) -> None:
        key = self.key if isinstance(self.key, str) else None
        register_secret(None if key == NO_KEY else key)
        origin = self.origin  # Raises where the base URL is not usable.
        for name, value in (("key", key), ("organization", self.organization), ("project", self.project)):
            if value is not None and not (value.isascii() and value.isprintable() and value and " " not in value):
                raise ConfigurationError(
                    f"the {name} for {origin} is empty or has spaces, line breaks or characters beyond ASCII: "
                    "it was probably not copied whole"
                )

    @property
    def origin(self) -> str:
        """The origin that the key is bound to."""
        return origin_of(self.base_url)

    @property
    def host(self) -> str:
        """The host, and the port where it is not the scheme's own: what messages name."""
        return self.origin.partition("://")[2]

    def url(self, path: str, query: Mapping[str, object] | None = None) -> str:
        """Return the URL of `path` below the base URL, whose own query stays; `query` goes over it."""
        if not query:
            return _below(self.base_url, path)
        base = urlsplit(self.base_url)
        kept = [pair for pair in parse_qsl(base.query, keep_blank_values=True) if pair[0] not in query]
        return base._replace(
            path=f"{base.path.rstrip('/')}/{path}",
            query=urlencode([*kept, *query.items()], doseq=True),
            fragment="",
        ).geturl()

    def headers_for(self, url: str) -> dict[str, str]:
        """Return the headers that say who we are; none where `url` is of another origin.

        A key from a source is asked for first: see `key_source.with_key`.

        Raises:
            MissingKeyError: there is no key.
        """
        if origin_of(url) != self.origin:
            return {}
        if self.key is None:
            raise MissingKeyError(
                f"there is no key for {self.origin}: store one with `agentctl config set-key`, set OPENAI_API_KEY "
                "(which counts for OpenAI and for OPENAI_BASE_URL), or use a local model: `-m local/smollm2`"
            )
        assert isinstance(self.key, str)
        headers = {} if self.key == NO_KEY else {"authorization": f"Bearer {self.key}"}
        if self.organization:
            headers["openai-organization"] = self.organization
        if self.project:
            headers["openai-project"] = self.project
        return headers


@lru_cache
def _below(base_url: str, path: str) -> str:
    base = urlsplit(base_url)
    return base._replace(path=f"{base.path.rstrip('/')}/{path}", fragment="").geturl()


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigurationError(f"{_shown(url)!r} is not a URL: {error}") from None
    if "@" in parts.netloc:
        raise ConfigurationError(
            f"the URL {_shown(url)!r} carries a user name or password: take it out, and store the key with "
            "`agentctl config set-key`"
        )
    return parts


def _address(parts: SplitResult) -> tuple[str, str, int]:
    shown = parts.geturl()
    try:
        port = parts.port
    except ValueError:
        raise ConfigurationError(f"the port in {shown!r} is not a number from 0 to 65535") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or not shown.isprintable() or " " in shown:
        raise ConfigurationError(f"{shown!r} is not an http or https URL, such as {OPENAI_BASE_URL}")
    return parts.scheme, parts.hostname, _DEFAULT_PORTS[parts.scheme] if port is None else port


def _shown(url: str) -> str:
    scheme, separator, rest = url.rpartition("@")[2].partition("://")
    return f"{scheme}{separator}{rest}"
