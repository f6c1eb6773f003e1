"""Masking: what is a secret, where it is replaced, and what stays as it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl import redaction
from agentctl.redaction import (
    MASK,
    is_placeholder,
    is_secret,
    looks_secret,
    may_have_secret,
    redact,
    redact_data,
    redact_text,
)
from agentctl.redaction import register_secret as register

KEY = "sk-redaction-canary-1"


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry of secrets of its own for each test."""
    monkeypatch.setattr(redaction, "_secrets", ())
    monkeypatch.setattr(redaction, "_registered", set())


@pytest.mark.parametrize(
    "key",
    [
        "test", "ollama", "EMPTY", "none", "None", "null", "sk-no-key-required", "sk-xxx", "xxxxxxxxxxxxxxxxxxxx",
        "lm-studio", "not-needed", "your_api_key_here", "<YOUR_API_KEY>", "dummy-api-key", "sk-1234", "placeholder",
        "api-key-not-required", "-----",
    ],
)  # fmt: skip
def test_a_placeholder_is_no_secret(key: str) -> None:
    register(key)
    assert is_placeholder(key)
    assert redact(f"pytest: {key}") == redact_text(f"pytest: {key}") == f"pytest: {key}"


@pytest.mark.parametrize("key", ["token-abc123", "testimony", "k-library-7391", "sk-proj-abcdef", "hunter22"])
def test_a_key_that_only_resembles_a_placeholder_is_a_secret(key: str) -> None:
    register(key)
    assert redact(f"key {key}.") == f"key {MASK}."


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("pass", False),
        ("fifteen-letters", False),
        ("sixteen-letters!", True),
        ("sk-abcdef", True),
        ("ghp_abcdef", True),
        ("AKIAABCDEFGH", True),
        ("eyJhbGciOiJ", True),
        ("sky-abcdef", False),
    ],
)
def test_a_value_looks_secret_if_it_is_long_or_has_the_form_of_a_key(value: str, expected: bool) -> None:
    assert looks_secret(value) is expected


def test_a_short_secret_is_masked_in_messages_only_and_only_as_a_word() -> None:
    register("pass")
    text = "the tests pass, passwords too; http://user:pass@proxy"
    assert redact(text) == f"the tests {MASK}, passwords too; http://user:{MASK}@proxy"
    assert redact_text(text) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""), ("Bearer ", "\n"), ("_", "_"), ("key=", "&next"), ("キーは", "です"), ("\n", "."), ("ключ", "!"),
        ("\\n", "\\n"), ("\\u00e9", '\\"'), ("%20", "%0A"), ("\x1b[1m", "\x1b[0m"), ("-", "-"),
    ],
)  # fmt: skip
def test_a_key_is_masked_in_data_between_any_borders_of_words(before: str, after: str) -> None:
    register(KEY)
    assert redact_text(f"{before}{KEY}{after}") == f"{before}{MASK}{after}"


def test_a_part_of_a_longer_word_stays_in_data() -> None:
    register(KEY)
    register("correcthorsebattery")
    text = f"x{KEY} {KEY}0 correcthorsebatterystaple"
    assert redact_text(text) == text


@pytest.mark.parametrize("key", ['quo"ted\\long-secret', "schlüssel-mit-umlaut", "with a space and 16"])
def test_a_key_is_masked_in_each_of_its_encodings(key: str) -> None:
    from urllib.parse import quote

    register(key)
    for text in (key, json.dumps(key), json.dumps(key, ensure_ascii=False), quote(key)):
        assert MASK in redact_text(f"<{text}>"), text
        assert key[-6:] not in redact_text(f"<{text}>")


def test_data_is_masked_in_its_values_and_names_and_keeps_what_it_is_told_to() -> None:
    register(KEY)
    data = {"id": KEY, "list": [f"a {KEY}", 1, None], KEY: {"deep": f"{KEY}\n"}}
    assert redact_data(data, unchanged={"id"}) == {
        "id": KEY,
        "list": [f"a {MASK}", 1, None],
        MASK: {"deep": f"{MASK}\n"},
    }


def test_a_value_is_a_secret_if_it_equals_one_or_contains_one_that_looks_secret() -> None:
    register("pass")
    register(KEY)
    assert [is_secret(value) for value in ("pass", f"Bearer {KEY}", "/home/pass/bin", "")] == [True, True, False, False]


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_key_with_borders_survives_and_nothing_else_changes(before: str, after: str) -> None:
    register(KEY)
    text = redact_text(f"{before} {KEY} {after}")
    assert KEY not in text.split(" ")
    assert text == f"{before} {MASK} {after}" or KEY in before or KEY in after


VALUES = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(VALUES)
def test_data_without_a_secret_is_unchanged(data: object) -> None:
    register(KEY)
    register("test")
    assert redact_data(data) == data  # type: ignore[arg-type, comparison-overlap]


@pytest.mark.parametrize(
    "secret", ["sk-canary-1122334455667788", 'quoted"secret\\1122334455', "geheimnis-äöü-1122334455"]
)
def test_a_document_with_a_secret_is_never_taken_for_one_without(secret: str) -> None:
    document: object = {"text": f"it is {secret} here"}
    assert not may_have_secret(json.dumps(document))
    register(secret)
    for _ in range(3):  # Arguments of calls are JSON in JSON.
        assert may_have_secret(json.dumps(document))
        document = {"arguments": json.dumps(document)}


def test_a_document_without_a_secret_is_known_as_one() -> None:
    register("sk-canary-1122334455667788")
    assert not may_have_secret('{"a": "sk-canary"}')
