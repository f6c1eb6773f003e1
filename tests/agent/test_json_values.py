"""Any Python value as JSON: valid always, and an odd value changes nothing around it."""

import collections
import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import types
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from agentctl.agent.json_values import json_text, json_value


class State(enum.Enum):
    OPEN = "open"


@dataclasses.dataclass
class Order:
    placed: datetime.date
    total: decimal.Decimal


class Row(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    on: datetime.date


class Lossy(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    handle: object


class Array:
    def tolist(self) -> list[Any]:
        return [1, float("nan")]


class Unreadable:
    def __str__(self) -> str:
        raise RuntimeError("no")


def two() -> Iterator[int]:
    yield 1
    yield 2


ODD: list[tuple[Any, Any]] = [
    (datetime.datetime(2026, 1, 2, 3), "2026-01-02T03:00:00"),
    (datetime.date(2026, 1, 2), "2026-01-02"),
    (datetime.time(1, 2), "01:02:00"),
    (decimal.Decimal("1.50"), "1.50"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (State.OPEN, "open"),
    ({"b", "a"}, ["a", "b"]),
    (frozenset({1}), [1]),
    (pathlib.PurePosixPath("/a"), "/a"),
    (b"text", "text"),
    (b"\xff", "/w=="),
    (Order(datetime.date(2026, 1, 2), decimal.Decimal("1.50")), {"placed": "2026-01-02", "total": "1.50"}),
    (Row(on=datetime.date(2026, 1, 2)), {"on": "2026-01-02"}),
    (types.MappingProxyType({"a": 1}), {"a": 1}),
    ({"a": 1}.values(), [1]),
    ({"a": 1}.items(), [["a", 1]]),
    (collections.deque([1]), [1]),
    (two(), [1, 2]),
    (range(2), [0, 1]),
    ((1, 2), [1, 2]),
    (Array(), [1, "NaN"]),
    (float("nan"), "NaN"),
    (float("-inf"), "-Infinity"),
    (Unreadable(), "<Unreadable>"),
]


@pytest.mark.parametrize(("value", "expected"), ODD)
def test_a_value_that_json_has_no_form_for_is_replaced_alone(value: Any, expected: Any) -> None:
    whole = json_value({"before": [1.5, None], "odd": value, "after": True})
    assert whole == {"before": [1.5, None], "odd": expected, "after": True}
    json.dumps(whole, allow_nan=False)


def test_a_number_too_long_to_be_written_is_hexadecimal() -> None:
    number = 1 << 20_000
    assert json_value([number]) == [hex(number)]


def test_keys_are_texts() -> None:
    assert json_value({1: "a", None: "b", (1, 2): "c", State.OPEN: "d", datetime.date(2026, 1, 2): "e"}) == {
        "1": "a",
        "null": "b",
        "[1, 2]": "c",
        "open": "d",
        "2026-01-02": "e",
    }


def test_a_value_inside_itself_ends() -> None:
    loop: dict[str, Any] = {"a": 1}
    loop["self"] = [loop]
    assert json_value(loop) == {"a": 1, "self": ["…"]}


def test_a_pydantic_object_that_cannot_be_dumped_is_its_fields() -> None:
    assert json_value(Lossy(handle={1, 2})) == {"handle": [1, 2]}


def test_a_text_needs_no_quotes_and_data_has_them() -> None:
    assert json_text("a") == "a"
    assert json_text(decimal.Decimal("1.5")) == "1.5"
    assert json_text({"x": decimal.Decimal("1.5")}) == '{"x": "1.5"}'
    assert json_text(["ä"]) == '["ä"]'


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.decimals(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
)


@given(PLAIN)
def test_the_text_is_valid_json_or_a_text(value: Any) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    text = json_text(value)
    if isinstance(value, dict | list | tuple):
        json.loads(text, parse_constant=refuse)
