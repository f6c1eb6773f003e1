import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.errors import (
    AuthenticationError,
    IncompleteStreamError,
    ModelBehaviorError,
    RequestRejectedError,
    ServiceError,
    ServiceUnavailableError,
)
from agentctl.models.chat.fold import ChatFold
from agentctl.models.responses.fold import ResponseFold

Wire = dict[str, Any]


def fold_of(**options: Any) -> ChatFold:
    numbers = itertools.count(1)
    return ChatFold(
        service="api.example",
        model="asked-for",
        new_id=lambda prefix: f"{prefix}_{next(numbers)}",
        created_at=5.5,
        **options,
    )


def chunk(delta: Wire | None = None, finish: str | None = None, **more: Any) -> Wire:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish, **more}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 3, "model": "m-1", "choices": [choice]}


def calls(*pieces: Wire) -> Wire:
    return chunk({"tool_calls": list(pieces)})


def piece(arguments: Any = None, *, index: int | None = 0, call_id: str | None = None, name: str | None = None) -> Wire:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    told = {key: value for key, value in (("index", index), ("id", call_id)) if value is not None}
    return {**told, "function": function}


STOP = chunk(finish="stop")
USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


def events_of(*chunks: Wire, **options: Any) -> list[Wire]:
    fold = fold_of(**options)
    events: list[Wire] = []
    for one in chunks:
        events += fold.read(one)
    assert not fold.is_complete
    events += fold.end()
    assert fold.is_complete
    return events


def response_of(*chunks: Wire, **options: Any) -> Wire:
    response: Wire = events_of(*chunks, **options)[-1]["response"]
    return response


def called(*chunks: Wire, **options: Any) -> list[tuple[str, str, str]]:
    output = response_of(*chunks, STOP, **options)["output"]
    return [(item["call_id"], item["name"], item["arguments"]) for item in output if item["type"] == "function_call"]


def types(events: list[Wire]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def test_text_is_a_message_as_the_responses_api_streams_it() -> None:
    events = events_of(
        chunk({"role": "assistant", "content": ""}), chunk({"content": "Hel"}), chunk({"content": "lo"}), STOP
    )
    assert types(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event["sequence_number"] for event in events] == list(range(10))
    part = {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}
    message = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    response = events[-1]["response"]
    assert response["output"] == [message]
    assert (response["id"], response["model"], response["created_at"]) == ("chatcmpl-1", "m-1", 3)
    assert response["status"] == "completed"


def test_what_a_server_does_not_say_of_a_completion_is_filled_in() -> None:
    response = response_of({"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]})
    assert (response["id"], response["model"], response["created_at"]) == ("chatcmpl_1", "asked-for", 5)
    assert response["usage"] is None


@pytest.mark.parametrize("last", [{**STOP, "usage": USAGE}, {"choices": [], "usage": USAGE}])
def test_usage_comes_with_the_last_chunk_or_in_one_of_its_own(last: Wire) -> None:
    chunks = [chunk({"content": "a"}), STOP, last] if not last["choices"] else [chunk({"content": "a"}), last]
    assert response_of(*chunks)["usage"] == {
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 12,
    }


def test_the_details_of_usage_are_kept_and_nulls_in_it_count_as_nothing() -> None:
    usage = {
        "prompt_tokens": 7,
        "completion_tokens": None,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    told = response_of(chunk({"content": "a"}), STOP, {"choices": [], "usage": usage})["usage"]
    assert (told["output_tokens"], told["total_tokens"]) == (0, 7)
    assert told["input_tokens_details"] == {"cached_tokens": 3}
    assert told["output_tokens_details"] == {"reasoning_tokens": 2}


def test_a_null_usage_takes_nothing_back() -> None:
    first, last = {**chunk({"content": "a"}), "usage": USAGE}, {**STOP, "usage": None}
    assert response_of(first, last)["usage"]["total_tokens"] == 12


def test_a_refusal_is_a_refusal_part() -> None:
    events = events_of(chunk({"refusal": "I can"}), chunk({"refusal": "not."}), STOP)
    assert types(events)[4:7] == ["refusal.delta", "refusal.delta", "refusal.done"]
    assert events[-1]["response"]["output"][0]["content"] == [{"type": "refusal", "refusal": "I cannot."}]


def test_text_and_then_a_refusal_are_two_parts_of_one_message() -> None:
    (message,) = response_of(chunk({"content": "Well, "}), chunk({"refusal": "no."}), STOP)["output"]
    assert [part["type"] for part in message["content"]] == ["output_text", "refusal"]


def test_reasoning_content_is_a_summary_before_the_message() -> None:
    events = events_of(
        chunk({"reasoning_content": "Hm"}), chunk({"reasoning_content": "."}), chunk({"content": "a"}), STOP
    )
    assert types(events)[2:9] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
    ]
    thought, message = events[-1]["response"]["output"]
    assert thought["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert message["content"][0]["text"] == "a"


def test_reasoning_under_its_other_name_is_reasoning_text() -> None:
    thought, _ = response_of(chunk({"reasoning": "Hm."}), chunk({"content": "a"}), STOP)["output"]
    assert (thought["summary"], thought["content"]) == ([], [{"type": "reasoning_text", "text": "Hm."}])


def test_reasoning_under_both_names_is_read_once() -> None:
    both = {"reasoning": "Hm.", "reasoning_content": "Hm.", "content": "a"}
    thought, _ = response_of(chunk(both), STOP)["output"]
    assert thought["summary"] == [{"type": "summary_text", "text": "Hm."}]


def test_text_around_reasoning_and_calls_is_one_message() -> None:
    output = response_of(
        chunk({"content": "One "}),
        chunk({"reasoning_content": "Hm."}),
        calls(piece("{}", call_id="c1", name="look")),
        chunk({"content": "two"}),
        STOP,
    )["output"]
    assert [item["type"] for item in output] == ["message", "reasoning", "function_call"]
    assert output[0]["content"][0]["text"] == "One two"


def test_the_pieces_of_a_call_are_joined() -> None:
    events = events_of(
        calls(piece("", call_id="c1", name="look")),
        calls(piece('{"at":')),
        calls(piece(' "sky"}')),
        chunk(finish="tool_calls"),
    )
    assert types(events)[2:] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    added = events[2]["item"]
    assert (added["name"], added["call_id"], added["status"]) == ("look", "c1", "in_progress")
    (call,) = events[-1]["response"]["output"]
    assert call == {**added, "arguments": '{"at": "sky"}', "status": "completed"}


def test_calls_that_come_interleaved_stay_apart() -> None:
    assert called(
        calls(piece('{"a"', index=0, call_id="c1", name="one"), piece('{"b"', index=1, call_id="c2", name="two")),
        calls(piece(":2}", index=1)),
        calls(piece(":1}", index=0)),
    ) == [("c1", "one", '{"a":1}'), ("c2", "two", '{"b":2}')]


def test_a_name_in_pieces_is_joined_and_one_repeated_with_every_piece_is_not() -> None:
    assert called(calls(piece(call_id="c1", name="get_")), calls(piece(name="sky")), calls(piece("{}"))) == [
        ("c1", "get_sky", "{}")
    ]
    assert called(
        calls(piece("", call_id="c1", name="look")),
        calls(piece('{"a"', call_id="c1", name="look")),
        calls(piece(":1}", call_id="c1", name="look")),
    ) == [("c1", "look", '{"a":1}')]


def test_whole_calls_under_one_index_are_told_by_their_ids() -> None:
    assert called(
        calls(piece('{"a":1}', call_id="c1", name="look")), calls(piece('{"a":2}', call_id="c2", name="look"))
    ) == [("c1", "look", '{"a":1}'), ("c2", "look", '{"a":2}')]


def test_whole_calls_under_one_index_and_without_ids_are_told_by_their_arguments() -> None:
    assert called(calls(piece('{"a":1}', name="look")), calls(piece('{"a":2}', name="look"))) == [
        ("call_1", "look", '{"a":1}'),
        ("call_3", "look", '{"a":2}'),
    ]


def test_calls_without_arguments_under_one_index_are_told_by_their_ids() -> None:
    assert called(calls(piece("", call_id="c1", name="one")), calls(piece("", call_id="c2", name="two"))) == [
        ("c1", "one", ""),
        ("c2", "two", ""),
    ]


def test_an_id_made_up_for_every_piece_does_not_cut_a_call() -> None:
    assert called(
        calls(piece('{"a"', call_id="c1", name="look")),
        calls(piece(":", call_id="c2", name="look")),
        calls(piece("1}", call_id="c3")),
    ) == [("c1", "look", '{"a":1}')]


def test_calls_without_an_index_are_told_apart_too() -> None:
    assert called(
        calls(piece('{"a":', index=None, call_id="c1", name="one")),
        calls(piece("1}", index=None)),
        calls(piece('{"b":2}', index=None, call_id="c2", name="two")),
        calls(piece(" ", index=None, call_id="c1")),
    ) == [("c1", "one", '{"a":1} '), ("c2", "two", '{"b":2}')]


def test_two_calls_never_share_an_id() -> None:
    first, second = called(
        calls(piece("{}", index=0, call_id="c1", name="one"), piece("{}", index=1, call_id="c1", name="two"))
    )
    assert (first[0], second[1]) == ("c1", "two")
    assert second[0] != "c1"


def test_arguments_that_come_as_an_object_are_json() -> None:
    assert called(calls(piece({"a": "ü"}, call_id="c1", name="look"))) == [("c1", "look", '{"a": "ü"}')]


def test_arguments_that_come_before_the_name_wait_for_it() -> None:
    assert called(calls(piece('{"a"', call_id="c1")), calls(piece(":1}", name="look"))) == [("c1", "look", '{"a":1}')]


def test_buffered_calls_come_whole_at_the_end() -> None:
    fold = fold_of(buffers_tool_calls=True)
    begun = fold.read(calls(piece('{"a"', call_id="c1", name="look"))) + fold.read(calls(piece(":1}")))
    assert types(begun) == ["created", "in_progress"]
    fold.read(STOP)
    assert types(fold.end())[0] == "output_item.added"
    assert called(calls(piece("{}", call_id="c1", name="look")), buffers_tool_calls=True) == [("c1", "look", "{}")]


@pytest.mark.parametrize("finish", ["stop", "tool_calls", "function_call", "eos"])
def test_a_finish_that_says_nothing_against_it_completes_the_response(finish: str) -> None:
    response = response_of(calls(piece("{}", call_id="c1", name="look")), chunk(finish=finish))
    assert (response["status"], response["output"][0]["status"]) == ("completed", "completed")


@pytest.mark.parametrize(("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_a_response_that_was_cut_is_incomplete_and_says_why(finish: str, reason: str) -> None:
    events = events_of(chunk({"content": "a"}), calls(piece('{"a"', call_id="c1", name="look")), chunk(finish=finish))
    response = events[-1]["response"]
    assert events[-1]["type"] == "response.incomplete"
    assert response["incomplete_details"] == {"reason": reason}
    assert [item["status"] for item in response["output"]] == ["completed", "incomplete"]


def test_logprobs_go_with_their_text() -> None:
    entry = {"token": "a", "bytes": [97], "logprob": -0.1, "top_logprobs": []}
    events = events_of(chunk({"content": "a"}, logprobs={"content": [entry], "refusal": None}), STOP)
    deltas = [event for event in events if event["type"] == "response.output_text.delta"]
    assert deltas[0]["logprobs"] == [entry]
    assert events[-1]["response"]["output"][0]["content"][0]["logprobs"] == [entry]


def test_content_in_parts_is_their_text() -> None:
    (message,) = response_of(chunk({"content": [{"type": "text", "text": "a"}, {"type": "x", "text": "b"}]}), STOP)[
        "output"
    ]
    assert message["content"][0]["text"] == "a"


def test_other_choices_than_the_first_are_not_read() -> None:
    other = {"index": 1, "delta": {"content": "b"}, "finish_reason": "stop"}
    (message,) = response_of(chunk({"content": "a"}), {"choices": [other]}, STOP)["output"]
    assert message["content"][0]["text"] == "a"


def test_a_whole_completion_is_read_like_a_stream() -> None:
    tool_calls = [
        {"id": "", "type": "function", "function": {"name": "one", "arguments": ""}},
        {"id": "c2", "type": "function", "function": {"name": "two", "arguments": "{}"}},
    ]
    message = {"role": "assistant", "content": "Let me see.", "reasoning_content": "Hm.", "tool_calls": tool_calls}
    whole = {
        "id": "chatcmpl-9",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": USAGE,
    }
    response = response_of(whole)
    assert [item["type"] for item in response["output"]] == ["reasoning", "message", "function_call", "function_call"]
    assert [item["name"] for item in response["output"][2:]] == ["one", "two"]
    assert response["usage"]["total_tokens"] == 12


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "Overloaded.", "code": 503}, ServiceUnavailableError),
        ({"message": "Slow down.", "code": "rate_limit_exceeded"}, ServiceUnavailableError),
        ({"message": "Too long.", "code": "context_length_exceeded"}, RequestRejectedError),
        ({"message": "Wrong key.", "type": "authentication_error"}, AuthenticationError),
        ("Broken.", ServiceUnavailableError),
    ],
)
def test_an_error_in_the_stream_is_the_error_it_would_be_as_an_answer(error: Any, kind: type[ServiceError]) -> None:
    said = error if isinstance(error, str) else error["message"]
    for told in ({"error": error}, chunk(error=error), {**chunk(), "error": error}):
        with pytest.raises(kind, match=said.rstrip(".")):
            fold_of().read(told)


def test_what_came_before_an_error_comes_out_first() -> None:
    read = fold_of().read_batch([chunk({"content": "a"}), {"error": {"message": "No."}}, STOP])
    assert types(read.events)[-1] == "output_text.delta"
    assert isinstance(read.failure, ServiceUnavailableError)


def test_a_finish_by_error_is_an_error() -> None:
    with pytest.raises(ServiceUnavailableError, match="during the completion"):
        fold_of().read(chunk(finish="error"))


@pytest.mark.parametrize("chunks", [[], [chunk({"content": "a"})], [chunk(), {"choices": [], "usage": USAGE}]])
def test_a_stream_without_a_finish_is_cut(chunks: list[Wire]) -> None:
    with pytest.raises(IncompleteStreamError, match="before receiving a finish_reason"):
        events_of(*chunks)


def test_a_stream_of_something_else_is_an_error_that_shows_it() -> None:
    with pytest.raises(ModelBehaviorError, match="created"):
        events_of({"type": "response.created", "response": {}}, {"type": "response.completed"})


def test_a_chunk_that_nobody_knows_is_passed_over() -> None:
    (message,) = response_of({"type": "ping"}, chunk({"content": "a"}), {"prompt_filter_results": []}, STOP)["output"]
    assert message["content"][0]["text"] == "a"


TEXTS = st.text(max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["content", "text", "type", "id", "index", "name", "arguments", "function", "cached_tokens"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
FUNCTIONS = st.fixed_dictionaries({}, optional={"name": TEXTS | VALUES, "arguments": TEXTS | VALUES})
PIECES = st.fixed_dictionaries(
    {}, optional={"index": st.integers(0, 2) | VALUES, "id": TEXTS | VALUES, "function": FUNCTIONS | VALUES}
)
DELTAS = st.fixed_dictionaries(
    {},
    optional={
        "content": TEXTS | VALUES,
        "refusal": TEXTS | VALUES,
        "reasoning": TEXTS | VALUES,
        "reasoning_content": TEXTS | VALUES,
        "tool_calls": st.lists(PIECES, max_size=3) | VALUES,
    },
)
CHOICES = st.fixed_dictionaries(
    {"delta": DELTAS | VALUES},
    optional={
        "index": st.just(0) | VALUES,
        "message": DELTAS | VALUES,
        "logprobs": VALUES,
        "finish_reason": st.sampled_from(["stop", "length", "tool_calls", None]) | VALUES,
    },
)
CHUNKS = st.fixed_dictionaries(
    {"choices": st.lists(CHOICES, max_size=2) | VALUES},
    optional={"id": TEXTS | VALUES, "model": VALUES, "created": VALUES, "usage": VALUES, "error": VALUES},
)


@given(chunks=st.lists(CHUNKS, max_size=6), buffered=st.booleans())
def test_whatever_comes_gives_a_sound_response_or_an_error_of_ours(chunks: list[Wire], buffered: bool) -> None:
    fold = fold_of(buffers_tool_calls=buffered)
    events: list[Wire] = []
    try:
        for one in chunks:
            events += fold.read(one)
        events += fold.end()
    except (ServiceError, ModelBehaviorError):
        return
    _check(events)


def _check(events: list[Wire]) -> None:
    """Check that the events are numbered, and that their deltas add up to the output."""
    json.dumps(events)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    output = events[-1]["response"]["output"]
    added = [event for event in events if event["type"] == "response.output_item.added"]
    assert [event["output_index"] for event in added] == list(range(len(output)))
    assert len({item["id"] for item in output}) == len(output)
    call_ids = [item["call_id"] for item in output if item["type"] == "function_call"]
    assert len(set(call_ids)) == len(call_ids)
    for index, item in enumerate(output):
        said = [e["delta"] for e in events if e["type"].endswith(".delta") and e["output_index"] == index]
        parts = [*item.get("summary", []), *item.get("content", [])]
        whole = item["arguments"] if item["type"] == "function_call" else None
        if whole is None:
            whole = "".join(part.get("text", part.get("refusal")) for part in parts)
        if item["type"] != "reasoning":
            assert "".join(said) == whole
        else:
            assert len("".join(said)) == len(whole)
    rebuilt = ResponseFold()
    bare = {**events[-1], "response": {**events[-1]["response"], "output": []}}
    assert [rebuilt.read(event) for event in [*events[:-1], bare]][-1]["response"]["output"] == output


@given(
    text=st.text(min_size=1),
    calls_made=st.lists(st.tuples(TEXTS.filter(bool), st.dictionaries(TEXTS, TEXTS)), max_size=3),
    data=st.data(),
)
def test_however_a_completion_is_cut_into_deltas_it_reads_the_same(
    text: str, calls_made: list[tuple[str, dict[str, str]]], data: st.DataObject
) -> None:
    def cut(whole: str) -> list[str]:
        places = sorted(data.draw(st.sets(st.integers(0, len(whole)))) | {0, len(whole)})
        return [whole[a:b] for a, b in itertools.pairwise(places)]

    chunks = [chunk({"content": part}) for part in cut(text)]
    for index, (name, arguments) in enumerate(calls_made):
        chunks.append(calls(piece("", index=index, call_id=f"c{index}", name=name)))
        chunks += [calls(piece(part, index=index)) for part in cut(json.dumps(arguments))]
    output = response_of(*chunks, STOP)["output"]
    assert "".join(item["content"][0]["text"] for item in output if item["type"] == "message") == text
    assert [
        (item["call_id"], item["name"], json.loads(item["arguments"]))
        for item in output
        if item["type"] == "function_call"
    ] == [(f"c{index}", *made) for index, made in enumerate(calls_made)]
