"""The default model, and the settings of agents that have none of their own."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from .model_settings import ModelSettings

DEFAULT_MODEL = "gpt-5.6-luna"
"""The default of the Agents SDK."""


def get_default_model(environ: Mapping[str, str] = os.environ) -> str:
    """Return the model named by OPENAI_DEFAULT_MODEL, else `DEFAULT_MODEL`."""
    return environ.get("OPENAI_DEFAULT_MODEL", "").strip().lower() or DEFAULT_MODEL


def is_gpt_5_default() -> bool:
    """Return whether the default model is one of GPT-5 that reasons."""
    return gpt_5_reasoning_settings_required(get_default_model())


def gpt_5_reasoning_settings_required(model_name: str) -> bool:
    """Return whether a model is one of GPT-5 that takes reasoning settings: all but the chat models."""
    return model_name.startswith("gpt-5") and not model_name.endswith("-chat-latest")


def get_default_model_settings(model: str | None = None) -> ModelSettings:
    """Return the settings of agents without any: for GPT-5, the least reasoning that the model allows, and few words.

    Args:
        model: The name of a model; None is the default model.
    """
    name = get_default_model() if model is None else model
    if not gpt_5_reasoning_settings_required(name):
        return ModelSettings()
    effort = next((effort for pattern, effort in _EFFORTS if re.fullmatch(pattern + _DATE, name)), None)
    return ModelSettings(reasoning=None if effort is None else {"effort": effort}, verbosity="low")


_DATE = r"(-\d{4}-\d{2}-\d{2})?"
_EFFORTS = (
    (r"gpt-5", "low"),
    (r"gpt-5\.2-codex", "low"),
    (r"gpt-5\.3-codex", "none"),
    (r"gpt-5\.[2-9]\d*-pro", "medium"),
    (r"gpt-5\.[1-9]\d*(-(mini|nano|luna|sol|terra))?", "none"),
)
"""The least effort of models for which it is known."""
