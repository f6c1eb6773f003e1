"""The endpoint of OpenAI's traces API, and the environment variable that disables tracing."""

from collections.abc import Mapping

ENDPOINT = "https://api.openai.com/v1/traces/ingest"
"""The traces API of OpenAI."""

DISABLE = "OPENAI_AGENTS_DISABLE_TRACING"
"""Environment variable that disables tracing."""


def is_disabled_by(environ: Mapping[str, str]) -> bool:
    """Return whether the environment disables tracing."""
    return environ.get(DISABLE, "").strip().lower() in ("1", "true")
