"""Responses as a service that is not quite compatible writes them."""

from typing import Any

import pytest

from agentctl import Agent
from agentctl.agent.items.run_items import ModelResponse, ToolCallItem, message_refusal, message_text, run_item
from agentctl.agent.usage import Usage
from agentctl.errors import ModelBehaviorError

AGENT: Agent[Any] = Agent(name="a")


@pytest.mark.parametrize("output", [["text"], [None], [3], {"a": 1}, "text"])
def test_an_output_that_is_no_list_of_items_breaks_the_protocol(output: Any) -> None:
    with pytest.raises(ModelBehaviorError, match="not a list of items"):
        ModelResponse.from_wire({"output": output})


@pytest.mark.parametrize("usage", [None, "many", [1], 5, {"input_tokens": "5", "output_tokens_details": 3}])
def test_usage_that_is_no_number_counts_as_nothing(usage: Any) -> None:
    assert ModelResponse.from_wire({"usage": usage}).usage == Usage(requests=1)


@pytest.mark.parametrize("details", [None, "x", ["max_output_tokens"], {"reason": {}}])
def test_a_response_without_a_reason_is_incomplete_all_the_same(details: Any) -> None:
    response = ModelResponse.from_wire({"status": "incomplete", "incomplete_details": details, "id": 5})
    assert (response.incomplete, response.response_id) == ("unknown reason", None)


@pytest.mark.parametrize("content", [None, "text", [None], ["text"], [{"type": "output_text", "text": 5}]])
def test_a_message_whose_parts_are_none_has_no_text(content: Any) -> None:
    message = {"type": "message", "content": content}
    assert message_text(message) == ""
    assert message_refusal(message) is None


@pytest.mark.parametrize("kind", [None, 4, ["function_call"]])
def test_an_item_of_no_type_is_not_recognized(kind: Any) -> None:
    assert run_item({"type": kind}, AGENT).type == "unrecognized_item"


def test_a_call_whose_name_and_id_are_no_text_has_none() -> None:
    item = run_item({"type": "function_call", "name": {"a": 1}, "call_id": ["c"]}, AGENT)
    assert isinstance(item, ToolCallItem)
    assert (item.tool_name, item.call_id) == (None, None)
