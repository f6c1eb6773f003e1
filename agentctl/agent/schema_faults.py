"""The obvious faults of a JSON Schema (draft 2020-12): those that are found without `jsonschema`, which takes 60 ms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from agentctl.redaction import excerpt

SUBSCHEMAS_BY_NAME = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
SUBSCHEMA_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
SUBSCHEMAS = (
    "items", "contains", "additionalProperties", "propertyNames", "unevaluatedItems", "unevaluatedProperties", "not",
    "if", "then", "else",
)  # fmt: skip
"""The keywords whose value has subschemas."""

_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_PLAIN_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def find_fault(schema: Any) -> str | None:
    """Return the first obvious fault, as in `$.type: 'strng' is not a type`; None without any."""
    return next(_faults(schema, "$"), None)


def _faults(schema: Any, path: str) -> Iterator[str]:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        yield f"{path}: {excerpt(repr(schema), 60)} is not a schema, which is an object or a boolean"
        return
    for key, value in schema.items():
        place = _join(path, key)
        if key in _KEYWORDS:
            is_valid, wanted = _KEYWORDS[key]
            if not is_valid(value):
                yield f"{place}: {excerpt(repr(value), 60)} is not {wanted}"
        elif key in SUBSCHEMAS:
            yield from _faults(value, place)
        elif key in SUBSCHEMA_LISTS:
            if not isinstance(value, list) or not value:
                yield f"{place}: {excerpt(repr(value), 60)} is not a list of schemas"
                continue
            for at, part in enumerate(value):
                yield from _faults(part, f"{place}[{at}]")
        elif key in SUBSCHEMAS_BY_NAME:
            if not isinstance(value, dict):
                yield f"{place}: {excerpt(repr(value), 60)} is not an object of schemas"
                continue
            for name, part in value.items():
                if key == "patternProperties" and not _is_pattern(name):
                    yield f"{place}: {excerpt(repr(name), 60)} is not a regular expression"
                yield from _faults(part, _join(place, name))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if _PLAIN_NAME.fullmatch(name) else f"{path}[{name!r}]"


def _is_type(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and len({str(each) for each in value}) == len(value) and all(map(_is_type_name, value))
    return _is_type_name(value)


def _is_type_name(value: Any) -> bool:
    return isinstance(value, str) and value in _TYPES


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_pattern(value: Any) -> bool:
    try:
        re.compile(value)
    except (re.error, TypeError, OverflowError, RecursionError):
        return False
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == value // 1


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value)


_TEXTS = (
    "$id", "$schema", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$comment", "title", "description", "format",
)  # fmt: skip
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_COUNTS = (
    "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains",
)  # fmt: skip
_KEYWORDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "type": (_is_type, f"a type, one of {', '.join(_TYPES)}, or a list of them"),
    "required": (_is_names, "a list of different names"),
    "enum": (lambda value: isinstance(value, list), "a list"),
    "pattern": (_is_pattern, "a regular expression"),
    "multipleOf": (lambda value: _is_number(value) and value > 0, "a number greater than 0"),
    "uniqueItems": (lambda value: isinstance(value, bool), "a boolean"),
    **dict.fromkeys(_TEXTS, (_is_text, "a text")),
    **dict.fromkeys(_NUMBERS, (_is_number, "a number")),
    **dict.fromkeys(_COUNTS, (_is_count, "a whole number from 0")),
}
"""Keyword -> (check of its value, what it must be)."""
