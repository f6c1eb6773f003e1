from dataclasses import dataclass
from typing import Any

import pytest

from agentctl import Agent, WebSearchTool, handoff
from agentctl.agent.model_settings import MCPToolChoice, ModelSettings
from agentctl.agent.output import AgentOutputSchema
from agentctl.agent.ports import ModelRequest
from agentctl.agent.tools.tool import FunctionTool
from agentctl.errors import UserError
from agentctl.models.chat.request import build_request, is_openai_service, unsupported_features


async def _never(context: Any, arguments: str) -> str:
    raise AssertionError


LOOK = FunctionTool(name="look", description="Looks.", params_json_schema={"type": "object"}, on_invoke_tool=_never)


@dataclass
class City:
    name: str


def body(*, is_openai: bool = False, **fields: Any) -> dict[str, Any]:
    return build_request(ModelRequest(**{"input": "hi", **fields}), "m", is_openai=is_openai)


def settings(*, tools: list[FunctionTool] | None = None, is_openai: bool = False, **given: Any) -> dict[str, Any]:
    whole = body(model_settings=ModelSettings(**given), tools=tools or [], is_openai=is_openai)
    return {name: value for name, value in whole.items() if name not in ("model", "messages", "stream", "tools")}


def test_a_plain_request_is_a_stream_with_its_usage() -> None:
    assert body(system_instructions="Be brief.") == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_usage_that_is_not_wanted_is_not_asked_for() -> None:
    assert settings(include_usage=False) == {}
    assert settings(include_usage=True) == {"stream_options": {"include_usage": True}}


def test_a_users_own_stream_options_go_before_ours() -> None:
    assert settings(extra_args={"stream_options": {"x": 1}}) == {"stream_options": {"x": 1}}


def test_every_setting_has_its_field() -> None:
    given = settings(
        include_usage=False,
        temperature=0.5,
        top_p=0.9,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        max_tokens=7,
        reasoning={"effort": "low", "summary": "auto"},
        verbosity="low",
        metadata={"a": "b"},
        store=False,
        prompt_cache_retention="24h",
        prompt_cache_options={"mode": "explicit"},
        top_logprobs=2,
        response_include=["reasoning.encrypted_content"],
        extra_args={"seed": 1},
        extra_body={"top_k": 3},
    )
    assert given == {
        "temperature": 0.5,
        "top_p": 0.9,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
        "max_tokens": 7,
        "reasoning_effort": "low",
        "verbosity": "low",
        "metadata": {"a": "b"},
        "store": False,
        "prompt_cache_retention": "24h",
        "prompt_cache_options": {"mode": "explicit"},
        "logprobs": True,
        "top_logprobs": 2,
        "seed": 1,
        "top_k": 3,
    }


def test_openai_itself_names_the_limit_of_the_answer_otherwise() -> None:
    assert settings(include_usage=False, max_tokens=7, is_openai=True) == {"max_completion_tokens": 7}


@pytest.mark.parametrize(
    ("base_url", "is_its_own"),
    [
        ("https://api.openai.com/v1", True),
        ("https://eu.api.openai.com/v1/", True),
        ("https://mine.openai.azure.com/openai/", True),
        ("https://notapi.openai.com.example/v1", False),
        ("https://api.deepseek.com", False),
        ("http://localhost:8080/v1", False),
    ],
)
def test_openai_is_told_by_its_host(base_url: str, is_its_own: bool) -> None:
    assert is_openai_service(base_url) is is_its_own


def test_reasoning_settings_may_be_an_openai_object() -> None:
    from openai.types.shared import Reasoning

    assert settings(include_usage=False, reasoning=Reasoning(effort="high")) == {"reasoning_effort": "high"}


def test_tools_are_functions() -> None:
    assert body(tools=[LOOK])["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "look",
                "description": "Looks.",
                "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
                "strict": True,
            },
        }
    ]


def test_a_tool_of_the_responses_api_is_an_error_that_names_it() -> None:
    with pytest.raises(UserError, match=r"not the tool 'web_search' \(WebSearchTool\): use the Responses API"):
        body(tools=[LOOK, WebSearchTool()])
    with pytest.raises(UserError, match="cannot name 'look' of 'docs': use the Responses API"):
        settings(tools=[LOOK], tool_choice=MCPToolChoice("docs", "look"))


def test_handoffs_are_functions_after_the_tools() -> None:
    sent = body(tools=[LOOK], handoffs=[handoff(Agent("b"))], model_settings=ModelSettings(tool_choice="transfer_to_b"))
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["look", "transfer_to_b"]
    assert sent["tools"][1]["function"]["strict"] is True
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "transfer_to_b"}}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", "auto"),
        ("required", "required"),
        ("none", "none"),
        ("look", {"type": "function", "function": {"name": "look"}}),
    ],
)
def test_a_choice_of_tools_is_a_word_or_a_name(choice: str, sent: Any) -> None:
    assert settings(include_usage=False, tools=[LOOK], tool_choice=choice) == {"tool_choice": sent}


def test_without_tools_nothing_is_said_of_calling_them() -> None:
    assert settings(include_usage=False, tool_choice="auto", parallel_tool_calls=True) == {}
    assert settings(include_usage=False, tools=[LOOK], parallel_tool_calls=False) == {"parallel_tool_calls": False}


def test_an_output_type_is_a_response_format() -> None:
    schema = AgentOutputSchema(City)
    assert body(output_schema=schema)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "final_output", "schema": schema.json_schema(), "strict": True},
    }
    assert "response_format" not in body(output_schema=AgentOutputSchema(str))


def test_a_setting_given_twice_is_an_error_that_names_it() -> None:
    with pytest.raises(UserError, match="'temperature'"):
        settings(temperature=0, extra_args={"temperature": 1})
    assert settings(temperature=0, extra_body={"temperature": 1})["temperature"] == 1


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation_id": "conv_1"}, "conversation_id"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"model_settings": ModelSettings(truncation="auto")}, "ModelSettings.truncation='auto'"),
        ({"model_settings": ModelSettings(context_management=[{"type": "x"}])}, "ModelSettings.context_management"),
    ],
)
def test_what_chat_completions_has_no_field_for_is_named(fields: dict[str, Any], named: str) -> None:
    assert unsupported_features(ModelRequest(**{"input": "hi", **fields})) == [named]


def test_a_plain_request_is_supported_whole() -> None:
    assert unsupported_features(ModelRequest(input="hi", model_settings=ModelSettings(truncation="disabled"))) == []
