"""Origins of URLs: scheme, host and port. A key is bound to one."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from agentctl.errors import ConfigurationError

OPENAI_BASE_URL = "https://api.openai.com/v1"
"""The base URL of OpenAI's own service."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HTTP_SCHEMES = {"ws": "http", "wss": "https"}


@lru_cache  # Called several times for every request.
def origin_of(url: str) -> str:
    """Return the origin of an http or https URL, `scheme://host[:port]`, in lower case and without a default port.

    Raises:
        ConfigurationError: the URL is invalid, or contains a user name or password.
    """
    scheme, host, port = _address(_split(url))
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" if port == _DEFAULT_PORTS[scheme] else f"{scheme}://{shown}:{port}"


def http_form(url: str) -> str:
    """Return a ws or wss URL in its http or https form; other URLs unchanged."""
    scheme, separator, rest = url.partition("://")
    return f"{_HTTP_SCHEMES.get(scheme.lower(), scheme)}{separator}{rest}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigurationError(f"{_without_userinfo(url)!r} is not a URL: {error}") from None
    if "@" in parts.netloc:
        raise ConfigurationError(
            f"the URL {_without_userinfo(url)!r} contains a user name or password: remove it, and store the key with "
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


def _without_userinfo(url: str) -> str:
    scheme, separator, rest = url.rpartition("@")[2].partition("://")
    return f"{scheme}{separator}{rest}"
