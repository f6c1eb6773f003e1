"""Settings of a model call: put over each other, and told."""

import json

import pytest
from openai.types.shared import Reasoning
from pydantic import TypeAdapter
from pydantic_core import to_json

from agentctl import Agent, ModelRetrySettings, ModelSettings, RunConfig, retry_policies


def test_settings_that_are_set_go_over_the_others() -> None:
    settings = ModelSettings(temperature=0.1, top_p=0.2, extra_args={"a": 1, "b": 1})
    resolved = settings.resolve(ModelSettings(temperature=0, extra_args={"b": 2}))
    assert (resolved.temperature, resolved.top_p, resolved.extra_args) == (0, 0.2, {"a": 1, "b": 2})
    assert settings.resolve(None) == settings
    assert settings.resolve({"top_p": 0.9}).top_p == 0.9


def test_a_trace_is_not_told_what_the_user_adds_to_requests() -> None:
    settings = ModelSettings(
        temperature=0.1,
        reasoning=Reasoning(effort="low"),
        extra_headers={"authorization": "secret"},
        extra_query={"key": "secret"},
        extra_body={"key": "secret"},
        extra_args={"key": "secret"},
    )
    assert "secret" in str(settings.to_json_dict())
    told = settings.to_traceable_dict()
    assert (told["temperature"], told["reasoning"]) == (0.1, {"effort": "low"})
    assert "secret" not in str(told)


def test_a_dict_of_reasoning_reads_as_the_object_and_is_sent_as_given() -> None:
    settings = ModelSettings(reasoning={"effort": "low"})
    assert settings.reasoning_wire() == {"effort": "low"}
    assert type(settings.reasoning).__name__ == "Reasoning"
    assert settings.reasoning_wire() == {"effort": "low"}
    assert settings.to_json_dict()["reasoning"]["effort"] == "low"
    assert ModelSettings().reasoning is None


def test_settings_serialize_through_pydantic() -> None:
    adapter = TypeAdapter(ModelSettings)
    settings = ModelSettings(temperature=0.5, reasoning={"effort": "low"}, retry=ModelRetrySettings(max_retries=2))
    text = adapter.dump_json(settings, exclude_none=True)
    assert json.loads(text) == {"temperature": 0.5, "reasoning": {"effort": "low"}, "retry": {"max_retries": 2}}
    assert adapter.validate_json(text) == settings


def test_a_dict_will_do_and_an_unknown_key_is_named() -> None:
    agent: Agent[None] = Agent(name="a", model_settings={"temperature": 0.1})  # type: ignore[arg-type]
    assert agent.model_settings == ModelSettings(temperature=0.1)
    assert RunConfig(model_settings={"top_p": 0.2}).model_settings == ModelSettings(top_p=0.2)  # type: ignore[arg-type]
    for given in ({"temprature": 1}, 3):
        with pytest.raises(TypeError, match=r"temprature|must be a ModelSettings"):
            Agent(name="a", model_settings=given)  # type: ignore[arg-type]


def test_resolving_does_not_change_the_settings() -> None:
    first, second = ModelSettings(temperature=0.1), ModelSettings(reasoning={"effort": "high"})
    both = first.resolve(second)
    assert both.reasoning_wire() == {"effort": "high"}
    assert first == ModelSettings(temperature=0.1)
    assert both.with_values(temperature=None) == second


def test_settings_serialize_through_pydantic_core_without_the_retry_policy() -> None:
    settings = ModelSettings(retry=ModelRetrySettings(max_retries=2, policy=retry_policies.never()))
    back = TypeAdapter(ModelSettings).validate_json(to_json(settings))
    assert back.retry == ModelRetrySettings(max_retries=2)


def test_settings_are_equal_by_what_they_set_and_are_shown_without_a_client() -> None:
    as_dict, as_object = ModelSettings(reasoning={"effort": "low"}), ModelSettings(reasoning={"effort": "low"})
    assert as_object.reasoning is not None
    assert as_dict == as_object != ModelSettings(reasoning={"effort": "high"})
    assert ModelSettings(reasoning={"effort": None}) == ModelSettings(reasoning={}) != ModelSettings()
    assert repr(as_dict).startswith("ModelSettings(temperature=None, ")
    assert "reasoning={'effort': 'low'}" in repr(as_dict)
