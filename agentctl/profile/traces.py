"""The destinations of traces: OpenAI, if it serves the run, and the user's own processors."""

from __future__ import annotations

from collections.abc import Mapping

from agentctl._dataclass import dataclass
from agentctl.origin import OPENAI_BASE_URL, origin_of
from agentctl.tracing.environment import DISABLE, is_disabled_by

from .credentials import Credentials, Key
from .load import Loaded, find_tracing_key, read_credentials
from .resolve import BUILT_IN


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """The effective trace configuration."""

    is_enabled: bool
    decided_by: str
    """The origin of `is_enabled`, as in `Value.origin`."""
    key: Key | None
    """The key for the export to OpenAI; None if traces are not exported."""
    no_export_reason: str | None
    """The reason why traces are not exported to OpenAI; None if they are."""
    otel: bool
    """Whether traces are exported by OTLP."""
    processors: tuple[str, ...]
    processors_origin: str | None
    """The origin of `processors`; None if there are none."""


def effective_traces(loaded: Loaded, environ: Mapping[str, str], credentials: Credentials | None = None) -> Traces:
    """Return the effective trace configuration; runs no program.

    Reads the stored keys, if they matter, unless `credentials` are given.
    """
    settings = loaded.settings
    enabled = settings.values["trace.enabled"]
    is_enabled, decided_by = settings.trace.is_enabled, enabled.origin
    if enabled.origin == BUILT_IN and is_disabled_by(environ):
        is_enabled, decided_by = False, DISABLE
    key, no_export_reason = None, "tracing is disabled"
    if is_enabled:
        key, no_export_reason = _export_key(loaded, environ, credentials)
    named = settings.values.get("trace.processors")
    return Traces(
        is_enabled=is_enabled,
        decided_by=decided_by,
        key=key,
        no_export_reason=no_export_reason if key is None else None,
        otel=is_enabled and settings.trace.otel,
        processors=settings.trace.processors,
        processors_origin=named.origin if named is not None and settings.trace.processors else None,
    )


def is_openai_url(url: str) -> bool:
    """Return whether a base URL is on the origin of the OpenAI API."""
    return origin_of(url) == origin_of(OPENAI_BASE_URL)


def _export_key(loaded: Loaded, environ: Mapping[str, str], credentials: Credentials | None) -> tuple[Key | None, str]:
    base_url = loaded.settings.client.base_url
    if not is_openai_url(base_url):
        return None, f"the service is {origin_of(base_url)}, not OpenAI"
    key = find_tracing_key(loaded, environ, read_credentials(loaded) if credentials is None else credentials)
    return key, "there is no key for it"
