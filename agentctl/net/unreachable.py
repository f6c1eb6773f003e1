"""The errors of services that cannot be reached: the phase that failed, and whether the request may have been sent.

One table covers the exceptions of `httpx2`; a WebSocket that fails in the same way gives the same message.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from agentctl.errors import ServiceUnavailableError
from agentctl.redaction import excerpt

from .options import HttpOptions
from .proxy import Proxy

if TYPE_CHECKING:
    import httpx2

CONNECT_FAILED = "connect_failed"
"""Code: no connection was made, so nothing was sent."""
CERTIFICATE_REFUSED = "certificate_refused"
"""Code: the service's certificate is not trusted, so nothing was sent; a retry would not help."""
NO_ANSWER = "no_answer"
"""Code: the service stopped sending data; it may have received the request."""
CONNECTION_LOST = "connection_lost"
"""Code: the connection was lost; the service may have received the request."""

CLOSED_ON_PURPOSE = "connection_closed"
"""Code: the service closed the connection for a lasting reason; a retry would not help."""
ANSWER_TOO_LARGE = "answer_too_large"
"""Code: the response exceeds a size limit; a retry would not help."""

FINAL = frozenset({CERTIFICATE_REFUSED, CLOSED_ON_PURPOSE, ANSWER_TOO_LARGE})
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
"""The code of each exception of `httpx2` that a request can raise, by class name."""


def transport_error(
    error: httpx2.RequestError, *, host: str, options: HttpOptions, proxy: Proxy | None, has_responded: bool
) -> ServiceUnavailableError:
    """Return the exception for a request that `httpx2` could not complete."""
    code = next((CODE_OF[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in CODE_OF), CONNECTION_LOST)
    if code == CONNECT_FAILED or _certificate_error(error) is not None:
        return connect_error(error, host=host, options=options, proxy=proxy)
    if code == NO_ANSWER:
        return timeout_error(host=host, options=options, proxy=proxy)
    when = "during the response" if has_responded else "before it responded"
    return ServiceUnavailableError(
        f"the connection to {host}{_via_proxy(proxy)} was lost {when}: {_reason(error, options)}; try again", code=code
    )


def connect_error(error: Exception, *, host: str, options: HttpOptions, proxy: Proxy | None) -> ServiceUnavailableError:
    """Return the exception for a connection that could not be made, whatever library raised `error`."""
    certificate_error = _certificate_error(error)
    if certificate_error is not None:
        return ServiceUnavailableError(_untrusted_message(host, str(certificate_error)), code=CERTIFICATE_REFUSED)
    return ServiceUnavailableError(
        f"cannot connect to {host}{_via_proxy(proxy)}: {_reason(error, options)}; check the network"
        f"{f', {proxy.variable}' if proxy is not None else ''} and the base URL",
        code=CONNECT_FAILED,
    )


def timeout_error(*, host: str, options: HttpOptions, proxy: Proxy | None) -> ServiceUnavailableError:
    """Return the exception for a service that sent no data for `HttpOptions.request_timeout`."""
    return ServiceUnavailableError(
        f"{host} sent no data for {options.request_timeout:g} s{_via_proxy(proxy)}; try again later, or raise the "
        "timeout with `agentctl config client --request-timeout`",
        code=NO_ANSWER,
    )


def _via_proxy(proxy: Proxy | None) -> str:
    return f" through the proxy {proxy.display_url}" if proxy is not None else ""


def _certificate_error(error: BaseException) -> BaseException | None:
    return next((cause for cause in _causes(error) if type(cause).__name__ == "SSLCertVerificationError"), None)


def _untrusted_message(host: str, error: str) -> str:
    reason = excerpt(error.rpartition("certificate verify failed:")[2].partition(" (_ssl")[0])
    return (
        f"the certificate of {host} is not trusted ({reason}); if your own authority signed it, set its PEM file with "
        "`agentctl config client --ca-file` (client.ca_file) or SSL_CERT_FILE; a minimal image may lack the package "
        "`ca-certificates`"
    )


def _reason(error: Exception, options: HttpOptions) -> str:
    if isinstance(error, TimeoutError) or type(error).__name__ == "ConnectTimeout":
        return f"no response within {options.connect_timeout:g} s"
    for cause in _causes(error):
        if type(cause).__name__ == "gaierror":
            return "the host name cannot be resolved"
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno in errno.errorcode:
            return os.strerror(cause.errno).lower()
    return excerpt(str(error)) or type(error).__name__


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
