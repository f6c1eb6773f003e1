"""The address of a service and its key, which is sent to the service's origin only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field, replace
from functools import lru_cache
from typing import Protocol, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from agentctl._dataclass import dataclass
from agentctl.errors import AuthenticationError, ConfigurationError, MissingKeyError
from agentctl.origin import check_base_url, is_loopback, is_quoted, origin_of
from agentctl.redaction import register_secret

NO_KEY = "none"
"""The key that stands for sending none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The base URL of a service, with the credentials for it.

    Raises:
        ConfigurationError: the base URL is invalid, or the key cannot be sent as a header.
    """

    base_url: str
    key: str | KeySource | None = field(default=None, repr=False)
    """None if there is none, which fails the first request; `NO_KEY` if the service needs none."""
    organization: str | None = None
    project: str | None = None

    def __post_init__(self) -> None:
        key = self.key if isinstance(self.key, str) else None
        register_secret(None if key == NO_KEY else key)
        check_base_url(self.base_url)
        origin = self.origin
        for name, value in (("key", key), ("organization", self.organization), ("project", self.project)):
            if value is not None and is_quoted(value):
                raise ConfigurationError(
                    f"the {name} for {origin} is in quotes; remove them (`docker --env-file` keeps quotes)"
                )
            if value is not None and not (value.isascii() and value.isprintable() and value and " " not in value):
                raise ConfigurationError(
                    f"the {name} for {origin} is empty or contains spaces, line breaks or non-ASCII characters: "
                    "it may not have been copied completely"
                )

    @property
    def origin(self) -> str:
        """The origin that the key is bound to."""
        return origin_of(self.base_url)

    @property
    def host(self) -> str:
        """The host, and the port unless it is the default of the scheme; used in messages."""
        return self.origin.partition("://")[2]

    def url(self, path: str, query: Mapping[str, object] | None = None) -> str:
        """Return the URL of `path` below the base URL; parameters of `query` override those of the base URL."""
        if not query:
            return _join_path(self.base_url, path)
        base = urlsplit(self.base_url)
        own = [pair for pair in parse_qsl(base.query, keep_blank_values=True) if pair[0] not in query]
        return base._replace(
            path=f"{base.path.rstrip('/')}/{path}",
            query=urlencode([*own, *query.items()], doseq=True),
            fragment="",
        ).geturl()

    def headers_for(self, url: str) -> dict[str, str]:
        """Return the headers with the credentials; none if `url` has another origin.

        A key source must be resolved first; see `with_key`.

        Raises:
            MissingKeyError: the endpoint has no key.
        """
        if origin_of(url) != self.origin:
            return {}
        if self.key is None:
            unneeded = "if it needs none, run `agentctl config client --key none`; " if is_loopback(self.origin) else ""
            raise MissingKeyError(
                f"there is no key for {self.origin}; {unneeded}store one with `agentctl config set-key`, set "
                "OPENAI_API_KEY (used for OpenAI and for OPENAI_BASE_URL), or use a local model: `-m local/smollm2`"
            )
        assert isinstance(self.key, str)
        headers = {} if self.key == NO_KEY else {"authorization": f"Bearer {self.key}"}
        if self.organization:
            headers["openai-organization"] = self.organization
        if self.project:
            headers["openai-project"] = self.project
        return headers


@lru_cache
def _join_path(base_url: str, path: str) -> str:
    base = urlsplit(base_url)
    return base._replace(path=f"{base.path.rstrip('/')}/{path}", fragment="").geturl()


T = TypeVar("T")


class KeySource(Protocol):
    """A source of keys, as the `key` of an `Endpoint` instead of a text."""

    async def key(self) -> str:
        """Return the key.

        Raises:
            ConfigurationError: the source has no key.
        """
        ...

    async def refresh(self, refused: str) -> str | None:
        """Return a replacement for the key that was rejected, or None if there is no other.

        Raises:
            ConfigurationError: the source failed.
        """
        ...


async def with_key(endpoint: Endpoint, attempt: Callable[[Endpoint], Awaitable[T]]) -> T:
    """Return the result of `attempt` with the key resolved; after a 401 it is repeated once with a refreshed key.

    A request that the service rejects with 401 has had no effect, so it can be repeated.
    """
    source = endpoint.key
    if source is None or isinstance(source, str):
        return await attempt(endpoint)
    key = await source.key()
    try:
        return await attempt(replace(endpoint, key=key))
    except AuthenticationError as error:
        if error.status != 401:
            raise
        renewed = await source.refresh(key)
        if renewed is None:
            raise
    return await attempt(replace(endpoint, key=renewed))
