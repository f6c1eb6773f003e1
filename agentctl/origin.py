"""Origins of URLs: scheme, host and port. A key is bound to one."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from agentctl.errors import ConfigurationError

OPENAI_BASE_URL = "https://api.openai.com/v1"
"""The base URL of OpenAI's own service."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_QUOTES = {('"', '"'), ("'", "'"), ("`", "`"), ("\u201c", "\u201d"), ("\u2018", "\u2019")}
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


def is_same_origin(url: str, other: str) -> bool:
    """Return whether two URLs have the same origin; an invalid URL has none."""
    try:
        return origin_of(url) == origin_of(other)
    except ConfigurationError:
        return False


def is_loopback(origin: str) -> bool:
    """Return whether an origin is on this machine."""
    host = urlsplit(origin).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    # 5 ms, needed only after an error or for a check.
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_base_url(url: str) -> None:
    """Raise `ConfigurationError` unless a URL can be a base URL: that of a single operation cannot.

    Raises:
        ConfigurationError: the URL is invalid, in quotes, or ends in the path of an operation.
    """
    origin_of(url)
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    for operation in ("/chat/completions", "/responses"):
        if path.endswith(operation):
            base = parts._replace(path=path.removesuffix(operation)).geturl()
            raise ConfigurationError(
                f"the base URL {url!r} ends with {operation}, which requests add themselves; leave it out: {base}"
            )


def is_quoted(text: str) -> bool:
    """Return whether a value is in quotes, as `docker --env-file` and some editors leave them."""
    stripped = text.strip()
    return len(stripped) > 1 and (stripped[0], stripped[-1]) in _QUOTES


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
    if is_quoted(shown):
        raise ConfigurationError(f"the URL {shown} is in quotes; remove them (`docker --env-file` keeps quotes)")
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
