"""Handoffs as users make them: names, schemas, what `on_handoff` may be, and histories made into one message."""

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from agentctl import (
    Agent,
    Handoff,
    HandoffInputData,
    ModelBehaviorError,
    RunContextWrapper,
    UserError,
    default_handoff_history_mapper,
    get_conversation_history_wrappers,
    handoff,
    nest_handoff_history,
    reset_conversation_history_wrappers,
    set_conversation_history_wrappers,
)
from agentctl.agent.items.run_items import MessageOutputItem
from agentctl.testing import assistant_message, function_call

BILLING = Agent[Any](name="Billing (EU)", handoff_description="Knows invoices.")
CONTEXT = RunContextWrapper[Any]("ctx")


class Reason(BaseModel):
    """Why."""

    reason: str
    urgent: bool = False


@dataclass
class Ticket:
    """A case."""

    number: int


def take(made: Handoff[Any, Any], arguments: str = "{}") -> Any:
    async def scenario() -> Any:
        return await made.on_invoke_handoff(CONTEXT, arguments)

    return asyncio.run(scenario())


def test_a_handoff_is_named_and_described_after_its_agent() -> None:
    made = handoff(BILLING)
    assert made.tool_name == "transfer_to_billing__eu_"
    assert "Billing (EU)" in made.tool_description
    assert made.tool_description.endswith("Knows invoices.")
    assert made.agent_name == "Billing (EU)"
    assert made.input_json_schema == {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    assert made.strict_json_schema
    assert made.get_transfer_message(BILLING) == '{"assistant": "Billing (EU)"}'


def test_name_and_description_may_be_given() -> None:
    made = handoff(BILLING, tool_name_override="to_billing", tool_description_override="For money.")
    assert (made.tool_name, made.tool_description) == ("to_billing", "For money.")


def test_taking_a_handoff_gives_its_agent_whatever_the_model_wrote() -> None:
    assert take(handoff(BILLING), "no json") is BILLING


def test_on_handoff_gets_the_context_and_may_be_async() -> None:
    heard: list[Any] = []

    async def later(context: RunContextWrapper[Any]) -> None:
        await asyncio.sleep(0)
        heard.append(context)

    assert take(handoff(BILLING, on_handoff=heard.append)) is BILLING
    assert take(handoff(BILLING, on_handoff=later)) is BILLING
    assert heard == [CONTEXT, CONTEXT]


@pytest.mark.parametrize(
    ("kind", "arguments", "value"),
    [
        (Reason, '{"reason": "r", "urgent": true}', Reason(reason="r", urgent=True)),
        (Ticket, '{"number": 7}', Ticket(7)),
    ],
    ids=["model", "dataclass"],
)
def test_on_handoff_gets_the_input_in_its_type(kind: Any, arguments: str, value: Any) -> None:
    heard: list[Any] = []
    made = handoff(BILLING, on_handoff=lambda context, given: heard.append(given), input_type=kind)
    assert take(made, arguments) is BILLING
    assert heard == [value]


def test_the_schema_of_an_input_is_strict() -> None:
    made = handoff(BILLING, on_handoff=lambda context, given: None, input_type=Reason)
    assert made.input_json_schema["required"] == ["reason", "urgent"]
    assert made.input_json_schema["additionalProperties"] is False


@pytest.mark.parametrize("arguments", ["", "nope", "null", '{"reason": 1}', "{}", "[]"])
def test_input_that_does_not_fit_is_a_fault_of_the_model(arguments: str) -> None:
    made = handoff(BILLING, on_handoff=lambda context, given: None, input_type=Reason)
    with pytest.raises(ModelBehaviorError, match="input for the handoff to 'Billing"):
        take(made, arguments)


def no_argument() -> None:
    """Take nothing."""


def two_arguments(context: Any, given: Any) -> None:
    """Take context and input."""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_type": Reason}, "needs an on_handoff"),
        ({"on_handoff": no_argument}, "one argument"),
        ({"on_handoff": two_arguments}, "one argument"),
        ({"on_handoff": lambda context: None, "input_type": Reason}, "two arguments"),
        ({"on_handoff": "text"}, "on_handoff must be a function, not str"),
        ({"on_handoff": two_arguments, "input_type": dict[str, int]}, r"handoff to 'Billing.*arbitrary keys"),
        ({"on_handoff": two_arguments, "input_type": 5}, "no JSON schema"),
    ],
)
def test_a_handoff_that_cannot_be_called_is_refused_when_it_is_made(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        handoff(BILLING, **options)


def test_pydantic_is_imported_only_for_a_handoff_with_input() -> None:
    program = (
        "import sys; from agentctl import Agent, handoff; import agentctl.agent.handoff_history;"
        "handoff(Agent(name='a'), on_handoff=print); assert 'pydantic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_copy_of_input_data_has_what_is_changed() -> None:
    data = HandoffInputData(input_history="hi", pre_handoff_items=(), new_items=())
    assert data.clone(input_history="ho") == HandoffInputData("ho", (), ())
    assert data.input_history == "hi"


def test_a_nested_history_is_one_message_with_an_entry_for_each_item() -> None:
    items: list[dict[str, Any]] = [
        {"role": "user", "content": "Hello\nthere"},
        {"type": "reasoning", "id": "r", "summary": []},
        function_call("look", {"x": 1}, call_id="c1"),
        assistant_message("1. one\n2. two"),
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "See"}, {"type": "input_image", "image_url": "u"}],
            "name": "Ada",
        },
    ]
    (message,) = default_handoff_history_mapper(items)
    assert message["role"] == "assistant"
    assert message["content"].splitlines()[1:] == [
        "<CONVERSATION HISTORY>",
        "1. user: Hello",
        "   there",
        f"2. {json.dumps(items[2])}",
        "3. assistant: 1. one",
        "   2. two",
        f"4. user (Ada), in parts: {json.dumps(items[4]['content'])}",
        "</CONVERSATION HISTORY>",
    ]


def test_a_nested_history_in_a_nested_history_gives_its_entries() -> None:
    items = [{"role": "user", "content": "a\nb"}, assistant_message("c")]
    more = [{"role": "user", "content": "d"}]
    twice = default_handoff_history_mapper([*default_handoff_history_mapper(items), *more])
    assert twice == default_handoff_history_mapper([*items, *more])


TRANSCRIPTS = st.lists(
    st.builds(
        lambda role, text: {"role": role, "content": text}, st.sampled_from(["user", "assistant", "system"]), st.text()
    )
    | st.builds(lambda text: function_call("look", text, call_id="c"), st.text())
    | st.sampled_from(
        [
            {"role": "user", "content": "1. a\n2. b\n   3. c\n\n4. "},
            {"role": "assistant", "content": "\n</CONVERSATION HISTORY>"},
            {"role": "user", "content": "<CONVERSATION HISTORY>\n1. user: x\n</CONVERSATION HISTORY>"},
        ]
    ),
    max_size=5,
)


@given(before=TRANSCRIPTS, after=TRANSCRIPTS)
def test_nesting_twice_is_nesting_all(before: list[Any], after: list[Any]) -> None:
    twice = default_handoff_history_mapper([*default_handoff_history_mapper(before), *after])
    assert twice == default_handoff_history_mapper([*before, *after])


def unnested(items: list[Any]) -> list[Any]:
    """Return what a mapper is given for a history that begins with these items, nested."""
    given: list[Any] = []
    data = HandoffInputData(tuple(default_handoff_history_mapper(items)), pre_handoff_items=(), new_items=())
    nest_handoff_history(data, history_mapper=lambda transcript: given.extend(transcript) or [])  # type: ignore[func-returns-value]
    return given


@given(items=TRANSCRIPTS)
def test_a_mapper_gets_the_items_of_an_earlier_nested_history(items: list[Any]) -> None:
    assert unnested(items) == items


@pytest.mark.parametrize(
    "item",
    [
        {"role": "user", "name": "Ada", "content": "a\n2. b"},
        {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "u"}]},
        {"role": "user", "content": ', in parts: [{"type": "input_image"}]'},
        {"role": "user", "content": "(Ada): hi"},
    ],
)
def test_names_and_parts_come_back_from_a_nested_history(item: dict[str, Any]) -> None:
    assert unnested([item]) == [item]


def test_a_message_that_only_looks_like_a_nested_history_is_kept() -> None:
    (message,) = default_handoff_history_mapper([{"role": "user", "content": "x"}])
    for odd in ("{no JSON", "[1]", "user, in parts: no JSON"):
        text = message["content"].replace("user: x", odd)
        data = HandoffInputData(({"role": "assistant", "content": text},), pre_handoff_items=(), new_items=())
        shown = nest_handoff_history(data, history_mapper=list).input_history
        assert shown == ({"role": "assistant", "content": odd},)


def test_a_nested_history_that_the_sdk_wrote_is_read() -> None:
    text = "For context, here is the conversation so far:\n<CONVERSATION HISTORY>\n1. user: a\nb\n2. assistant: c\n"
    items = unnested([{"role": "assistant", "content": f"{text}</CONVERSATION HISTORY>"}])
    assert items == [{"role": "user", "content": "a\nb"}, {"role": "assistant", "content": "c"}]


def test_nesting_shows_the_mapped_history_and_keeps_the_new_items() -> None:
    item = MessageOutputItem(BILLING, assistant_message("moving"))
    data = HandoffInputData(input_history="hi", pre_handoff_items=(item,), new_items=(item,))
    heard: list[Any] = []

    def mapper(transcript: list[Any]) -> list[Any]:
        heard.extend(transcript)
        return [{"role": "user", "content": "short"}]

    nested = nest_handoff_history(data, history_mapper=mapper)
    assert heard == [{"role": "user", "content": "hi"}, item.wire, item.wire]
    assert nested.input_history == ({"role": "user", "content": "short"},)
    assert (nested.pre_handoff_items, nested.new_items, nested.input_items) == ((), (item,), ())


def test_the_wrappers_of_a_nested_history_may_be_changed() -> None:
    set_conversation_history_wrappers(start="[[")
    try:
        assert get_conversation_history_wrappers() == ("[[", "</CONVERSATION HISTORY>")
        (message,) = default_handoff_history_mapper([{"role": "user", "content": "hi"}])
        assert message["content"].splitlines()[1:3] == ["[[", "1. user: hi"]
    finally:
        reset_conversation_history_wrappers()
    assert get_conversation_history_wrappers() == ("<CONVERSATION HISTORY>", "</CONVERSATION HISTORY>")
