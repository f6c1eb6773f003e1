"""What the environment says of tracing."""

from __future__ import annotations

from collections.abc import Mapping

DISABLE = "OPENAI_AGENTS_DISABLE_TRACING"
"""The variable that stops tracing in a process."""


def is_disabled_by(environ: Mapping[str, str]) -> bool:
    """Return whether the environment stops tracing."""
    return environ.get(DISABLE, "").strip().lower() in ("1", "true")
