"""Where traces go, and what the environment says of that."""

from __future__ import annotations

from collections.abc import Mapping

ENDPOINT = "https://api.openai.com/v1/traces/ingest"
"""Where OpenAI takes traces."""

DISABLE = "OPENAI_AGENTS_DISABLE_TRACING"
"""The variable that stops tracing in a process."""


def is_disabled_by(environ: Mapping[str, str]) -> bool:
    """Return whether the environment stops tracing."""
    return environ.get(DISABLE, "").strip().lower() in ("1", "true")
