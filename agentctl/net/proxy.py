"""The proxy for a service, from the environment, for every transport."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError
from agentctl.packages import install_command
from agentctl.redaction import register_secret

SCHEMES = ("http", "https", "socks5", "socks5h")
"""The supported kinds of proxy; the SOCKS kinds need an additional package."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy, and the variable that names it."""

    url: str = field(repr=False)
    """The URL, with the user name and password if there are any."""
    variable: str

    @property
    def scheme(self) -> str:
        """One of `SCHEMES`."""
        return urlsplit(self.url).scheme

    @property
    def display_url(self) -> str:
        """The URL without user name and password, for messages."""
        return f"{self.scheme}://{self.url.partition('://')[2].rpartition('@')[2]}"


def proxy_for(url: str, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy for a URL: HTTPS_PROXY or HTTP_PROXY, else ALL_PROXY, unless NO_PROXY names the host.

    The lower-case name of a variable comes before the upper-case one. HTTP_PROXY in capitals is not read in a CGI
    program, where a request's `Proxy` header could set it.

    Raises:
        ConfigurationError: the variable is not the URL of a proxy.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    for name in (f"{parts.scheme}_proxy", "all_proxy"):
        variable, value = _variable(name, environ)
        if value:
            return None if _is_exempt(host, port, _variable("no_proxy", environ)[1]) else _proxy(variable, value)
    return None


def socks_error(proxy: Proxy | None) -> ConfigurationError:
    """Return the exception for a SOCKS proxy without the packages for it."""
    return ConfigurationError(
        "a SOCKS proxy needs packages that are not installed: "
        + install_command("httpx2[socks]", "python-socks[asyncio]"),
        key=None if proxy is None else proxy.variable,
    )


def _variable(name: str, environ: Mapping[str, str]) -> tuple[str, str]:
    upper = name.upper()
    if environ.get(name) or (upper == "HTTP_PROXY" and "REQUEST_METHOD" in environ):
        return name, environ.get(name, "").strip()
    return upper, environ.get(upper, "").strip()


def _proxy(variable: str, value: str) -> Proxy:
    url = value if "://" in value else f"http://{value}"
    _register_userinfo(url)
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in SCHEMES and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        is_valid = False
    scheme = url.partition("://")[0].lower()
    if scheme.startswith("socks") and scheme not in SCHEMES:
        raise ConfigurationError(
            f"{scheme}:// is not a supported kind of proxy; write socks5:// or socks5h:// if the proxy speaks SOCKS 5",
            key=variable,
        )
    if not is_valid:
        raise ConfigurationError(
            f"not the URL of a proxy: expected {', '.join(SCHEMES)} and a host, such as http://proxy.example:3128",
            key=variable,
        )
    return Proxy(url=url, variable=variable)


def _register_userinfo(url: str) -> None:
    userinfo, at, _ = url.partition("://")[2].rpartition("@")
    if not at:
        return
    user, _, password = userinfo.partition(":")
    # A user name with a password is not a secret, and often an ordinary word.
    for secret in (userinfo, unquote(userinfo), password or user, unquote(password or user)):
        register_secret(secret)


def _is_exempt(host: str, port: int | None, no_proxy: str) -> bool:
    return any(_matches(host, port, entry.strip().lower()) for entry in no_proxy.replace(" ", ",").split(","))


def _matches(host: str, port: int | None, entry: str) -> bool:
    if not entry:
        return False
    if entry == "*":
        return True
    try:
        return ip_address(host) in ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass  # A host name, compared as text.
    name, _, its_port = entry.rpartition(":") if entry.rpartition(":")[2].isdigit() else (entry, "", "")
    name = name.removeprefix("*").removeprefix(".").strip("[]")
    if its_port and int(its_port) != port:
        return False
    return host == name or host.endswith(f".{name}")
