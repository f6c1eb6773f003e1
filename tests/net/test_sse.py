import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.errors import ModelBehaviorError, ServiceUnavailableError
from agentctl.net.sse import SSESplitter, decode_event
from agentctl.net.unreachable import ANSWER_TOO_LARGE


def split(*chunks: bytes) -> list[str]:
    splitter = SSESplitter()
    return [data for chunk in chunks for data in splitter.feed(chunk)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", ["a"]),
        (b"event: x\ndata: a\n\n", ["a"]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", ["a", "b", "c"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b"event: x\ndata: a\ndata: b\n\n", ["a\nb"]),
        (b"data:a\ndata:  b\n\n", ["a\n b"]),
        (b": comment\n\ndata: a\n: more\n\n", ["a"]),
        (b"id: 1\nretry: 5\ndata: a\nunknown: x\nnonsense\n\n", ["a"]),
        (b"data\n\ndata:\n\nevent: x\n\n", []),
        (b"\n\n\n\ndata: a\n\n\n\ndata: b\n\n", ["a", "b"]),
        (b"\xef\xbb\xbfdata: a\n\ndata: b\n\n", ["a", "b"]),
        (b"data: a\n\ndata: half", ["a"]),
        (b"data: a\n\ndata: no blank line\n", ["a"]),
        ("data: \u2028 ü 😀\n\n".encode(), ["\u2028 ü 😀"]),
        (b"data: \xff\n\n", ["\ufffd"]),
        (b"event: x\ndata: a: b\ndata: \n\n", ["a: b\n"]),
    ],
)
def test_events_are_split_as_the_standard_says(stream: bytes, events: list[str]) -> None:
    assert split(stream) == events
    assert split(*(stream[place : place + 1] for place in range(len(stream)))) == events


LINES = st.sampled_from(
    [
        "data: a",
        "data:{}",
        "data",
        "event: x",
        "id: ü",
        ": comment",
        "",
        "",
        "data: 😀",
        "\ufeffdata: b",
        "data: \ufeff",
    ]
)


@given(lines=st.lists(st.tuples(LINES, st.sampled_from(["\n", "\r\n", "\r"]))), cuts=st.lists(st.integers(0, 200)))
def test_where_the_chunks_are_cut_makes_no_difference(lines: list[tuple[str, str]], cuts: list[int]) -> None:
    stream = "".join(line + end for line, end in lines).encode()
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    assert split(*(stream[a:b] for a, b in itertools.pairwise(places))) == split(stream)


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1)))
def test_every_data_line_comes_out_as_it_went_in(values: list[str]) -> None:
    assert split(*(f"data: {value}\n\n".encode() for value in values)) == values


def test_an_event_comes_out_with_the_carriage_return_that_ends_it() -> None:
    splitter = SSESplitter()
    assert splitter.feed(b"data: a\r\n\r") == ["a"]
    assert splitter.feed(b"\ndata: b\r\n\r\n") == ["b"]


def test_an_event_without_end_is_not_waited_for_forever() -> None:
    splitter = SSESplitter("h.example", max_event=1000)
    splitter.feed(b"x" * 1000)
    with pytest.raises(ServiceUnavailableError, match=r"h\.example .*client\.max_event_size") as caught:
        splitter.feed(b"x")
    assert caught.value.code == ANSWER_TOO_LARGE


@pytest.mark.parametrize(
    ("stream", "event"),
    [
        (b'event: error\ndata: {"message": "No."}\n\n', {"type": "error", "message": "No."}),
        (b'data: {"message": "No."}\nevent: error\n\n', {"type": "error", "message": "No."}),
        (b"event: error\ndata: Overloaded\n\n", {"type": "error", "message": "Overloaded"}),
        (b'event: error\ndata: {"type": "x", "a": 1}\n\n', {"type": "x", "a": 1}),
        (b'event: error\ndata: {"error": {"message": "No."}}\n\n', {"error": {"message": "No."}}),
    ],
)
def test_an_error_event_says_that_it_is_one(stream: bytes, event: dict[str, object]) -> None:
    (data,) = split(stream)
    assert json.loads(data) == event


def test_an_event_is_a_json_object() -> None:
    assert decode_event('{"type": "x"}') == {"type": "x"}


def test_the_mark_of_the_end_is_no_event() -> None:
    assert decode_event("[DONE]") is None


@pytest.mark.parametrize("data", ['{"type": "resp', "hello", "[" * 100_000, "{'a': 1}"])
def test_what_is_not_json_is_an_error_that_shows_it(data: str) -> None:
    with pytest.raises(ModelBehaviorError, match="JSON") as caught:
        decode_event(data)
    assert data[:20] in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("data", ["[]", "3", '"text"', "null"])
def test_json_that_is_no_object_is_an_error_that_shows_it(data: str) -> None:
    with pytest.raises(ModelBehaviorError, match="not a JSON object") as caught:
        decode_event(data)
    assert data in str(caught.value)


@given(st.binary())
def test_no_bytes_bring_anything_but_events_or_our_own_error(stream: bytes) -> None:
    for data in split(b"data: " + stream + b"\n\n"):
        try:
            event = decode_event(data)
        except ModelBehaviorError:
            continue
        assert event is None or json.dumps(event)
