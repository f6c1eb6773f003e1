"""The process-wide defaults: the settings of providers that were given none, and the key for trace export."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError
from agentctl.origin import OPENAI_BASE_URL, origin_of
from agentctl.redaction import register_secret

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OpenAIAPI: TypeAlias = Literal["chat_completions", "responses"]
"""The API of a provider's models."""

ResponsesTransport: TypeAlias = Literal["http", "websocket"]
"""The transport of the Responses API."""

_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """All process-wide defaults at one moment."""

    openai_key: str | None = field(default=None, repr=False)
    """A key used instead of OPENAI_API_KEY, for the same origins."""
    openai_client: AsyncOpenAI | None = field(default=None, repr=False)
    openai_api: OpenAIAPI = "responses"
    responses_transport: ResponsesTransport = "http"
    tracing_key: str | None = field(default=None, repr=False)
    """The key for trace export, if one was set for it."""
    ca_file: Path | None = None
    """A PEM file of authorities that the clients of other libraries trust, in addition to the system's."""


_defaults = Defaults()


def get_defaults() -> Defaults:
    """Return the current defaults."""
    return _defaults


def restore_defaults(defaults: Defaults) -> None:
    """Replace all defaults by an earlier copy of them."""
    global _defaults
    with _lock:
        _defaults = defaults


def set_default_openai_key(key: str, use_for_tracing: bool = True) -> None:
    """Use `key` instead of OPENAI_API_KEY, and for trace export unless `use_for_tracing` is false.

    Like OPENAI_API_KEY, it applies to OpenAI's own origin and that of OPENAI_BASE_URL; any other endpoint needs a
    key of its own.
    """
    register_secret(key)
    _change(openai_key=key)
    if use_for_tracing:
        set_tracing_export_api_key(key)


def set_default_ca_file(file: Path | None) -> None:
    """Have the clients of other libraries trust the authorities in a PEM file."""
    _change(ca_file=file)


def set_default_openai_client(client: AsyncOpenAI, use_for_tracing: bool = True) -> None:
    """Use `client` for the models of every provider without an endpoint, key or client of its own.

    Its key is used for trace export too, unless `use_for_tracing` is false, the client belongs to another service than
    OpenAI, or it fetches its key for each request.
    """
    key = getattr(client, "api_key", None)  # A stand-in for a client may have neither key nor URL.
    base_url = str(getattr(client, "base_url", ""))
    key = key if isinstance(key, str) else None
    register_secret(key)
    _change(openai_client=client)
    if use_for_tracing and key and _is_same_service(base_url, OPENAI_BASE_URL):
        set_tracing_export_api_key(key)


def set_default_openai_api(api: OpenAIAPI) -> None:
    """Set the API of providers without one of their own; the initial default is `responses`.

    Raises:
        ValueError: there is no such API.
    """
    _check("OpenAI API", api, get_args(OpenAIAPI))
    _change(openai_api=api)


def set_default_openai_responses_transport(transport: ResponsesTransport) -> None:
    """Set the transport of providers without one of their own; the initial default is `http`.

    Raises:
        ValueError: there is no such transport.
    """
    _check("OpenAI Responses transport", transport, get_args(ResponsesTransport))
    _change(responses_transport=transport)


def set_tracing_export_api_key(api_key: str) -> None:
    """Export traces with this key."""
    register_secret(api_key)
    _change(tracing_key=api_key)


def tracing_export_key(url: str, environ: Mapping[str, str]) -> str | None:
    """Return the key for trace export to `url`: the one set for it, else OPENAI_API_KEY.

    The latter is sent only to the service of OPENAI_BASE_URL, or to OpenAI if that is not set.
    """
    if _defaults.tracing_key:
        return _defaults.tracing_key
    key = environ.get("OPENAI_API_KEY", "").strip()
    if not key or not _is_same_service(environ.get("OPENAI_BASE_URL", "").strip() or OPENAI_BASE_URL, url):
        return None
    register_secret(key)
    return key


def _is_same_service(url: str, other: str) -> bool:
    try:
        return origin_of(url) == origin_of(other)
    except ConfigurationError:
        return False


def _check(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"the default {name} must be one of {', '.join(map(repr, allowed))}, not {value!r}")


def _change(**changes: object) -> None:
    global _defaults
    with _lock:
        _defaults = replace(_defaults, **changes)  # type: ignore[arg-type]  # each caller names a field of its type
