"""What goes out: of the form that the traces API takes, whatever a span holds."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.tracing.ingest import MAX_BYTES, as_json, fit, prepare_for_ingest


class Odd:
    def __str__(self) -> str:
        return "something odd"


class Mute:
    def __str__(self) -> str:
        raise RuntimeError("no words")


def size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def span(**data: Any) -> dict[str, Any]:
    return {"object": "trace.span", "id": "span_1", "span_data": data}


def data(exported: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = prepare_for_ingest(exported)["span_data"]
    return result


def test_what_json_does_not_know_is_said_as_text() -> None:
    value = {"o": Odd(), "m": Mute(), 3: (1, {2}), "b": b"x", "n": float("nan"), "i": float("-inf"), "f": 1.5}
    assert json.loads(as_json(value)) == {
        "o": "something odd",
        "m": "<Mute>",
        "3": [1, "{2}"],
        "b": "b'x'",
        "n": "nan",
        "i": "-inf",
        "f": 1.5,
    }


def test_what_contains_itself_is_said_all_the_same() -> None:
    value: list[Any] = []
    value.append(value)
    assert as_json(value).startswith("[[[")


def test_halves_of_characters_go_out_escaped() -> None:
    assert as_json("\ud800").isascii()


def test_a_trace_is_as_it_was() -> None:
    trace = {"object": "trace", "id": "trace_1", "metadata": {"a": "b" * 2 * MAX_BYTES}}
    assert prepare_for_ingest(trace) is trace


def test_what_fits_is_as_it_was() -> None:
    given_data = {"type": "function", "name": "f", "input": "é" * 40_000, "output": None}
    assert data(span(**given_data)) == given_data


@pytest.mark.parametrize("letter", ["x", "é", "漢", "😀", '"', "\ud800"])
def test_a_long_text_is_cut_where_it_still_fits(letter: str) -> None:
    cut = data(span(type="function", input=letter * 300_000))["input"]
    assert cut.endswith("... [truncated]")
    assert MAX_BYTES * 0.8 < size(cut) <= MAX_BYTES


@pytest.mark.parametrize(
    "value",
    [
        [{"role": "user", "content": "x" * 200_000}, {"role": "user", "content": "short"}],
        [{"role": "user", "content": [{"type": "input_text", "text": "漢" * 90_000}]}],
        [{"role": "user", "content": "x" * 60_000}] * 10,
        [{"role": "user", "content": "m"}] * 10_000,
        [],
    ],
)
def test_messages_stay_messages(value: list[dict[str, Any]]) -> None:
    cut = data(span(type="generation", input=value))["input"]
    assert size(cut) <= MAX_BYTES
    assert all(item["role"] == "user" for item in cut)


def test_only_input_and_output_are_cut() -> None:
    big = {"v": "z" * 3 * MAX_BYTES}
    assert data(span(type="custom", name="c", data=big))["data"] == big


@pytest.mark.parametrize(
    ("kind", "usage", "sent"),
    [
        ("generation", {"input_tokens": 1, "output_tokens": 2}, {"input_tokens": 1, "output_tokens": 2}),
        (
            "generation",
            {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "details": {"a": 1}, "none": None},
            {"input_tokens": 1, "output_tokens": 2, "details": {"a": 1, "total_tokens": 3}},
        ),
        ("generation", {"input_tokens": 1}, None),
        ("generation", "many", None),
        ("response", {"input_tokens": 1, "output_tokens": 2}, None),
    ],
)
def test_usage_is_sent_where_and_as_the_service_takes_it(kind: str, usage: Any, sent: Any) -> None:
    assert data(span(type=kind, usage=usage)).get("usage") == sent


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
)


@given(_VALUES)
def test_every_value_becomes_json(value: Any) -> None:
    json.loads(as_json(value))


@given(st.lists(st.text(min_size=1).map(lambda text: text * 5_000)), st.booleans())
def test_every_value_fits(texts: list[str], is_table: bool) -> None:
    value = dict(enumerate(texts)) if is_table else texts
    assert size(json.loads(as_json(fit(value)))) <= MAX_BYTES
