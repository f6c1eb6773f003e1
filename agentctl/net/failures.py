"""The one table of what a service says when it fails: a status or an error event in, an exception of ours out."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TypeAlias

from agentctl._dataclass import dataclass
from agentctl.errors import AuthenticationError, RequestRejectedError, ServiceError, ServiceUnavailableError
from agentctl.redaction import excerpt

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
}

_BY_STATUS: dict[int, Kind] = {
    401: AuthenticationError,
    403: AuthenticationError,
    408: ServiceUnavailableError,
    409: ServiceUnavailableError,
    425: ServiceUnavailableError,
    429: ServiceUnavailableError,
}

_BY_TYPE: dict[str, Kind] = {
    "authentication_error": AuthenticationError,
    "permission_error": AuthenticationError,
    "image_generation_user_error": RequestRejectedError,
    "invalid_request_error": RequestRejectedError,
    "not_found_error": RequestRejectedError,
}

_SAYS: dict[Kind, str] = {
    AuthenticationError: "does not accept the key",
    RequestRejectedError: "refused the request",
    ServiceUnavailableError: "cannot answer now",
}

_REMEDY_OF_CODE = {
    "billing_hard_limit_reached": "see the limits and billing of the account",
    "billing_not_active": "see the plan and billing of the account",
    "context_length_exceeded": "send less, or take a model with a longer context",
    "insufficient_quota": "see the plan and billing of the account",
    "model_not_found": "name another model with `-m`, or see what there is with `agentctl models list`",
}

_REMEDY_OF_STATUS = {
    401: "store another with `agentctl config set-key`, or set OPENAI_API_KEY",
    403: "see what the key, its project and its region may do",
    407: "give the proxy's user name and password in HTTPS_PROXY or HTTP_PROXY",
    413: "send less",
}

_REMEDY: dict[Kind, str] = {
    AuthenticationError: "store another with `agentctl config set-key`, or set OPENAI_API_KEY",
    RequestRejectedError: "the same request would be refused again",
    ServiceUnavailableError: "try again later",
}


_LONGEST_NUMBER = 20
"""Digits of a wait that is read; what is longer is no wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a service said of a failure, whichever way it came."""

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
    """Return the exception for an HTTP answer that is no success; `headers` are found by their names in lower case."""
    content = _json_or_text(body)
    said = _parse(content, status=status, headers=headers)
    shown_url = url.partition("?")[0]
    if 300 <= status < 400:
        message = (
            f"{service} redirects {shown_url} to {_origin(headers.get('location', ''))} ({status}), and a "
            "key is not carried elsewhere: set the base URL to a place you trust (`agentctl config client --base-url`)"
        )
        return RequestRejectedError(message, status=status, request_id=said.request_id)
    if status == 404 and not (isinstance(content, dict) and content.get("error")):
        message = (
            f"there is nothing at {shown_url} (404): the endpoint may not speak this API, or its "
            "base URL is wrong (`agentctl config client --base-url`, OPENAI_BASE_URL)"
        )
        return RequestRejectedError(message, status=status, request_id=said.request_id)
    return service_error(said, service=service, model=model if status == 404 else None)


def event_error(event: Mapping[str, object], *, service: str = "the service") -> ServiceError:
    """Return the exception for an `error`, `response.error` or `response.failed` event, in any of the shapes seen."""
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


def service_error(said: Failure, *, service: str, model: str | None = None) -> ServiceError:
    """Return the exception for a failure, its message with a next step; `model` is named where it is to blame."""
    kind = _kind(said)
    marks = ", ".join(str(mark) for mark in (said.status, said.code or said.type) if mark is not None)
    text = excerpt(said.message, 500).rstrip(".")
    about = f" for the model {model!r}" if model is not None else ""
    message = f"{service} {_SAYS[kind]}{about}"
    message += f" ({marks})" if marks else ""
    message += f": {text}" if text else ""
    return kind(
        f"{message}; {_remedy(said, kind, model)}",
        status=said.status,
        code=said.code,
        request_id=said.request_id,
        retry_after=said.retry_after,
    )


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Return the seconds that a service asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a date."""
    value, unit = headers.get("retry-after", "").strip(), 1.0
    if "retry-after-ms" in headers:
        value, unit = headers["retry-after-ms"].strip(), 0.001
    if len(value) <= _LONGEST_NUMBER and value.replace(".", "", 1).isdecimal():
        return float(value) * unit
    if not value.endswith("GMT"):
        return None
    # 19 ms: imported for a service that sends a date.
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - (time.time() if now is None else now))
    except ValueError:
        return None


def _kind(said: Failure) -> Kind:
    if said.code in _BY_CODE:
        return _BY_CODE[said.code]
    if said.status is not None and said.status >= 400:
        return _BY_STATUS.get(said.status, RequestRejectedError if said.status < 500 else ServiceUnavailableError)
    if said.type in _BY_TYPE:
        return _BY_TYPE[said.type]
    # The codes of a bad request are many and grow: `invalid_image_format`, `image_too_large`, `unsupported_…`.
    code = said.code or ""
    is_request = code.startswith(("invalid_", "unsupported_")) or "image" in code
    return RequestRejectedError if is_request else ServiceUnavailableError


def _remedy(said: Failure, kind: Kind, model: str | None) -> str:
    if kind is ServiceUnavailableError and said.retry_after:
        return f"try again in {said.retry_after:.0f} s, as it asks" if said.retry_after >= 1 else "try again"
    if said.code in _REMEDY_OF_CODE:
        return _REMEDY_OF_CODE[said.code]
    if model is not None:
        return _REMEDY_OF_CODE["model_not_found"]
    return _REMEDY_OF_STATUS.get(said.status or 0, _REMEDY[kind])


def _json_or_text(body: bytes) -> object:
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return "" if text.lstrip().startswith("<") else text  # A page of HTML says nothing to anybody.


def _parse(body: object, *, status: int | None, headers: Mapping[str, str]) -> Failure:
    """Read an error body: `{"error": {…}}`, `{"error": "…"}`, flat, `{"detail": …}` or text."""
    fields = body if isinstance(body, dict) else {"message": body if isinstance(body, str) else ""}
    nested = fields.get("error")
    if isinstance(nested, dict):
        fields = nested
    elif isinstance(nested, str):
        fields = {**fields, "message": nested}
    code, kind = fields.get("code"), fields.get("type")
    text = fields.get("message") or fields.get("detail") or ""
    if isinstance(code, int) and status is None and 400 <= code < 600:
        status = code
    return Failure(
        message=text if isinstance(text, str) else json.dumps(text),
        status=status,
        code=str(code) if isinstance(code, str | int) and str(code) != str(status) else None,
        type=kind if isinstance(kind, str) and kind not in ("error", "response.error", "response.failed") else None,
        request_id=headers.get("x-request-id"),
        retry_after=retry_after(headers),
    )


def _origin(location: str) -> str:
    scheme, separator, rest = location.partition("://")
    host = rest.partition("/")[0].partition("?")[0].rpartition("@")[2]
    return excerpt(f"{scheme}://{host}") if separator else "another place of its own"
