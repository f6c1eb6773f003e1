"""The default model."""

from __future__ import annotations

import os
from collections.abc import Mapping

DEFAULT_MODEL = "gpt-5.6-luna"
"""The default of the Agents SDK."""


def get_default_model(environ: Mapping[str, str] = os.environ) -> str:
    """Return the model named by OPENAI_DEFAULT_MODEL, else `DEFAULT_MODEL`."""
    return environ.get("OPENAI_DEFAULT_MODEL", "").strip().lower() or DEFAULT_MODEL
