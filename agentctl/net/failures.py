"""The table of a service's failures: the exception for each status code, error code and error event."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TypeAlias

from agentctl._dataclass import dataclass
from agentctl.errors import AuthenticationError, RequestRejectedError, ServiceError, ServiceUnavailableError
from agentctl.redaction import excerpt, redact_id

Kind: TypeAlias = type[AuthenticationError] | type[RequestRejectedError] | type[ServiceUnavailableError]

_BY_CODE: dict[str, Kind] = {
    "account_deactivated": AuthenticationError,
    "invalid_api_key": AuthenticationError,
    "billing_hard_limit_reached": RequestRejectedError,
    "billing_not_active": RequestRejectedError,
    "context_length_exceeded": RequestRejectedError,
    "insufficient_quota": RequestRejectedError,
    "invalid_prompt": RequestRejectedError,
    "model_not_found": RequestRejectedError,
    "rate_limit_exceeded": ServiceUnavailableError,
    "server_error": ServiceUnavailableError,
    "server_is_overloaded": ServiceUnavailableError,
    "slow_down": ServiceUnavailableError,
    "vector_store_timeout": ServiceUnavailableError,
    "websocket_connection_limit_reached": ServiceUnavailableError,
}

_BY_STATUS: dict[int, Kind] = {
    401: AuthenticationError,
    403: AuthenticationError,
    408: ServiceUnavailableError,
    409: ServiceUnavailableError,
    425: ServiceUnavailableError,
    429: ServiceUnavailableError,
    501: RequestRejectedError,
    505: RequestRejectedError,
}

_BY_TYPE: dict[str, Kind] = {
    "authentication_error": AuthenticationError,
    "permission_error": AuthenticationError,
    "image_generation_user_error": RequestRejectedError,
    "invalid_request_error": RequestRejectedError,
    "not_found_error": RequestRejectedError,
}

_PREDICATES: dict[Kind, str] = {
    AuthenticationError: "does not accept the key",
    RequestRejectedError: "rejected the request",
    ServiceUnavailableError: "cannot respond now",
}

_REMEDY_OF_CODE = {
    "billing_hard_limit_reached": "check the limits and billing of the account",
    "billing_not_active": "check the plan and billing of the account",
    "context_length_exceeded": "shorten the input, or use a model with a longer context",
    "insufficient_quota": "check the plan and billing of the account",
    "model_not_found": "choose another model with `-m`; `agentctl models list` shows the available ones",
}

_REMEDY_OF_STATUS = {
    401: "store another with `agentctl config set-key`, or set OPENAI_API_KEY",
    403: "check what the key, its project and its region allow",
    407: "set the proxy's user name and password in HTTPS_PROXY or HTTP_PROXY",
    413: "shorten the input",
    501: "the endpoint does not have this function: check client.base_url and `--api`",
    511: "sign in to the network, in a browser",
}

_REMEDY: dict[Kind, str] = {
    AuthenticationError: "store another with `agentctl config set-key`, or set OPENAI_API_KEY",
    RequestRejectedError: "the same request would be rejected again",
    ServiceUnavailableError: "try again later",
}


_MAX_DIGITS = 20
"""The longest number of a `retry-after` header; a longer one is ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failure as the service describes it, in whatever format."""

    message: str = ""
    status: int | None = None
    code: str | None = None
    type: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    """Seconds."""


def response_error(
    status: int, headers: Mapping[str, str], body: bytes, *, url: str, service: str, model: str | None = None
) -> ServiceError:
    """Return the exception for an HTTP response that is not a success; `headers` must look up names in lower case."""
    content = _json_or_text(body)
    failure = _parse(content, status=status, headers=headers)
    shown_url = url.partition("?")[0]
    if status == 400 and b"HTTP request" in body and b"HTTPS" in body:
        message = (
            f"{service} speaks TLS, but the base URL begins with http:// (400); change it to https:// "
            "(`agentctl config client --base-url`, OPENAI_BASE_URL)"
        )
        return RequestRejectedError(message, status=status, request_id=failure.request_id)
    if 300 <= status < 400:
        message = (
            f"{service} redirects {shown_url} to {_origin(headers.get('location', ''))} ({status}), and "
            "redirects are not followed with a key: if you trust the new address, set it as the base URL "
            "(`agentctl config client --base-url`)"
        )
        return RequestRejectedError(message, status=status, request_id=failure.request_id)
    if status == 404 and not (isinstance(content, dict) and content.get("error")):
        message = (
            f"there is nothing at {shown_url} (404): the endpoint may not support this API, or its "
            "base URL is wrong (`agentctl config client --base-url`, OPENAI_BASE_URL)"
        )
        return RequestRejectedError(message, status=status, request_id=failure.request_id)
    return service_error(failure, service=service, model=model if status == 404 else None)


def event_error(event: Mapping[str, object], *, service: str = "the service") -> ServiceError:
    """Return the exception for an `error`, `response.error` or `response.failed` event, in any known shape."""
    response = event.get("response")
    body = response if isinstance(response, dict) and response.get("error") else event
    status = event.get("status", event.get("status_code"))
    nested = body.get("error")
    headers = nested.get("headers") if isinstance(nested, dict) else event.get("headers")
    return service_error(
        _parse(
            body,
            status=status if isinstance(status, int) else None,
            headers={str(name).lower(): str(value) for name, value in headers.items()}
            if isinstance(headers, dict)
            else {},
        ),
        service=service,
    )


def service_error(failure: Failure, *, service: str, model: str | None = None) -> ServiceError:
    """Return the exception for a failure, with a remedy in its message; `model` is named if it is the cause."""
    kind = _kind(failure)
    details = ", ".join(str(part) for part in (failure.status, failure.code or failure.type) if part is not None)
    text = excerpt(failure.message, 500).rstrip(".")
    about = f" for the model {model!r}" if model is not None else ""
    message = f"{service} {_PREDICATES[kind]}{about}"
    message += f" ({details})" if details else ""
    message += f": {text}" if text else ""
    return kind(
        f"{message}; {_remedy(failure, kind, model)}",
        status=failure.status,
        code=failure.code,
        request_id=failure.request_id,
        retry_after=failure.retry_after,
    )


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Return the requested delay in seconds: `retry-after-ms`, or `retry-after` in seconds or as a date.

    A date is compared with that of the response, since the clocks may differ.
    """
    value, unit = headers.get("retry-after", "").strip(), 1.0
    if "retry-after-ms" in headers:
        value, unit = headers["retry-after-ms"].strip(), 0.001
    if len(value) <= _MAX_DIGITS and value.replace(".", "", 1).isdecimal():
        return float(value) * unit
    if (at := _timestamp(value)) is None:
        return None
    sent = _timestamp(headers.get("date", ""))
    return max(0.0, at - (sent or (time.time() if now is None else now)))


def _timestamp(date: str) -> float | None:
    if not date.endswith("GMT"):
        return None
    # 19 ms, only for a service that sends a date.
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


def _kind(failure: Failure) -> Kind:
    if failure.code in _BY_CODE:
        return _BY_CODE[failure.code]
    if failure.status is not None and failure.status >= 400:
        return _BY_STATUS.get(failure.status, RequestRejectedError if failure.status < 500 else ServiceUnavailableError)
    if failure.type in _BY_TYPE:
        return _BY_TYPE[failure.type]
    # The list of codes for bad requests is long and grows: `invalid_image_format`, `image_too_large`, `unsupported_…`.
    code = failure.code or ""
    is_request = code.startswith(("invalid_", "unsupported_")) or "image" in code
    return RequestRejectedError if is_request else ServiceUnavailableError


def _remedy(failure: Failure, kind: Kind, model: str | None) -> str:
    if kind is ServiceUnavailableError and failure.retry_after:
        return f"try again in {failure.retry_after:.0f} s, as it requests" if failure.retry_after >= 1 else "try again"
    if failure.code in _REMEDY_OF_CODE:
        return _REMEDY_OF_CODE[failure.code]
    if model is not None:
        return _REMEDY_OF_CODE["model_not_found"]
    return _REMEDY_OF_STATUS.get(failure.status or 0, _REMEDY[kind])


def _json_or_text(body: bytes) -> object:
    # Some services send an error as an event, whatever its status.
    text = body.decode("utf-8", "replace").strip().removeprefix("data:")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return "" if text.lstrip().startswith("<") else text  # An HTML page does not help in a message.


def _parse(body: object, *, status: int | None, headers: Mapping[str, str]) -> Failure:
    """Parse an error body: `{"error": {…}}`, `{"error": "…"}`, flat, `{"detail": …}` or text."""
    fields = body if isinstance(body, dict) else {"message": body if isinstance(body, str) else ""}
    nested = fields.get("error")
    if isinstance(nested, dict):
        fields = nested
    elif isinstance(nested, str):
        fields = {**fields, "message": nested}
    code, kind = (None if value == "None" else value for value in (fields.get("code"), fields.get("type")))
    text = fields.get("message") or fields.get("detail") or ""
    if isinstance(code, int) and status is None and 400 <= code < 600:
        status = code
    return Failure(
        message=text if isinstance(text, str) else json.dumps(text),
        status=status,
        code=excerpt(str(code)) if isinstance(code, str | int) and str(code) != str(status) else None,
        type=excerpt(kind)
        if isinstance(kind, str) and kind not in ("error", "response.error", "response.failed")
        else None,
        request_id=_request_id(headers),
        retry_after=retry_after(headers),
    )


def _request_id(headers: Mapping[str, str]) -> str | None:
    request_id = headers.get("x-request-id")
    return None if request_id is None else excerpt(redact_id(request_id))


def _origin(location: str) -> str:
    if not location:
        return "no address"
    scheme, separator, rest = location.partition("://")
    host = rest.partition("/")[0].partition("?")[0].rpartition("@")[2]
    return excerpt(f"{scheme}://{host}") if separator else "another path"
