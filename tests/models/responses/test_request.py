from typing import Any

import pytest

from agentctl import (
    Agent,
    ApplyPatchTool,
    CodeInterpreterTool,
    FileSearchTool,
    HostedMCPTool,
    ImageGenerationTool,
    LocalShellTool,
    ShellTool,
    WebSearchTool,
    handoff,
)
from agentctl.agent.model_settings import MCPToolChoice, ModelSettings
from agentctl.agent.output import AgentOutputSchema
from agentctl.agent.ports import ModelRequest
from agentctl.agent.tools.api_tool import ApiTool
from agentctl.agent.tools.tool import FunctionTool
from agentctl.errors import UserError
from agentctl.models.responses.request import build_request


async def nothing(context: Any, arguments: str) -> str:
    return ""


TOOL = FunctionTool("f", "Do f.", {"type": "object", "properties": {}}, nothing)
TOOL_JSON = {
    "type": "function",
    "name": "f",
    "description": "Do f.",
    "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
    "strict": True,
}


API_TOOLS: list[ApiTool] = [
    WebSearchTool(),
    FileSearchTool(["vs_1"]),
    CodeInterpreterTool({"type": "code_interpreter", "container": {"type": "auto"}}),
    ImageGenerationTool({"type": "image_generation"}),
    HostedMCPTool({"type": "mcp", "server_label": "docs", "server_url": "https://example.org"}),
    ShellTool(lambda request: "", name="mine"),
    LocalShellTool(lambda request: ""),
    ApplyPatchTool(editor=None),  # type: ignore[arg-type]
]


def build(input: Any = "hi", *, tools: Any = (), **fields: Any) -> dict[str, Any]:
    settings = {name: fields.pop(name) for name in list(fields) if name in ModelSettings.__dataclass_fields__}
    request = ModelRequest(input=input, tools=list(tools), model_settings=ModelSettings(**settings), **fields)
    return build_request(request, "gpt-x")


def test_a_plain_request_has_the_model_and_the_text_as_a_users_message() -> None:
    assert build() == {"model": "gpt-x", "input": [{"role": "user", "content": "hi"}]}


def test_items_go_as_they_are() -> None:
    items = [{"role": "user", "content": "x"}, {"type": "function_call_output", "call_id": "a", "output": "b"}]
    assert all(sent is item for sent, item in zip(build(items)["input"], items, strict=True))


def test_every_setting_has_its_field() -> None:
    body = build(
        tools=[TOOL],
        system_instructions="Be brief.",
        temperature=0.5,
        top_p=0.9,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        tool_choice="required",
        parallel_tool_calls=True,
        truncation="auto",
        max_tokens=5,
        reasoning={"effort": "low"},
        verbosity="low",
        metadata={"a": "b"},
        store=False,
        prompt_cache_retention="24h",
        prompt_cache_options={"x": 1},
        include_usage=True,
        response_include=["reasoning.encrypted_content"],
        top_logprobs=2,
        context_management=[{"type": "compaction"}],
        extra_query={"q": "1"},
        extra_headers={"X-A": "b"},
        extra_args={"user": "me"},
        extra_body={"z": 1},
        previous_response_id="resp_1",
        conversation_id="conv_1",
        prompt={"id": "p"},
    )
    assert body == {
        "model": "gpt-x",
        "input": [{"role": "user", "content": "hi"}],
        "instructions": "Be brief.",
        "tools": [TOOL_JSON],
        "temperature": 0.5,
        "top_p": 0.9,
        "tool_choice": "required",
        "parallel_tool_calls": True,
        "truncation": "auto",
        "max_output_tokens": 5,
        "reasoning": {"effort": "low"},
        "text": {"verbosity": "low"},
        "metadata": {"a": "b"},
        "store": False,
        "prompt_cache_retention": "24h",
        "prompt_cache_options": {"x": 1},
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "top_logprobs": 2,
        "context_management": [{"type": "compaction"}],
        "user": "me",
        "z": 1,
        "previous_response_id": "resp_1",
        "conversation": "conv_1",
        "prompt": {"id": "p"},
    }


def test_reasoning_may_be_an_openai_object() -> None:
    from openai.types.shared import Reasoning

    assert build(reasoning=Reasoning(effort="high"))["reasoning"] == {"effort": "high"}


@pytest.mark.parametrize("choice", ["auto", "required", "none"])
def test_a_general_tool_choice_is_its_word(choice: str) -> None:
    assert build(tool_choice=choice)["tool_choice"] == choice


def test_any_other_tool_choice_names_a_function() -> None:
    assert build(tool_choice="f", tools=[TOOL])["tool_choice"] == {"type": "function", "name": "f"}
    assert build(tool_choice="missing")["tool_choice"] == {"type": "function", "name": "missing"}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("web_search", {"type": "web_search"}),
        ("file_search", {"type": "file_search"}),
        ("code_interpreter", {"type": "code_interpreter"}),
        ("image_generation", {"type": "image_generation"}),
        ("hosted_mcp", {"type": "mcp", "server_label": "docs"}),
        ("mine", {"type": "shell"}),
        ("apply_patch", {"type": "apply_patch"}),
        ("local_shell", {"type": "local_shell"}),
        (MCPToolChoice("docs", "look"), {"type": "mcp", "server_label": "docs", "name": "look"}),
    ],
)
def test_a_tool_of_the_api_is_chosen_by_its_name(choice: Any, sent: Any) -> None:
    assert build(tool_choice=choice, tools=API_TOOLS)["tool_choice"] == sent


def test_a_name_of_the_api_is_of_a_function_or_handoff_where_there_is_one() -> None:
    function = FunctionTool("web_search", "Searches.", {"type": "object", "properties": {}}, nothing)
    assert build(tool_choice="web_search", tools=[function])["tool_choice"] == {
        "type": "function",
        "name": "web_search",
    }
    handed = handoff(Agent("b"), tool_name_override="mcp")
    assert build(tool_choice="mcp", handoffs=[handed])["tool_choice"] == {"type": "function", "name": "mcp"}
    assert build(tool_choice="web_search_preview")["tool_choice"] == {"type": "web_search_preview"}


def test_tools_of_the_api_are_sent_as_it_has_them_in_their_order() -> None:
    assert build(tools=[*API_TOOLS, TOOL])["tools"] == [*(tool.to_wire() for tool in API_TOOLS), TOOL_JSON]


def test_handoffs_are_functions_after_the_tools() -> None:
    body = build(tools=[TOOL], handoffs=[handoff(Agent("b"))], parallel_tool_calls=False)
    assert body["tools"][0] == TOOL_JSON
    assert body["tools"][1]["type"] == "function"
    assert body["tools"][1]["name"] == "transfer_to_b"
    assert body["tools"][1]["strict"] is True
    assert body["tools"][1]["parameters"]["properties"] == {}
    assert build(handoffs=[handoff(Agent("b"))], parallel_tool_calls=False)["parallel_tool_calls"] is False


def test_results_that_tools_are_to_show_are_included_once() -> None:
    tools = [
        FileSearchTool(["vs_1"], include_search_results=True),
        FileSearchTool(["vs_2"], include_search_results=True),
        WebSearchTool(search_content_types=["image"]),
    ]
    body = build(tools=tools, response_include=["web_search_call.results", "reasoning.encrypted_content"])
    assert body["include"] == [
        "web_search_call.results",
        "reasoning.encrypted_content",
        "file_search_call.results",
    ]


def test_parallel_tool_calls_are_spoken_of_only_with_tools() -> None:
    assert "parallel_tool_calls" not in build(parallel_tool_calls=False)
    assert build(parallel_tool_calls=False, tools=[TOOL])["parallel_tool_calls"] is False


def test_logprobs_are_included_once() -> None:
    body = build(response_include=["message.output_text.logprobs"], top_logprobs=0)
    assert body["include"] == ["message.output_text.logprobs"]
    assert body["top_logprobs"] == 0


@pytest.mark.parametrize("strict", [True, False])
def test_an_output_schema_is_the_format_of_the_text(strict: bool) -> None:
    schema = AgentOutputSchema(dict[str, int] if not strict else list[int], strict_json_schema=strict)
    body = build(output_schema=schema, verbosity="high")
    assert body["text"] == {
        "format": {"type": "json_schema", "name": "final_output", "schema": schema.json_schema(), "strict": strict},
        "verbosity": "high",
    }


def test_plain_text_has_no_format() -> None:
    assert "text" not in build(output_schema=AgentOutputSchema(str))


@pytest.mark.parametrize("extra", [{"temperature": 2}, {"model": "y"}, {"input": []}])
def test_extra_args_may_not_repeat_a_field(extra: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"extra_args repeats '{next(iter(extra))}'"):
        build(temperature=1, extra_args=extra)


def test_extra_body_goes_over_everything() -> None:
    body = build(temperature=1, extra_args={"user": "me"}, extra_body={"temperature": 2, "user": "you", "model": "z"})
    assert (body["temperature"], body["user"], body["model"]) == (2, "you", "z")
