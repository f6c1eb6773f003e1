"""Settings for the default model."""

import pytest

from agentctl.models import get_default_model_settings, gpt_5_reasoning_settings_required, is_gpt_5_default


@pytest.mark.parametrize(
    ("name", "effort", "verbosity"),
    [
        ("gpt-5", "low", "low"),
        ("gpt-5-2025-08-07", "low", "low"),
        ("gpt-5.1", "none", "low"),
        ("gpt-5.4-mini", "none", "low"),
        ("gpt-5.6-luna", "none", "low"),
        ("gpt-5.2-pro", "medium", "low"),
        ("gpt-5.2-codex", "low", "low"),
        ("gpt-5-mini", None, "low"),
        ("gpt-5-chat-latest", None, None),
        ("gpt-4.1", None, None),
        ("o3", None, None),
    ],
)
def test_the_least_effort_of_a_model(name: str, effort: str | None, verbosity: str | None) -> None:
    settings = get_default_model_settings(name)
    reasoning = settings.reasoning
    assert (getattr(reasoning, "effort", None), settings.verbosity) == (effort, verbosity)
    assert gpt_5_reasoning_settings_required(name) is (verbosity is not None)


def test_the_default_model_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_DEFAULT_MODEL", raising=False)
    assert is_gpt_5_default()
    monkeypatch.setenv("OPENAI_DEFAULT_MODEL", "gpt-4.1")
    assert not is_gpt_5_default()
    assert get_default_model_settings().verbosity is None
