"""The process-wide defaults: what a provider takes where nobody told it better, and the key that traces go out with."""

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
"""The API that a provider's models speak."""

ResponsesTransport: TypeAlias = Literal["http", "websocket"]
"""How the Responses API is reached."""

_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """All process-wide defaults at one moment."""

    openai_key: str | None = field(default=None, repr=False)
    """Used instead of OPENAI_API_KEY, for the same origins."""
    openai_client: AsyncOpenAI | None = field(default=None, repr=False)
    openai_api: OpenAIAPI = "responses"
    responses_transport: ResponsesTransport = "http"
    tracing_key: str | None = field(default=None, repr=False)
    """What traces are exported with, where that was said."""
    ca_file: Path | None = None
    """A PEM file of authorities that clients of other libraries trust, beside the system's."""


_defaults = Defaults()


def get_defaults() -> Defaults:
    """Return the defaults in force."""
    return _defaults


def restore_defaults(defaults: Defaults) -> None:
    """Put all defaults back to what they were: for who changed them and leaves the process as it was found."""
    global _defaults
    with _lock:
        _defaults = defaults


def set_default_openai_key(key: str, use_for_tracing: bool = True) -> None:
    """Use `key` instead of OPENAI_API_KEY, and for exporting traces too unless told otherwise.

    As OPENAI_API_KEY it counts for OpenAI's own origin and that of OPENAI_BASE_URL; an endpoint that is given elsewhere
    is given its own key.
    """
    register_secret(key)
    _change(openai_key=key)
    if use_for_tracing:
        set_tracing_export_api_key(key)


def set_default_ca_file(file: Path | None) -> None:
    """Have the clients that other libraries speak through trust the authorities in a PEM file."""
    _change(ca_file=file)


def set_default_openai_client(client: AsyncOpenAI, use_for_tracing: bool = True) -> None:
    """Use `client` for the models of every provider that was given no endpoint, key or client of its own.

    Its key serves for exporting traces too unless told otherwise; a client of another service than OpenAI's keeps its
    key to that, and one that fetches its key at each request has none to give.
    """
    register_secret(client.api_key)
    _change(openai_client=client)
    if use_for_tracing and client.api_key and _is_same_service(str(client.base_url), OPENAI_BASE_URL):
        set_tracing_export_api_key(client.api_key)


def set_default_openai_api(api: OpenAIAPI) -> None:
    """Choose the API that providers speak where they were not told; `responses` until this is called.

    Raises:
        ValueError: there is no such API.
    """
    _check("OpenAI API", api, get_args(OpenAIAPI))
    _change(openai_api=api)


def set_default_openai_responses_transport(transport: ResponsesTransport) -> None:
    """Choose how providers reach the Responses API where they were not told; `http` until this is called.

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
    """Return the key that traces may be sent to `url` with: the one set for that, else OPENAI_API_KEY.

    The latter is the key of the service that OPENAI_BASE_URL names, of OpenAI where it names none, and of no other.
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


def _check(what: str, given: object, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise ValueError(f"the default {what} is one of {', '.join(map(repr, allowed))}, not {given!r}")


def _change(**changes: object) -> None:
    global _defaults
    with _lock:
        _defaults = replace(_defaults, **changes)  # type: ignore[arg-type]  # each caller names a field of its type
