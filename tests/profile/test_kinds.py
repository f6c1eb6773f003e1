"""What settings may hold, from TOML and from text."""

import contextlib
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agentctl.profile.kinds import Choice, Integer, Kind, ListOf, Plain, Table, check, is_plain, parse_text, seconds

GOOD: list[tuple[Kind, Any]] = [
    (Plain.TEXT, "gpt-5-mini"),
    (Plain.URL, "http://localhost:8080/v1"),
    (Plain.URL, "https://[::1]:8443/v1?api-version=1"),
    (Plain.WEBSOCKET_URL, "ws://localhost:8080/v1"),
    (Plain.WEBSOCKET_URL, "WSS://[::1]:8443/v1?api-version=1"),
    (Plain.WEBSOCKET_URL, "https://h/v1"),
    (Plain.FACTORY, "package.module:make"),
    (Plain.FACTORY, "module:Class.make"),
    (Plain.COMMAND, ["op", "read", "op://vault/item/key"]),
    (Plain.COMMAND, ["/usr/bin/printf", "two\nlines", ""]),
    (Plain.COMMAND, ["~/bin/key"]),
    (Integer(0, 10), 0),
    (Integer(0, 10), 10),
    (Integer(1), 10**6),
    (Plain.NUMBER, 0.5),
    (Plain.NUMBER, -2),
    (Plain.BOOLEAN, False),
    (Plain.DURATION, 90),
    (Plain.DURATION, "1.5h"),
    (Choice(("low", "high")), "low"),
    (ListOf(Plain.TEXT), ["a", "b"]),
    (Table(Plain.TEXT), {"a": "b"}),
    (Table(Plain.ANY), {"a": [1, {"b": None}]}),
]

BAD: list[tuple[Kind, Any]] = [
    (Plain.TEXT, ""),
    (Plain.TEXT, " padded"),
    (Plain.TEXT, "two\nlines"),
    (Plain.TEXT, "\udcff"),
    (Plain.TEXT, 5),
    *((Plain.FACTORY, name) for name in ("noting", "noting:", ":make", "noting.py:make", "a b:c", "a:b()", "", 7)),
    (Plain.WEBSOCKET_URL, "localhost:8080"),
    (Plain.WEBSOCKET_URL, "ftp://h/"),
    (Plain.WEBSOCKET_URL, "wss://"),
    (Plain.COMMAND, "op read"),
    (Plain.COMMAND, []),
    (Plain.COMMAND, [""]),
    (Plain.COMMAND, ["op", 1]),
    (Plain.COMMAND, ["op", "nul\0"]),
    (Plain.COMMAND, ["./key.sh"]),
    (Plain.COMMAND, ["bin/key"]),
    (Plain.URL, "ws://h/"),
    (Plain.URL, "localhost:8080"),
    (Plain.URL, "ftp://host/"),
    (Plain.URL, "https://"),
    (Plain.URL, "https://host:port/"),
    (Integer(0, 10), 11),
    (Integer(0, 10), -1),
    (Integer(0, 10), 2.0),
    (Integer(0, 10), True),
    (Plain.NUMBER, math.inf),
    (Plain.NUMBER, math.nan),
    (Plain.NUMBER, 10**400),
    (Plain.NUMBER, True),
    (Plain.BOOLEAN, 1),
    (Plain.DURATION, 0),
    (Plain.DURATION, "-5s"),
    (Plain.DURATION, "5 weeks"),
    (Plain.DURATION, "nan"),
    (Plain.DURATION, ""),
    (Plain.DURATION, "s"),
    (Choice(("low", "high")), "medium"),
    (ListOf(Plain.TEXT), "a"),
    (ListOf(Plain.TEXT), [1]),
    (Table(Plain.TEXT), {"a": 1}),
    (Table(Plain.ANY), {"a": object()}),
]


@pytest.mark.parametrize(("kind", "value"), GOOD)
def test_a_fitting_value_passes(kind: Kind, value: Any) -> None:
    check(kind, value)


@pytest.mark.parametrize(("kind", "value"), BAD)
def test_another_value_is_refused_with_what_is_wanted(kind: Kind, value: Any) -> None:
    with pytest.raises(ValueError, match=r"must be|URL|port"):
        check(kind, value)


def test_a_url_with_credentials_is_refused_without_showing_them() -> None:
    with pytest.raises(ValueError, match="user name or password") as caught:
        check(Plain.URL, "https://user:pa55word@host/")
    assert "pa55word" not in str(caught.value)


def test_a_choice_with_a_hint_never_shows_the_value() -> None:
    with pytest.raises(ValueError, match=r"^only none$"):
        check(Choice(("none",), hint="only none"), "sk-secret")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Plain.TEXT, " 42 ", "42"),
        (Integer(0), "42", 42),
        (Plain.NUMBER, "0.5", 0.5),
        (Plain.BOOLEAN, "Yes", True),
        (Plain.BOOLEAN, "off", False),
        (Plain.DURATION, "90", 90),
        (Plain.DURATION, "5m", "5m"),
        (Plain.ANY, "high", "high"),
        (Plain.ANY, '{"a": 1}', {"a": 1}),
        (Plain.ANY, "NaN", "NaN"),
        (Plain.ANY, "[" * 100_000, "[" * 100_000),
        (ListOf(Plain.TEXT), '["a"]', ["a"]),
        (Table(Plain.TEXT), '{"a": "b"}', {"a": "b"}),
        (Plain.COMMAND, '["op", "read"]', ["op", "read"]),
        (Plain.COMMAND, "op read", "op read"),
    ],
)
def test_text_means_what_the_kind_says(kind: Kind, text: str, value: Any) -> None:
    assert parse_text(kind, text) == value
    assert type(parse_text(kind, text)) is type(value)


@pytest.mark.parametrize(("value", "expected"), [(90, 90), ("90", 90), ("90s", 90), ("5m", 300), ("1.5h", 5400)])
def test_durations_are_seconds(value: Any, expected: float) -> None:
    assert seconds(value) == expected


@pytest.mark.parametrize("value", [None, [], {"s": 1}])
def test_seconds_of_a_value_that_is_no_duration_is_an_error(value: Any) -> None:
    with pytest.raises(ValueError, match="must be a positive duration"):
        seconds(value)


def test_what_is_nested_too_deeply_is_refused_without_recursion() -> None:
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    assert not is_plain(value)
    while isinstance(value, list):  # Freed from outside in: a destructor may not recurse either.
        value = value.pop()


@hypothesis_settings(deadline=None)
@given(st.sampled_from([kind for kind, _ in GOOD]), st.text())
def test_any_text_is_a_value_or_a_value_error(kind: Kind, text: str) -> None:
    with contextlib.suppress(ValueError):
        check(kind, parse_text(kind, text))
