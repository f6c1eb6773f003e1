"""Settings for the default model, in code for the Agents SDK."""

from __future__ import annotations

import re

from agentctl.agent.model_settings import ModelSettings

from .default_model import get_default_model


def is_gpt_5_default() -> bool:
    """Return whether the default model is one of GPT-5 that reasons."""
    return gpt_5_reasoning_settings_required(get_default_model())


def gpt_5_reasoning_settings_required(model_name: str) -> bool:
    """Return whether a model is one of GPT-5 that takes reasoning settings: all but the chat models."""
    return model_name.startswith("gpt-5") and _CHAT.search(model_name) is None


def get_default_model_settings(model: str | None = None) -> ModelSettings:
    """Return settings for answers with little delay: the least reasoning that the model allows, and few words.

    Runs do not apply them; `Agent(model_settings=get_default_model_settings())` does.
    """
    name = get_default_model() if model is None else model
    if not gpt_5_reasoning_settings_required(name):
        return ModelSettings()
    effort = next((effort for pattern, effort in _EFFORTS if pattern.fullmatch(name)), None)
    return ModelSettings(reasoning=None if effort is None else {"effort": effort}, verbosity="low")


_CHAT = re.compile(r"-chat-latest$")
_DATE = r"(-\d{4}-\d{2}-\d{2})?"
_EFFORTS = tuple(
    (re.compile(pattern + _DATE), effort)
    for pattern, effort in (
        (r"gpt-5", "low"),
        (r"gpt-5\.2-codex", "low"),
        (r"gpt-5\.3-codex", "none"),
        (r"gpt-5\.[2-9]\d*-pro", "medium"),
        (r"gpt-5\.[1-9]\d*(-(mini|nano|luna|sol|terra))?", "none"),
    )
)
"""The least effort of models for which it is known."""
