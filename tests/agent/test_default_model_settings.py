"""Settings for the default model, and for agents without settings of their own."""

import pytest

from agentctl import Agent, ModelSettings, RunConfig, Runner
from agentctl.agent.agent import has_default_settings
from agentctl.agent.ports import ModelProvider
from agentctl.models import get_default_model_settings, gpt_5_reasoning_settings_required, is_gpt_5_default
from agentctl.testing import ScriptedModel


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


class OneModel(ModelProvider):
    """Gives the same model for every name."""

    def __init__(self) -> None:
        self.model = ScriptedModel(["ok"])

    def get_model(self, model_name: str | None) -> ScriptedModel:
        return self.model


def settings_sent(agent: Agent[None], model: str | None = None) -> ModelSettings:
    provider = OneModel()
    Runner.run_sync(agent, "Hi", run_config=RunConfig(model=model, model_provider=provider))
    return provider.model.calls[0].model_settings


def test_an_agent_without_settings_has_those_of_the_model_of_its_run() -> None:
    agent = Agent[None](name="a", model="gpt-5")
    assert settings_sent(agent) == get_default_model_settings("gpt-5") != ModelSettings()
    assert settings_sent(agent, "gpt-5.4-pro") == get_default_model_settings("gpt-5.4-pro")
    assert settings_sent(agent, "gpt-4.1") == ModelSettings()
    clone = agent.clone(name="b", model="gpt-5.4-mini")
    assert clone.model_settings == get_default_model_settings("gpt-5.4-mini")
    assert settings_sent(clone, "gpt-4.1") == ModelSettings()


def test_settings_that_an_agent_was_given_stay_as_they_are() -> None:
    given = Agent[None](name="a", model="gpt-5", model_settings=ModelSettings())
    assert settings_sent(given) == settings_sent(given.clone(model="gpt-5.1"), "gpt-5.4") == ModelSettings()
    changed = Agent[None](name="a", model="gpt-5")
    changed.model_settings.temperature = 0.5
    assert not has_default_settings(changed)
    assert settings_sent(changed, "gpt-4.1").verbosity == "low"
