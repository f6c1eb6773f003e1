"""What is exported for handoffs: filters, and a prompt."""

from typing import Any

import pytest

from agentctl import Agent, HandoffInputData
from agentctl.agent.items.run_items import HandoffCallItem, HandoffOutputItem, MessageOutputItem, RunItem, run_item
from agentctl.extensions import handoff_filters
from agentctl.extensions.handoff_filters import remove_all_tools
from agentctl.extensions.handoff_prompt import RECOMMENDED_PROMPT_PREFIX, prompt_with_handoff_instructions
from agentctl.testing import assistant_message, function_call

AGENT = Agent[Any](name="a")

OF_TOOLS = [
    "reasoning",
    "program",
    "program_output",
    *(
        f"{tool}_call{suffix}"
        for tool in ("function", "computer", "local_shell", "shell", "apply_patch", "custom_tool")
        for suffix in ("", "_output")
    ),
    *(f"{tool}_call" for tool in ("file_search", "web_search", "code_interpreter", "image_generation", "tool_search")),
    *(f"mcp_{what}" for what in ("call", "list_tools", "approval_request", "approval_response")),
]


def items() -> tuple[RunItem, ...]:
    call: Any = function_call("f", {}, call_id="c")
    output: Any = {"type": "function_call_output", "call_id": "h", "output": "{}"}
    return (
        run_item({"type": "reasoning", "id": "r", "summary": []}, AGENT),
        MessageOutputItem(AGENT, assistant_message("hello")),  # type: ignore[arg-type]
        run_item(call, AGENT),
        run_item({"type": "web_search_call", "id": "w"}, AGENT),
        HandoffCallItem(AGENT, call),
        HandoffOutputItem(AGENT, output, AGENT, AGENT),
    )


@pytest.mark.parametrize("kind", OF_TOOLS)
def test_no_item_of_a_tool_is_left_in_the_input(kind: str) -> None:
    message = {"role": "user", "content": "hi"}
    data = HandoffInputData(input_history=(message, {"type": kind}), pre_handoff_items=(), new_items=())
    assert remove_all_tools(data).input_history == (message,)


def test_only_messages_are_left_of_what_a_run_added() -> None:
    data = HandoffInputData(input_history="hi", pre_handoff_items=items(), new_items=items(), input_items=items())
    filtered = remove_all_tools(data)
    assert filtered.input_history == "hi"
    for left in (filtered.pre_handoff_items, filtered.new_items, filtered.input_items):
        assert left is not None
        assert [type(item) for item in left] == [MessageOutputItem]


def test_items_that_stand_for_others_stay() -> None:
    kept = ({"type": "item_reference", "id": "i"}, {"type": "compaction", "id": "c"})
    data = HandoffInputData(input_history=kept, pre_handoff_items=(), new_items=())
    assert remove_all_tools(data) == data


def test_nesting_is_exported_beside_it() -> None:
    assert sorted(handoff_filters.__all__) == [
        "default_handoff_history_mapper",
        "nest_handoff_history",
        "remove_all_tools",
    ]


def test_instructions_begin_with_what_handoffs_are() -> None:
    prompt = prompt_with_handoff_instructions("You know invoices.")
    assert prompt.startswith(RECOMMENDED_PROMPT_PREFIX)
    assert prompt.endswith("\n\nYou know invoices.")
    assert "transfer_to_" in prompt
