"""Items as they are sent back: without what only the service adds."""

from typing import Any

from openai.types.responses import ResponseApplyPatchToolCall

from agentctl import Agent, ItemHelpers, ModelResponse, ToolCallItem, ToolCallOutputItem
from agentctl.agent.items.views import replayable

CALL: dict[str, Any] = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}


def test_created_by_is_dropped_and_the_item_stays_as_it_came() -> None:
    wire = {**CALL, "created_by": "service"}
    item = ToolCallItem(Agent(name="a"), wire)
    assert item.to_input_item() == CALL
    assert item.wire["created_by"] == "service"
    assert replayable(CALL) is CALL


def test_of_typed_output_too() -> None:
    typed = ResponseApplyPatchToolCall.model_validate(
        {
            "type": "apply_patch_call",
            "id": "a",
            "call_id": "c",
            "status": "completed",
            "created_by": "service",
            "operation": {"type": "delete_file", "path": "p"},
        }
    )
    assert "created_by" not in ModelResponse(output=[typed]).to_input_items()[0]


def test_of_a_shell_output_its_parts_too() -> None:
    chunk = {"stdout": "ok", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}
    wire = {
        "type": "shell_call_output",
        "call_id": "c",
        "output": [{**chunk, "created_by": "service"}],
        "provider_data": {"x": 1},
        "created_by": "service",
    }
    for given in (wire, {**wire, "status": "completed"}):
        item = ToolCallOutputItem(Agent(name="a"), given, output="ok")
        assert item.to_input_item() == {"type": "shell_call_output", "call_id": "c", "output": [chunk]}
    of_service = {"type": "shell_call_output", "call_id": "c", "output": [chunk], "status": "completed"}
    assert ToolCallOutputItem(Agent(name="a"), of_service, output="ok").to_input_item() == of_service
    assert wire["output"] == [{**chunk, "created_by": "service"}]


def test_content_that_pydantic_validates_lazily_becomes_a_list() -> None:
    from openai.types.responses import ResponseInputItemParam
    from pydantic import TypeAdapter

    text = {"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}
    message = {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    lazy = TypeAdapter(list[ResponseInputItemParam]).validate_python([message])
    assert ItemHelpers.input_to_new_input_list(lazy) == [message]
