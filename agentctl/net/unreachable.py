"""The errors of services that cannot be reached: the phase that failed, and whether the request may have been sent.

One table covers the exceptions of `httpcore2` and `httpx2`; a WebSocket that fails in the same way gives the same
message.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator

from agentctl.errors import RequestRejectedError, ServiceError, ServiceUnavailableError
from agentctl.redaction import excerpt

from .options import MIB, HttpOptions
from .proxy import Proxy

CONNECT_FAILED = "connect_failed"
"""Code: no connection was made, so nothing was sent."""
CERTIFICATE_REFUSED = "certificate_refused"
"""Code: the service's certificate is not trusted, so nothing was sent; a retry would not help."""
WRONG_SCHEME = "wrong_scheme"
"""Code: the port speaks TLS and the URL is http, or the other way round; a retry would not help."""
PROXY_REFUSED = "proxy_refused"
"""Code: the proxy does not accept the credentials, so nothing was sent; a retry would not help."""
NO_ANSWER = "no_answer"
"""Code: the service stopped sending data; it may have received the request."""
CONNECTION_LOST = "connection_lost"
"""Code: the connection was lost; the service may have received the request."""

CLOSED_ON_PURPOSE = "connection_closed"
"""Code: the service closed the connection for a lasting reason; a retry would not help."""
CLOSED_BY_US = "closed_by_program"
"""Code: this program closed the connection."""
ANSWER_TOO_LARGE = "answer_too_large"
"""Code: the response exceeds a size limit; a retry would not help."""

FINAL = frozenset({CERTIFICATE_REFUSED, WRONG_SCHEME, PROXY_REFUSED, CLOSED_ON_PURPOSE, CLOSED_BY_US, ANSWER_TOO_LARGE})
"""The codes after which a retry would not help."""

CODE_OF = {
    "ConnectError": CONNECT_FAILED,
    "ConnectTimeout": CONNECT_FAILED,
    "PoolTimeout": CONNECT_FAILED,
    "ProxyError": CONNECT_FAILED,
    "UnsupportedProtocol": CONNECT_FAILED,
    "ReadTimeout": NO_ANSWER,
    "WriteTimeout": NO_ANSWER,
    "TimeoutException": NO_ANSWER,
    "ReadError": CONNECTION_LOST,
    "WriteError": CONNECTION_LOST,
    "CloseError": CONNECTION_LOST,
    "NetworkError": CONNECTION_LOST,
    "LocalProtocolError": CONNECTION_LOST,
    "RemoteProtocolError": CONNECTION_LOST,
    "ProtocolError": CONNECTION_LOST,
    "SSEError": CONNECTION_LOST,
    "TransportError": CONNECTION_LOST,
    "DecodingError": CONNECTION_LOST,
    "TooManyRedirects": CONNECTION_LOST,
    "RequestError": CONNECTION_LOST,
}
"""The code of each exception of `httpcore2` and `httpx2` that a request can raise, by class name."""
_LIBRARIES = frozenset({"httpcore2", "httpx2"})


_PLAIN_PORT = frozenset(
    {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "UNKNOWN_PROTOCOL", "HTTP_REQUEST"}
)
"""The reasons with which OpenSSL rejects an answer that is not TLS."""
_TLS_ALERT = re.compile(r"\\x15\\x03|a TLS alert|illegal request line")
"""The descriptions of an answer that begins with a control character, as a TLS alert does."""
_CREDENTIALS_REFUSED = re.compile(
    r"^407|invalid username/password|password authentication failure|no acceptable (authentication )?methods", re.I
)
"""The descriptions of a proxy that does not accept the credentials; the packages for SOCKS have no code for it."""
_NO_BYTES = ("disconnected without sending a response", "closed without a response")


def is_transport_error(error: Exception) -> bool:
    """Return whether an exception is one of these."""
    kind = type(error)
    return kind.__module__.partition(".")[0] in _LIBRARIES and any(base.__name__ in CODE_OF for base in kind.__mro__)


def transport_error(
    error: Exception,
    *,
    host: str,
    options: HttpOptions,
    proxy: Proxy | None,
    has_responded: bool,
    scheme: str = "https",
) -> ServiceError:
    """Return the exception for a request to a URL of `scheme` that could not be completed."""
    code = next((CODE_OF[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in CODE_OF), CONNECTION_LOST)
    if code == CONNECT_FAILED or _tls_error(error) is not None:
        return connect_error(error, host=host, options=options, proxy=proxy, scheme=scheme)
    if code == NO_ANSWER:
        return timeout_error(host=host, options=options, proxy=proxy)
    if not has_responded and _speaks_tls(error, scheme, proxy):
        return wrong_scheme_error(host, "http", proxy)
    when = "during the response" if has_responded else "before it responded"
    return ServiceUnavailableError(
        f"the connection to {host}{_via_proxy(proxy)} was lost {when}: {_reason(error, options, scheme)}; try again",
        code=code,
    )


def connect_error(
    error: Exception,
    *,
    host: str,
    options: HttpOptions,
    proxy: Proxy | None,
    scheme: str = "https",
    status: int | None = None,
) -> ServiceError:
    """Return the exception for a connection that could not be made, whatever library raised `error`.

    `status` is that of a proxy's response.
    """
    if proxy is not None and (status == 407 or (status is None and _CREDENTIALS_REFUSED.search(str(error)))):
        return proxy_refusal(proxy, host=host)
    tls_error = _tls_error(error)
    if tls_error is not None and type(tls_error).__name__ == "SSLCertVerificationError":
        return RequestRejectedError(_untrusted_message(host, tls_error, proxy), code=CERTIFICATE_REFUSED)
    if getattr(tls_error, "reason", None) in _PLAIN_PORT:
        return wrong_scheme_error(host, "https", proxy)
    if _speaks_tls(error, scheme, proxy):
        return wrong_scheme_error(host, "http", proxy)
    return ServiceUnavailableError(
        f"cannot connect to {host}{_via_proxy(proxy)}: "
        f"{_reason(error, options, scheme, has_port=proxy is None and ':' in host)}; check the network"
        f"{f', {proxy.variable}' if proxy is not None else ''} and the base URL",
        code=CONNECT_FAILED,
    )


def proxy_refusal(proxy: Proxy, *, host: str) -> RequestRejectedError:
    """Return the exception for a proxy that does not accept the credentials; over HTTP it says 407."""
    given = "the credentials" if "@" in proxy.url else "a connection without credentials"
    is_http = proxy.scheme in ("http", "https")
    return RequestRejectedError(
        f"the proxy {proxy.display_url} does not accept {given} on the way to {host}{' (407)' if is_http else ''}; set "
        f"its user name and password in {proxy.variable}: {proxy.scheme}://USER:PASSWORD@HOST:PORT",
        status=407 if is_http else None,
        code=PROXY_REFUSED,
    )


def _speaks_tls(error: Exception, scheme: str, proxy: Proxy | None) -> bool:
    """Return whether the other side, which is the proxy if there is one, answered plain text with a TLS alert."""
    return (scheme if proxy is None else proxy.scheme) == "http" and _TLS_ALERT.search(str(error)) is not None


def wrong_scheme_error(host: str, scheme: str, proxy: Proxy | None) -> RequestRejectedError:
    """Return the exception for a URL of `scheme` where the other side speaks TLS, or none: the service, or the proxy.

    `proxy` is None if the connection through it was made.
    """
    speaks, other = ("TLS", "https") if scheme == "http" else ("no TLS", "http")
    if proxy is not None and proxy.scheme == scheme:
        # Few services have the wrong scheme, and many proxies for https are taken for https proxies.
        return RequestRejectedError(
            f"{proxy.variable} begins with {scheme}://, but the proxy {proxy.display_url} speaks {speaks}; change it "
            f"to {other}://",
            code=WRONG_SCHEME,
        )
    return RequestRejectedError(
        f"the base URL begins with {scheme}://, but {host} speaks {speaks}; change it to {other}:// "
        "(`agentctl config client --base-url`, OPENAI_BASE_URL)",
        code=WRONG_SCHEME,
    )


def timeout_error(*, host: str, options: HttpOptions, proxy: Proxy | None) -> ServiceUnavailableError:
    """Return the exception for a service that sent no data for `HttpOptions.request_timeout`."""
    return ServiceUnavailableError(
        f"{host} sent no data for {options.request_timeout:g} s{_via_proxy(proxy)}; try again later, or raise the "
        "timeout with `agentctl config client --request-timeout`",
        code=NO_ANSWER,
    )


def too_large_error(host: str, size: int) -> ServiceUnavailableError:
    """Return the exception for an event or a response of more than `size` bytes."""
    return ServiceUnavailableError(
        f"{host} sent an event longer than {size / MIB:g} MiB; raise client.max_event_size "
        "(`agentctl config client --max-event-size`; in code, `HttpOptions.max_event`)",
        code=ANSWER_TOO_LARGE,
    )


def _via_proxy(proxy: Proxy | None) -> str:
    return f" through the proxy {proxy.display_url}" if proxy is not None else ""


def _tls_error(error: BaseException) -> BaseException | None:
    """Return the error of the TLS handshake among the causes, that of a certificate first."""
    kinds = ("SSLCertVerificationError", "SSLError")
    return next((cause for kind in kinds for cause in _causes(error) if _is_kind(cause, kind)), None)


def _is_kind(error: BaseException, name: str) -> bool:
    # `ssl` takes 14 ms, and a request over plain http does not import it.
    return any(kind.__name__ == name for kind in type(error).__mro__)


_EXPIRED, _NOT_YET_VALID = 10, 9
_WRONG_HOST, _WRONG_ADDRESS = 62, 64
"""Codes with which OpenSSL rejects a certificate."""


def _untrusted_message(host: str, error: BaseException, proxy: Proxy | None) -> str:
    subject = f"the certificate of {host}"
    if proxy is not None and proxy.scheme == "https":
        subject += f", or of the proxy {proxy.display_url},"
    reason = excerpt(str(error).rpartition("certificate verify failed:")[2].partition(" (_ssl")[0]).strip()
    code = getattr(error, "verify_code", None)
    if code in (_EXPIRED, _NOT_YET_VALID):
        return (
            f"{subject} is not valid at this time ({reason}); check the clock of this machine, or have "
            "the service renew its certificate"
        )
    if code in (_WRONG_HOST, _WRONG_ADDRESS):
        return (
            f"{subject} is for another host ({reason}); check the host in the base URL "
            "(`agentctl config client --base-url`, OPENAI_BASE_URL)"
        )
    return (
        f"{subject} is not trusted ({reason}); if your own authority signed it, set its PEM file with "
        "`agentctl config client --ca-file` (client.ca_file) or SSL_CERT_FILE; a minimal image may lack the package "
        "`ca-certificates`"
    )


def _reason(error: Exception, options: HttpOptions, scheme: str, *, has_port: bool = False) -> str:
    if isinstance(error, TimeoutError) or type(error).__name__ == "ConnectTimeout":
        hint = ", which may be a port that speaks plain http" if scheme == "https" and has_port else ""
        return f"no response within {options.connect_timeout:g} s{hint}"
    if (tls_error := _tls_error(error)) is not None:
        # An `SSLError` is an `OSError` whose number is OpenSSL's: 1 is not EPERM.
        reason = (getattr(tls_error, "reason", None) or "closed by the other side").replace("_", " ").lower()
        return f"the TLS handshake failed ({excerpt(reason)}), as it does where a port speaks plain http"
    for cause in _causes(error):
        if type(cause).__name__ == "gaierror":
            return "the host name cannot be resolved"
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno in errno.errorcode:
            return os.strerror(cause.errno).lower()
    text = excerpt(str(error)).rstrip(".") or type(error).__name__
    if scheme == "http" and any(words in text for words in _NO_BYTES):
        return f"{text} (as a port that expects https does)"
    return text


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop(0)
        if cause is None or any(cause is known for known in seen):
            continue
        seen.append(cause)
        yield cause
        waiting += [cause.__cause__, cause.__context__]
        if isinstance(cause, BaseExceptionGroup):
            waiting += cause.exceptions
