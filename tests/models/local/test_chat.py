import json
from typing import Any

import pytest

from agentctl import Agent, WebSearchTool, handoff
from agentctl.agent.model_settings import MCPToolChoice, ModelSettings
from agentctl.agent.output import AgentOutputSchema
from agentctl.agent.ports import ModelRequest
from agentctl.agent.tools.tool import FunctionTool
from agentctl.errors import UserError
from agentctl.models.local.chat import Form, ModelProfile, build_chat

LARGE = ModelProfile()
SMALL = ModelProfile(sampling={"temperature": 0.2}, text_sampling={"repeat_penalty": 1.1}, can_chain_calls=False)


async def never(context: Any, arguments: str) -> str:
    raise AssertionError


def tool(name: str, **properties: Any) -> FunctionTool:
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return FunctionTool(name, f"Does {name}.", schema, never)


WEATHER = tool("get_weather", city={"type": "string"})
ADD = tool("add", a={"type": "integer"}, b={"type": "integer"})
CALL = {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": '{"city": "Oslo"}'}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "sunny"}
QUESTION = {"role": "user", "content": "Weather in Oslo?"}


def roles(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in body["messages"]]


def test_text_becomes_a_user_message_after_the_instructions() -> None:
    chat = build_chat(ModelRequest(system_instructions="Be brief.", input="Hi"), LARGE)
    assert chat.form is Form.TEXT
    assert chat.body == {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_history_has_one_system_message_and_no_two_neighbours_of_one_role() -> None:
    items = [
        {"role": "developer", "content": "Rules."},
        {"role": "user", "content": "One"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Two"}]},
        {"type": "reasoning", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Three"}]},
        {"role": "system", "content": "More rules."},
        {"role": "user", "content": "Four"},
    ]
    chat = build_chat(ModelRequest(system_instructions="Be brief.", input=items), LARGE)
    assert roles(chat.body) == [
        ("system", "Be brief.\n\nRules.\n\nMore rules."),
        ("user", "One\n\nTwo"),
        ("assistant", "Three"),
        ("user", "Four"),
    ]


def test_tools_are_listed_and_the_reply_is_held_to_a_call_or_an_answer() -> None:
    chat = build_chat(ModelRequest(system_instructions="Be brief.", input="Hi", tools=[WEATHER, ADD]), SMALL)
    assert chat.form is Form.CALL_OR_TEXT
    system = chat.body["messages"][0]["content"]
    assert system.startswith("Be brief.\n\nYou can use these tools:\n- get_weather: Does get_weather. Arguments: {")
    assert '{"answer": your answer}' in system
    branches = chat.body["response_format"]["json_schema"]["schema"]["anyOf"]
    assert [list(branch["properties"]) for branch in branches] == [
        ["name", "arguments"],
        ["name", "arguments"],
        ["answer"],
    ]
    assert branches[0]["properties"]["name"] == {"const": "get_weather"}
    assert branches[1]["properties"]["arguments"] == ADD.params_json_schema


@pytest.mark.parametrize(("choice", "names"), [("required", ["get_weather", "add"]), ("add", ["add"])])
def test_a_required_call_leaves_no_room_for_an_answer(choice: str, names: list[str]) -> None:
    settings = ModelSettings(tool_choice=choice)
    chat = build_chat(ModelRequest(input="Hi", tools=[WEATHER, ADD], model_settings=settings), SMALL)
    assert chat.form is Form.CALL
    assert "answer" not in chat.body["messages"][0]["content"]
    branches = chat.body["response_format"]["json_schema"]["schema"]["anyOf"]
    assert [branch["properties"]["name"]["const"] for branch in branches] == names


def test_tool_choice_none_offers_no_tool() -> None:
    settings = ModelSettings(tool_choice="none")
    chat = build_chat(ModelRequest(input="Hi", tools=[WEATHER], model_settings=settings), LARGE)
    assert chat.form is Form.TEXT
    assert roles(chat.body) == [("user", "Hi")]


def test_a_tool_choice_that_names_no_tool_is_refused() -> None:
    with pytest.raises(UserError, match="'nope'"):
        build_chat(ModelRequest(input="Hi", tools=[ADD], model_settings=ModelSettings(tool_choice="nope")), LARGE)


def test_handoffs_are_offered_after_the_tools() -> None:
    handoffs = [handoff(Agent("b"))]
    chat = build_chat(ModelRequest(input="Hi", tools=[ADD], handoffs=handoffs), LARGE)
    branches = chat.body["response_format"]["json_schema"]["schema"]["anyOf"]
    assert [branch["properties"]["name"]["const"] for branch in branches[:2]] == ["add", "transfer_to_b"]
    assert "- transfer_to_b: Hand the conversation off to the agent b" in chat.body["messages"][0]["content"]
    chosen = ModelSettings(tool_choice="transfer_to_b")
    assert build_chat(ModelRequest(input="Hi", handoffs=handoffs, model_settings=chosen), LARGE).form is Form.CALL


def test_a_tool_of_the_api_is_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"not the tool 'web_search' \(WebSearchTool\): use a model of the Responses"):
        build_chat(ModelRequest(input="Hi", tools=[WebSearchTool()]), LARGE)
    chosen = ModelSettings(tool_choice=MCPToolChoice("docs", "look"))
    with pytest.raises(UserError, match=r"'docs\.look', which the agent does not have"):
        build_chat(ModelRequest(input="Hi", tools=[ADD], model_settings=chosen), LARGE)


def test_a_small_model_answers_after_a_result_and_does_not_see_its_call() -> None:
    chat = build_chat(ModelRequest(input=[QUESTION, CALL, OUTPUT], tools=[WEATHER]), SMALL)
    assert chat.form is Form.TEXT
    assert roles(chat.body) == [("user", "Weather in Oslo?\n\nTool get_weather returned: sunny")]


def test_a_larger_model_may_call_again_after_a_result() -> None:
    chat = build_chat(ModelRequest(input=[QUESTION, CALL, OUTPUT], tools=[WEATHER]), LARGE)
    assert chat.form is Form.CALL_OR_TEXT
    assert roles(chat.body)[1:] == [
        ("user", "Weather in Oslo?"),
        ("assistant", '{"name": "get_weather", "arguments": {"city": "Oslo"}}'),
        ("user", "Tool get_weather returned: sunny"),
    ]


def test_an_output_schema_is_the_form_of_the_answer() -> None:
    schema = AgentOutputSchema(list[int])
    alone = build_chat(ModelRequest(input="Hi", output_schema=schema), SMALL)
    assert alone.form is Form.JSON
    assert alone.body["response_format"]["json_schema"]["schema"] == schema.json_schema()
    beside = build_chat(ModelRequest(input="Hi", output_schema=schema, tools=[ADD]), SMALL)
    assert beside.form is Form.CALL_OR_JSON
    assert (
        beside.body["response_format"]["json_schema"]["schema"]["anyOf"][1]["properties"]["answer"]
        == schema.json_schema()
    )


def test_plain_text_as_the_output_type_is_no_schema() -> None:
    assert build_chat(ModelRequest(input="Hi", output_schema=AgentOutputSchema(str)), SMALL).form is Form.TEXT


def test_references_inside_a_tools_schema_hold_where_it_is_put() -> None:
    schema_of_p = {"type": "object", "properties": {"p": {"$ref": "#/$defs/P"}}, "$defs": {"P": {}}}
    nested = FunctionTool("save", "", schema_of_p, never, strict_json_schema=False)
    chat = build_chat(ModelRequest(input="Hi", tools=[ADD, nested]), LARGE)
    schema = chat.body["response_format"]["json_schema"]["schema"]
    reference = schema["anyOf"][1]["properties"]["arguments"]["properties"]["p"]["$ref"]
    place: Any = schema
    for part in reference.removeprefix("#/").split("/"):
        place = place[int(part)] if isinstance(place, list) else place[part]
    assert place == {}


def test_settings_go_over_what_the_model_is_told_otherwise() -> None:
    settings = ModelSettings(temperature=1.5, max_tokens=7, store=True, extra_args={"seed": 3, "stream": False})
    body = build_chat(ModelRequest(input="Hi", model_settings=settings), SMALL).body
    assert (body["temperature"], body["max_tokens"], body["seed"], body["stream"]) == (1.5, 7, 3, True)
    assert body["repeat_penalty"] == 1.1
    assert "store" not in body
    assert "repeat_penalty" not in build_chat(ModelRequest(input="Hi", tools=[ADD]), SMALL).body


@pytest.mark.parametrize(
    "item",
    [
        {"role": "user", "content": [{"type": "input_image", "image_url": "data:…"}]},
        {"role": "user", "content": [{"type": "input_file", "file_id": "f"}]},
        {"type": "web_search_call", "id": "w"},
    ],
)
def test_what_is_no_text_is_refused(item: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"input_image|input_file|web_search_call"):
        build_chat(ModelRequest(input=[item]), LARGE)


def test_an_image_that_a_tool_gave_is_named() -> None:
    parts = [{"type": "input_text", "text": "a map"}, {"type": "input_image", "image_url": "data:…"}]
    chat = build_chat(ModelRequest(input=[QUESTION, CALL, {**OUTPUT, "output": parts}]), LARGE)
    assert roles(chat.body)[-1] == (
        "user",
        "Tool get_weather returned: a map [an image, which cannot be shown here]",
    )


@pytest.mark.parametrize("field", ["previous_response_id", "conversation_id"])
def test_state_that_only_a_service_keeps_is_refused(field: str) -> None:
    with pytest.raises(UserError, match=field):
        build_chat(ModelRequest(input="Hi", **{field: "x"}), LARGE)


def test_the_body_is_json() -> None:
    json.dumps(
        build_chat(ModelRequest(input=[QUESTION, CALL, OUTPUT], tools=[WEATHER, ADD]), LARGE).body, allow_nan=False
    )
