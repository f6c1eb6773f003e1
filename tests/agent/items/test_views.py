"""Typed views of wire JSON, and what is expected of the dataclasses that give them."""

import copy
import dataclasses
import gc
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from openai import BaseModel
from openai.types.responses import (
    ResponseCodeInterpreterToolCall,
    ResponseFileSearchToolCall,
    ResponseFunctionShellToolCallOutput,
    ResponseFunctionToolCall,
    ResponseFunctionWebSearch,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseReasoningItem,
    ResponseTextDeltaEvent,
)
from openai.types.responses.response_output_item import ImageGenerationCall, LocalShellCall, McpCall

from agentctl import (
    Agent,
    HandoffCallItem,
    HandoffOutputItem,
    ItemHelpers,
    MCPApprovalRequestItem,
    MCPApprovalResponseItem,
    MCPListToolsItem,
    MessageOutputItem,
    ModelResponse,
    RawResponsesStreamEvent,
    ReasoningItem,
    RunItem,
    ToolCallItem,
    ToolCallOutputItem,
    UnrecognizedItem,
    Usage,
)
from agentctl.agent.items.run_items import run_item
from agentctl.agent.usage import MeasuredResponse

AGENT: Agent[Any] = Agent(name="a")
MESSAGE: dict[str, Any] = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "hi", "annotations": []}],
}
CALL: dict[str, Any] = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}
OUTPUT: dict[str, Any] = {"type": "function_call_output", "call_id": "c", "output": "x"}
DELTA: dict[str, Any] = {"type": "response.output_text.delta", "delta": "hi", "item_id": "msg_1", "output_index": 0}


def message() -> MessageOutputItem:
    item = run_item(copy.deepcopy(MESSAGE), AGENT)
    assert isinstance(item, MessageOutputItem)
    return item


@pytest.mark.parametrize(
    ("wire", "kind", "view"),
    [
        (MESSAGE, MessageOutputItem, ResponseOutputMessage),
        ({"type": "reasoning", "id": "r", "summary": []}, ReasoningItem, ResponseReasoningItem),
        (CALL, ToolCallItem, ResponseFunctionToolCall),
        ({"type": "web_search_call", "id": "w"}, ToolCallItem, ResponseFunctionWebSearch),
        ({"type": "file_search_call", "id": "w"}, ToolCallItem, ResponseFileSearchToolCall),
        ({"type": "code_interpreter_call", "id": "w"}, ToolCallItem, ResponseCodeInterpreterToolCall),
        ({"type": "image_generation_call", "id": "w"}, ToolCallItem, ImageGenerationCall),
        ({"type": "local_shell_call", "id": "w"}, ToolCallItem, LocalShellCall),
        ({"type": "mcp_call", "id": "w"}, ToolCallItem, McpCall),
        ({"type": "mcp_list_tools", "id": "w", "tools": []}, MCPListToolsItem, BaseModel),
        ({"type": "mcp_approval_request", "id": "w"}, MCPApprovalRequestItem, BaseModel),
        ({"type": "mcp_approval_response", "approve": True}, MCPApprovalResponseItem, dict),
        ({"type": "shell_call_output", "id": "w"}, ToolCallOutputItem, ResponseFunctionShellToolCallOutput),
        ({"type": "invented_call", "id": "w", "new": 1}, UnrecognizedItem, BaseModel),
    ],
)
def test_an_output_item_is_seen_as_the_type_that_the_client_has_for_it(
    wire: dict[str, Any], kind: type[RunItem], view: type[Any]
) -> None:
    item = run_item(wire, AGENT)
    assert type(item) is kind
    assert isinstance(item.raw_item, view)
    assert item.to_input_item() is wire


def test_an_unknown_type_is_seen_as_a_plain_object_with_all_its_fields() -> None:
    view: Any = run_item({"type": "invented", "id": "w", "new": {"a": 1}}, AGENT).raw_item
    assert not isinstance(view, ResponseOutputMessage)
    assert (view.type, view.new) == ("invented", {"a": 1})


def test_an_output_that_was_made_here_is_a_dict() -> None:
    item = ToolCallOutputItem(AGENT, OUTPUT, output="x")
    assert item.raw_item is OUTPUT


def test_an_item_may_be_made_by_hand_of_an_object_of_the_client() -> None:
    raw = ResponseOutputMessage(
        id="msg_1",
        type="message",
        role="assistant",
        status="completed",
        content=[ResponseOutputText(type="output_text", text="hi", annotations=[])],
    )
    item = MessageOutputItem(agent=AGENT, raw_item=raw)
    assert item.raw_item is raw
    assert item == message()
    assert ItemHelpers.text_message_output(item) == "hi"


def test_an_item_of_nothing_can_be_compared_and_shown() -> None:
    item = MessageOutputItem(agent=AGENT, raw_item=None)
    assert item.raw_item is None
    assert item == copy.copy(item) != message()
    assert "raw_item=None" in repr(item)


def test_a_change_of_the_view_is_a_change_of_the_item() -> None:
    item = message()
    part = item.raw_item.content[0]
    assert isinstance(part, ResponseOutputText)
    assert item.to_input_item() == MESSAGE
    part.text = "other"
    assert ItemHelpers.text_message_output(item) == "other"
    assert item != message()
    assert copy.copy(item) == item


ITEMS: list[RunItem] = [
    run_item(MESSAGE, AGENT),
    ToolCallItem(AGENT, CALL, description="d", title="t"),
    ToolCallOutputItem(AGENT, OUTPUT, output=["x"], custom_data={"a": 1}),
    HandoffOutputItem(AGENT, OUTPUT, source_agent=AGENT, target_agent=Agent(name="b")),
    run_item({"type": "invented", "id": "w"}, AGENT),
]


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize("item", ITEMS)
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled, dataclasses.replace])
@pytest.mark.parametrize("is_seen", [False, True])
def test_a_copied_item_equals_it(item: RunItem, copied: Callable[[RunItem], RunItem], is_seen: bool) -> None:
    if is_seen:
        assert item.raw_item is not None
    twin = copied(item)
    assert twin == item
    assert twin is not item
    assert twin.raw_item == item.raw_item


def test_items_differ_by_each_of_their_fields() -> None:
    item = ToolCallOutputItem(AGENT, OUTPUT, output="x")
    others = [
        dataclasses.replace(item, **change)
        for change in (
            {"agent": Agent(name="b")},
            {"raw_item": OUTPUT | {"output": "y"}},
            {"output": "y"},
            {"custom_data": {}},
        )
    ]
    assert all(other != item for other in others)
    assert item != ToolCallItem(AGENT, OUTPUT)
    assert item != "x"


def test_the_fields_of_items_are_those_of_the_sdk_in_its_order() -> None:
    names = {kind: [field.name for field in dataclasses.fields(kind)] for kind in (ToolCallItem, ToolCallOutputItem)}
    assert names[ToolCallItem] == ["agent", "raw_item", "type", "description", "title", "tool_origin"]
    assert names[ToolCallOutputItem][:6] == ["agent", "raw_item", "output", "type", "tool_origin", "custom_data"]
    assert [field.name for field in dataclasses.fields(HandoffOutputItem)] == [
        "agent",
        "raw_item",
        "source_agent",
        "target_agent",
        "type",
    ]
    with pytest.raises(TypeError):
        MessageOutputItem(AGENT)


def test_an_item_is_matched_by_its_parts() -> None:
    match run_item(CALL, AGENT):
        case ToolCallItem(raw_item=ResponseFunctionToolCall(name=name)):
            assert name == "f"
        case _:
            pytest.fail("no match by keyword")
    match message():
        case MessageOutputItem(agent, ResponseOutputMessage(id=id)):
            assert (agent, id) == (AGENT, "msg_1")
        case _:
            pytest.fail("no match by position")


def test_a_released_agent_may_go_and_leaves_nothing_behind() -> None:
    agent: Agent[Any] = Agent(name="gone")
    item = HandoffOutputItem(agent, OUTPUT, source_agent=agent, target_agent=AGENT)
    item.release_agent()
    item.release_agent()
    assert item.agent is agent
    assert pickled(item).source_agent == agent
    del agent
    gc.collect()
    assert (item.agent, item.source_agent, item.target_agent) == (None, None, AGENT)
    assert "agent=None" in repr(item)


def test_the_call_and_output_of_a_handoff_name_their_call() -> None:
    call = HandoffCallItem(AGENT, CALL)
    output = HandoffOutputItem(AGENT, OUTPUT, source_agent=AGENT, target_agent=AGENT)
    assert (call.call_id, call.tool_name, output.call_id) == ("c", "f", "c")


@pytest.mark.parametrize(
    ("given", "wire"),
    [("x", "x"), ({"type": "text", "text": "x"}, [{"type": "input_text", "text": "x"}]), ({"a": 1}, '{"a": 1}')],
)
def test_a_tool_call_is_answered_by_an_item_of_its_output(given: Any, wire: Any) -> None:
    expected = {"type": "function_call_output", "call_id": "c", "output": wire}
    assert ItemHelpers.tool_call_output_item(CALL, given) == expected
    view: Any = run_item(CALL, AGENT).raw_item
    assert ItemHelpers.tool_call_output_item(view, given) == expected


def test_an_event_is_seen_as_the_type_that_the_client_has_for_it() -> None:
    event = RawResponsesStreamEvent(DELTA)
    assert isinstance(event.data, ResponseTextDeltaEvent)
    assert event.data.delta == "hi"
    assert event.data is event.data
    match event:
        case RawResponsesStreamEvent(data=ResponseTextDeltaEvent(delta=delta)):
            assert delta == "hi"
        case _:
            pytest.fail("no match by keyword")
    match event:
        case RawResponsesStreamEvent(ResponseTextDeltaEvent(), "raw_response_event"):
            pass
        case _:
            pytest.fail("no match by position")


@pytest.mark.parametrize("kind", ["response.invented", "", None])
def test_an_event_of_an_unknown_type_is_a_plain_object(kind: Any) -> None:
    data: Any = RawResponsesStreamEvent({"type": kind, "x": 1}).data
    assert data.__class__ is BaseModel
    assert (data.type, data.x) == (kind, 1)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled, dataclasses.replace])
def test_a_copied_event_equals_it(copied: Callable[[Any], Any]) -> None:
    event = RawResponsesStreamEvent(DELTA)
    assert copied(event) == event
    assert event.data is not None
    assert copied(event) == event
    made = RawResponsesStreamEvent(event.data)
    assert (copied(made), made) == (event, event)
    assert event != RawResponsesStreamEvent(DELTA | {"delta": "ho"})
    assert [field.name for field in dataclasses.fields(event)] == ["data", "type"]


def response(**changes: Any) -> ModelResponse:
    given: dict[str, Any] = {"output": [MESSAGE, CALL], "usage": Usage(requests=1), "response_id": "resp_1"} | changes
    return ModelResponse(**given)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled, dataclasses.replace])
@pytest.mark.parametrize("is_seen", [False, True])
def test_a_copied_response_equals_it(copied: Callable[[Any], Any], is_seen: bool) -> None:
    original = response(request_id="req_1", raw_usage={"a": 1})
    if is_seen:
        assert isinstance(original.output[0], ResponseOutputMessage)
    twin = copied(original)
    assert twin == original
    assert twin.to_input_items() == [MESSAGE, CALL]
    assert isinstance(twin.output[1], ResponseFunctionToolCall)


@pytest.mark.parametrize(
    "change",
    [{"output": [MESSAGE]}, {"usage": Usage()}, {"response_id": "x"}, {"request_id": "x"}, {"raw_usage": {}}],
)
def test_responses_differ_by_each_of_their_fields(change: dict[str, Any]) -> None:
    assert response() == response()
    assert response() != response(**change)


def test_what_is_changed_in_the_output_is_changed_in_the_response() -> None:
    given = response(output=copy.deepcopy([MESSAGE, CALL]))
    call = given.output.pop()
    assert given.to_input_items() == [MESSAGE]
    given.output.append(call)
    assert isinstance(call, ResponseFunctionToolCall)
    call.arguments = "[]"
    assert given.to_input_items() == [MESSAGE, CALL | {"arguments": "[]"}]
    assert given.raw_output == [MESSAGE, call]


def test_objects_of_a_custom_model_are_handed_back_as_they_came() -> None:
    raw = message().raw_item
    output = [raw]
    given = response(output=output)
    assert given.output is output
    assert given.output[0] is raw
    assert given.raw_output == [raw]
    assert given.to_input_items() == [MESSAGE]


def test_a_response_takes_what_its_transport_knows() -> None:
    measured = MeasuredResponse({"id": "resp_1", "output": [], "usage": {"input_tokens": 3}}, request_id="req_1")
    read = ModelResponse.from_wire(measured)
    assert (read.request_id, read.response_id, read.raw_usage) == ("req_1", "resp_1", {"input_tokens": 3})


def test_comparing_copying_and_showing_needs_no_client() -> None:
    script = f"""
import copy, pickle, sys
from agentctl import Agent, MessageOutputItem, ModelResponse, RawResponsesStreamEvent, Usage
item = MessageOutputItem(Agent(name="a"), {MESSAGE})
event = RawResponsesStreamEvent({DELTA})
response = ModelResponse(output=[{MESSAGE}], usage=Usage(), response_id=None)
for value in (item, event, response):
    assert copy.deepcopy(value) == value == pickle.loads(pickle.dumps(value))
    assert "hi" in repr(value)
print("openai" in sys.modules, "pydantic" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
