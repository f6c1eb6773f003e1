"""Settings of a model call: put over each other, and told."""

from openai.types.shared import Reasoning

from agentctl import ModelSettings


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
