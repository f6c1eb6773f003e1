"""Why a service cannot be reached: which phase failed, whether the request may have been sent, and the words.

One table for what `httpx2` raises; what fails in the same way on a WebSocket is said in the same words.
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
"""Code: no connection, so nothing was sent."""
CERTIFICATE_REFUSED = "certificate_refused"
"""Code: the service's certificate is not trusted; nothing was sent, and trying again changes nothing."""
NO_ANSWER = "no_answer"
"""Code: the service fell silent; it may have got the request."""
CONNECTION_LOST = "connection_lost"
"""Code: the connection broke; the service may have got the request."""

CLOSED_ON_PURPOSE = "connection_closed"
"""Code: the service closed the connection for a reason that stays, so trying again changes nothing."""
ANSWER_TOO_LARGE = "answer_too_large"
"""Code: more came than we keep; trying again changes nothing."""

FINAL = frozenset({CERTIFICATE_REFUSED, CLOSED_ON_PURPOSE, ANSWER_TOO_LARGE})
"""The codes after which trying again changes nothing."""

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
"""The code of each exception of `httpx2` that a request can raise, by the name of its class."""


def transport_error(
    error: httpx2.RequestError, *, host: str, options: HttpOptions, proxy: Proxy | None, has_answered: bool
) -> ServiceUnavailableError:
    """Return the exception for a request that `httpx2` could not bring to its end."""
    code = next((CODE_OF[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in CODE_OF), CONNECTION_LOST)
    if code == CONNECT_FAILED or _untrusted_certificate(error) is not None:
        return connect_error(error, host=host, options=options, proxy=proxy)
    if code == NO_ANSWER:
        return silence_error(host=host, options=options, proxy=proxy)
    when = "in the middle of the answer" if has_answered else "before it answered"
    return ServiceUnavailableError(
        f"the connection to {host}{_via_proxy(proxy)} broke {when}: {_reason(error, options)}; try again", code=code
    )


def connect_error(error: Exception, *, host: str, options: HttpOptions, proxy: Proxy | None) -> ServiceUnavailableError:
    """Return the exception for a connection that could not be made, whatever raised `error`."""
    refused = _untrusted_certificate(error)
    if refused is not None:
        return ServiceUnavailableError(_untrusted_message(host, str(refused)), code=CERTIFICATE_REFUSED)
    return ServiceUnavailableError(
        f"cannot connect to {host}{_via_proxy(proxy)}: {_reason(error, options)}; check the network"
        f"{f', {proxy.variable}' if proxy is not None else ''} and the base URL",
        code=CONNECT_FAILED,
    )


def silence_error(*, host: str, options: HttpOptions, proxy: Proxy | None) -> ServiceUnavailableError:
    """Return the exception for a service that fell silent for longer than `HttpOptions.request_timeout`."""
    return ServiceUnavailableError(
        f"{host} fell silent for {options.request_timeout:g} s{_via_proxy(proxy)}; try again later, or wait longer with "
        "`agentctl config client --request-timeout`",
        code=NO_ANSWER,
    )


def _via_proxy(proxy: Proxy | None) -> str:
    return f" through the proxy {proxy.shown}" if proxy is not None else ""


def _untrusted_certificate(error: BaseException) -> BaseException | None:
    return next((cause for cause in _causes(error) if type(cause).__name__ == "SSLCertVerificationError"), None)


def _untrusted_message(host: str, said: str) -> str:
    reason = excerpt(said.rpartition("certificate verify failed:")[2].partition(" (_ssl")[0])
    return (
        f"the certificate of {host} is not trusted ({reason}); if an authority of yours signed it, name its PEM file "
        "with `agentctl config client --ca-file` (client.ca_file) or SSL_CERT_FILE; a slim image may lack the package "
        "`ca-certificates`"
    )


def _reason(error: Exception, options: HttpOptions) -> str:
    if isinstance(error, TimeoutError) or type(error).__name__ == "ConnectTimeout":
        return f"no answer within {options.connect_timeout:g} s"
    for cause in _causes(error):
        if type(cause).__name__ == "gaierror":
            return "its name cannot be resolved"
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
