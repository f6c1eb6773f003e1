import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.models.responses.planner import Chain, Delta, Full, chain_after, frame, plan

USER = {"role": "user", "content": "hi"}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "1"}
RESPONSE = {"id": "resp_1", "output": [CALL]}


def body(*items: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "gpt-x", "input": list(items), "tools": [{"type": "function", "name": "f"}], **fields}


def chain_of(first: dict[str, Any], response: dict[str, Any] | None = None) -> Chain:
    chain = chain_after(first, response or RESPONSE)
    assert chain is not None
    return chain


def planned(second: dict[str, Any], first: dict[str, Any] | None = None) -> Full | Delta:
    return plan(chain_of(first or body(USER)), second)


def test_a_request_that_goes_on_sends_only_its_new_items_and_the_id_of_the_response() -> None:
    second = body(USER, CALL, OUTPUT)
    delta = planned(second)
    assert delta == Delta("resp_1", 2)
    sent = frame(second, delta)
    assert sent == {**second, "type": "response.create", "previous_response_id": "resp_1", "input": [OUTPUT]}


def test_a_socket_without_history_gets_the_full_input_without_an_id() -> None:
    assert plan(None, body(USER)) == Full()
    assert frame(body(USER), Full()) == {"type": "response.create", **body(USER)}


def test_what_only_http_knows_is_not_sent() -> None:
    assert not {"stream", "background"} & frame(body(USER, stream=True, background=True), Full()).keys()


def test_nothing_new_is_an_empty_delta() -> None:
    assert frame(body(USER, CALL), planned(body(USER, CALL)))["input"] == []


@pytest.mark.parametrize(
    "second",
    [
        body(USER),
        body(USER, CALL, OUTPUT, tools=[]),
        body(USER, CALL, OUTPUT, model="gpt-y"),
        body(USER, CALL, OUTPUT, instructions="Be brief."),
        body(USER, CALL, OUTPUT, store=False),
        body({"role": "user", "content": "other"}, CALL, OUTPUT),
        body(USER, {**CALL, "arguments": '{"a": 1}'}, OUTPUT),
        body(CALL, OUTPUT),
        body(USER, CALL, OUTPUT) | {"input": "text"},
    ],
    ids=["shorter", "tools", "model", "instructions", "store", "first item", "call", "cut history", "text"],
)
def test_whatever_else_changed_sends_the_full_input(second: dict[str, Any]) -> None:
    assert planned(second) == Full()


@pytest.mark.parametrize("volatile", ["generate", "client_metadata", "stream", "stream_id", "max_output_tokens"])
def test_fields_that_are_no_part_of_the_conversation_may_change(volatile: str) -> None:
    assert planned(body(USER, CALL, OUTPUT, **{volatile: "x"})) == Delta("resp_1", 2)


@pytest.mark.parametrize("context", ["previous_response_id", "conversation", "prompt"])
def test_context_that_the_user_brings_in_is_never_mixed_with_ours(context: str) -> None:
    theirs = {context: "theirs"}
    assert planned(body(USER, CALL, OUTPUT, **theirs)) == Full()
    assert frame(body(USER, **theirs), Full())[context] == "theirs"
    assert chain_after(body(USER, **theirs), RESPONSE) is None


@pytest.mark.parametrize("store", [True, False])
def test_store_makes_no_difference_on_a_live_socket(store: bool) -> None:
    assert planned(body(USER, CALL, OUTPUT, store=store), body(USER, store=store)) == Delta("resp_1", 2)


@pytest.mark.parametrize("response", [{"output": [CALL]}, {"id": None, "output": []}, {"id": "", "output": []}])
def test_a_response_without_an_id_cannot_be_followed(response: dict[str, Any]) -> None:
    assert chain_after(body(USER), response) is None


def test_history_that_is_changed_in_place_is_seen() -> None:
    user: dict[str, Any] = {"role": "user", "content": [{"type": "input_text", "text": "hi"}]}
    chain = chain_of(body(user))
    assert plan(chain, body(user, CALL, OUTPUT)) == Delta("resp_1", 2)
    user["content"][0]["text"] = "rewritten"
    assert plan(chain, body(user, CALL, OUTPUT)) == Full()


def test_an_item_that_is_no_json_may_have_changed_unseen() -> None:
    item = object()
    assert plan(chain_of(body(item)), body(item, CALL, OUTPUT)) == Full()


@pytest.mark.parametrize(
    ("output", "expects_output"),
    [
        ([CALL], True),
        ([{"type": "mcp_approval_request", "id": "a"}], True),
        ([{"type": "web_search_call", "id": "w"}, {"type": "message", "content": []}], False),
        ([], False),
    ],
)
def test_a_response_that_calls_a_tool_of_ours_awaits_its_output(output: list[Any], expects_output: bool) -> None:
    assert chain_of(body(USER), {"id": "resp_1", "output": output}).expects_output is expects_output


_items = st.builds(
    lambda kind, text, parts: {"type": kind, "text": text, "content": parts},
    st.sampled_from(["message", "function_call", "function_call_output", "reasoning"]),
    st.text(max_size=3),
    st.lists(st.dictionaries(st.sampled_from("ab"), st.text(max_size=2), max_size=2), max_size=2),
)
_lists = st.lists(_items, max_size=3)


class Server:
    """Holds what the newest response followed, as the service does."""

    def __init__(self) -> None:
        self.known: dict[str, list[Any]] = {}

    def answer(self, sent: dict[str, Any], output: list[Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return the input as the service reads it, and the response."""
        before = self.known[sent["previous_response_id"]] if "previous_response_id" in sent else []
        read = [*before, *copy.deepcopy(sent["input"])]
        response = {"id": f"resp_{id(sent)}_{len(read)}", "output": output}
        self.known = {response["id"]: [*read, *copy.deepcopy(output)]}
        return read, response


@given(st.data())
def test_the_service_always_reads_the_full_input(data: st.DataObject) -> None:
    server, chain = Server(), None
    history = list(data.draw(_lists))
    for _ in range(data.draw(st.integers(1, 6))):
        request = body(*history, tools=data.draw(st.sampled_from([[], [{"name": "f"}]])))
        chosen = plan(chain, request)
        read, response = server.answer(frame(request, chosen), data.draw(_lists))
        assert read == history
        chain = chain_after(request, response, chain if isinstance(chosen, Delta) else None)
        history = [*history, *response["output"], *data.draw(_lists)]
        match data.draw(st.sampled_from(["go on", "go on", "go on", "drop", "edit", "reorder"])):
            case "drop" if history:
                del history[data.draw(st.integers(0, len(history) - 1))]
            case "edit" if history:
                history[data.draw(st.integers(0, len(history) - 1))]["text"] = "edited"
            case "reorder":
                history = history[::-1]


@given(_lists, _lists, _lists)
def test_a_history_that_only_grew_is_never_sent_twice(first: list[Any], output: list[Any], new: list[Any]) -> None:
    chain = chain_of(body(*first), {"id": "resp_1", "output": output})
    grown = body(*copy.deepcopy(first), *copy.deepcopy(output), *new)
    assert frame(grown, plan(chain, grown))["input"] == new


def test_what_a_chain_knows_is_not_copied_again() -> None:
    first = chain_of(body(USER))
    second = chain_after(body(USER, CALL, OUTPUT), {"id": "resp_2", "output": []}, first)
    assert second is not None
    assert all(known is kept for known, kept in zip(first.items, second.items, strict=False))
    assert second.items[2] == OUTPUT
