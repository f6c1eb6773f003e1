"""The check of values against the schemas of our files."""

from __future__ import annotations

from typing import Any

import pytest

from agentctl.definitions.toml.schema_check import check_value

TEXT_OR_FILE = {
    "anyOf": [
        {"type": "string"},
        {
            "title": "a table with `file`",
            "type": "object",
            "properties": {"file": {"type": "string"}},
            "required": ["file"],
            "additionalProperties": False,
        },
    ]
}
SCHEMA = {
    "type": "object",
    "properties": {
        "model": {"type": "string"},
        "max_turns": {"type": "integer", "minimum": 1},
        "ratio": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "approval": {"enum": ["always", "never"]},
        "command": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
        "code": {"type": "string", "minLength": 2, "maxLength": 3},
        "share": {"type": "number", "exclusiveMaximum": 1},
        "instructions": TEXT_OR_FILE,
        "args": {
            "type": "object",
            "patternProperties": {"^[a-z]+$": {"type": "object"}},
            "additionalProperties": False,
            "minProperties": 1,
        },
    },
    "required": ["model"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ({"modle": "m", "model": "m"}, ("modle",), "is unknown; did you mean 'model'?"),
        ({}, (), "needs the key 'model'"),
        ({"model": 5}, ("model",), "must be text, not 5"),
        ({"model": "m", "max_turns": True}, ("max_turns",), "must be an integer, not true"),
        ({"model": "m", "max_turns": 0}, ("max_turns",), "must be at least 1, not 0"),
        ({"model": "m", "ratio": 0}, ("ratio",), "must be above 0, not 0"),
        ({"model": "m", "ratio": 2.5}, ("ratio",), "must be at most 1, not 2.5"),
        (
            {"model": "m", "approval": "alway"},
            ("approval",),
            "must be \"always\" or \"never\", not 'alway'; did you mean 'always'?",
        ),
        ({"model": "m", "approval": 0}, ("approval",), 'must be "always" or "never", not 0'),
        ({"model": "m", "command": []}, ("command",), "must not be empty"),
        ({"model": "m", "command": ["a", "b", "c"]}, ("command",), "must have at most 2 items"),
        ({"model": "m", "code": "a"}, ("code",), "must have at least 2 characters"),
        ({"model": "m", "code": "abcd"}, ("code",), "must have at most 3 characters"),
        ({"model": "m", "share": 1}, ("share",), "must be below 1, not 1"),
        ({"model": "m", "command": ["git", 5]}, ("command", 1), "must be text, not 5"),
        ({"model": "m", "instructions": 5}, ("instructions",), "must be text or a table with `file`, not 5"),
        ({"model": "m", "instructions": {"fiel": "a"}}, ("instructions", "fiel"), "is unknown; did you mean 'file'?"),
        ({"model": "m", "args": {}}, ("args",), "must not be empty"),
        ({"model": "m", "args": {"A B": {}}}, ("args", "A B"), "must be a name of letters, digits, - and _"),
    ],
)
def test_a_problem_names_the_key_and_what_to_write(value: Any, path: tuple[str | int, ...], message: str) -> None:
    assert (path, message) in [(problem.path, problem.message) for problem in check_value(value, SCHEMA)]


def test_all_problems_are_found_at_once() -> None:
    value = {"modle": "m", "max_turns": 0, "command": [1, 2]}
    assert len(check_value(value, SCHEMA)) == 5


def test_a_valid_value_has_no_problem() -> None:
    value = {
        "model": "m",
        "max_turns": 1,
        "ratio": 1,
        "approval": "never",
        "command": ["git"],
        "instructions": {"file": "a.md"},
        "args": {"count": {}},
    }
    assert check_value(value, SCHEMA) == []
