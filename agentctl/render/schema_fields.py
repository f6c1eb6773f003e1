"""Schemas of the fields of machine documents, each with its description."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from agentctl.agent.wire import JSONValue

Fields: TypeAlias = dict[str, JSONValue]
"""A schema, or the schemas of the fields of an object; the name of an optional field ends with `?`."""

LARGEST_INTEGER = 2**53 - 1
"""The largest integer that every reader of JSON keeps exactly."""


def text(description: str) -> Fields:
    """Return the schema of a text."""
    return {"type": "string", "description": description}


def text_or_null(description: str) -> Fields:
    """Return the schema of a text that may be missing."""
    return {"type": ["string", "null"], "description": description}


def count(description: str) -> Fields:
    """Return the schema of a number of things."""
    return {"type": "integer", "minimum": 0, "maximum": LARGEST_INTEGER, "description": description}


def ordinal(description: str) -> Fields:
    """Return the schema of a number that is counted from 1."""
    return {"type": "integer", "minimum": 1, "maximum": LARGEST_INTEGER, "description": description}


def amount(description: str) -> Fields:
    """Return the schema of an amount, such as seconds or money."""
    return {"type": "number", "minimum": 0, "description": description}


def flag(description: str) -> Fields:
    """Return the schema of a boolean."""
    return {"type": "boolean", "description": description}


def time(description: str) -> Fields:
    """Return the schema of a time: RFC 3339 text in UTC, which ends with `Z`."""
    pattern = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"
    return {"type": "string", "format": "date-time", "pattern": pattern, "description": description}


def nullable(schema: Fields) -> Fields:
    """Return the schema of a value that may be missing."""
    if "anyOf" in schema:
        values = schema["anyOf"]
        assert isinstance(values, list)
        return {**schema, "anyOf": [{"type": "null"}, *values]}
    return {**schema, "type": [str(schema["type"]), "null"]}


def open_enum(values: Iterable[str], description: str) -> Fields:
    """Return the schema of an open enumeration: later releases may add values."""
    return {
        "anyOf": [{"enum": [*values]}, {"type": "string"}],
        "description": f"{description} Later releases may add values.",
    }


def array(items: Fields, description: str) -> Fields:
    """Return the schema of a list."""
    return {"type": "array", "items": items, "description": description}


def texts(description: str) -> Fields:
    """Return the schema of a list of texts."""
    return array({"type": "string"}, description)


def reference(name: str, description: str) -> Fields:
    """Return a reference to a schema in `$defs`."""
    return {"$ref": f"#/$defs/{name}", "description": description}


def item(description: str) -> Fields:
    """Return the schema of an item of the Responses API."""
    return {"type": "object", "required": ["type"], "description": description}


def any_object(description: str) -> Fields:
    """Return the schema of an object with arbitrary fields."""
    return {"type": "object", "description": description}


def any_value(description: str) -> Fields:
    """Return the schema of a value of any type."""
    return {"description": description}


def object_of(fields: Fields, description: str | None = None) -> Fields:
    """Return the schema of an object; unknown fields are allowed."""
    return {
        "type": "object",
        "properties": {name.removesuffix("?"): schema for name, schema in fields.items()},
        "required": [name for name in fields if not name.endswith("?")],
        **({} if description is None else {"description": description}),
    }
