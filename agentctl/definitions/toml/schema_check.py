"""The check of values from a TOML file against the JSON Schema of the format, with messages for its author.

The schemas are printed by `agents schema` for editors, so that an editor and a run agree. They use these keywords:
`type`, `enum`, `const`, `properties`, `patternProperties`, `required`, `additionalProperties`, `minProperties`,
`items`, `minItems`, `maxItems`, `minLength`, `maxLength`, `pattern`, `minimum`, `exclusiveMinimum`, `maximum`,
`exclusiveMaximum`, `anyOf`, and `title`, which names a form of a value in messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from agentctl.agent.wire import JSONValue
from agentctl.grammar import count
from agentctl.profile.keys import suggestion
from agentctl.profile.kinds import format_value
from agentctl.profile.toml_lines import KeyPath

from .part import KeyProblem

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_NAMES = {
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a table",
}


def check_value(value: object, schema: Mapping[str, JSONValue], path: KeyPath = ()) -> list[KeyProblem]:
    """Return all problems of a value; `path` leads to it."""
    return list(_problems(value, schema, path))


def _problems(value: Any, schema: Mapping[str, Any], path: KeyPath) -> Iterator[KeyProblem]:
    if "anyOf" in schema:
        yield from _check_forms(value, schema, path)
        return
    if "type" in schema and not _has_type(value, schema["type"]):
        yield KeyProblem(path=path, message=f"must be {_form(schema)}, not {format_value(value)}")
        return
    if "const" in schema and value != schema["const"]:
        yield KeyProblem(path=path, message=f"must be {schema['const']!r}")
    elif "enum" in schema and value not in schema["enum"]:
        words = " or ".join(f'"{word}"' if isinstance(word, str) else str(word).lower() for word in schema["enum"])
        near = (
            suggestion(value, (word for word in schema["enum"] if isinstance(word, str)))
            if isinstance(value, str)
            else ""
        )
        yield KeyProblem(path=path, message=f"must be {words}, not {format_value(value)}{near}")
    elif isinstance(value, dict):
        yield from _check_table(value, schema, path)
    elif isinstance(value, list):
        yield from _check_length(value, schema, "Items", path)
        for index, item in enumerate(value):
            yield from _problems(item, schema.get("items", {}), (*path, index))
    elif isinstance(value, str):
        problems = list(_check_length(value, schema, "Length", path))
        yield from problems
        if not problems and "pattern" in schema and re.search(schema["pattern"], value) is None:
            yield KeyProblem(path=path, message=f"must be {_form(schema)}, not {format_value(value)}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _check_number(value, schema, path)


def _check_table(value: dict[str, Any], schema: Mapping[str, Any], path: KeyPath) -> Iterator[KeyProblem]:
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    others = schema.get("additionalProperties", True)
    for name in schema.get("required", ()):
        if name not in value:
            yield KeyProblem(path=path, message=f"needs the key {name!r}")
    if len(value) < schema.get("minProperties", 0):
        yield KeyProblem(path=path, message="must not be empty")
    for name, item in value.items():
        below = known.get(name) or next((part for form, part in patterns.items() if re.search(form, name)), others)
        if below is False:
            yield KeyProblem(path=(*path, name), message=_unknown(name, known, patterns))
        elif below is not True:
            yield from _problems(item, below, (*path, name))


def _unknown(name: str, known: Mapping[str, Any], patterns: Mapping[str, Any]) -> str:
    if patterns:
        return "must be a name of letters, digits, - and _"
    return f"is unknown{suggestion(name, known) or '; the keys are ' + ', '.join(known)}"


def _check_number(value: float, schema: Mapping[str, Any], path: KeyPath) -> Iterator[KeyProblem]:
    if "minimum" in schema and not value >= schema["minimum"]:
        yield KeyProblem(path=path, message=f"must be at least {schema['minimum']}, not {value}")
    elif "exclusiveMinimum" in schema and not value > schema["exclusiveMinimum"]:
        yield KeyProblem(path=path, message=f"must be above {schema['exclusiveMinimum']}, not {value}")
    elif "maximum" in schema and not value <= schema["maximum"]:
        yield KeyProblem(path=path, message=f"must be at most {schema['maximum']}, not {value}")
    elif "exclusiveMaximum" in schema and not value < schema["exclusiveMaximum"]:
        yield KeyProblem(path=path, message=f"must be below {schema['exclusiveMaximum']}, not {value}")


def _check_length(
    value: str | list[Any], schema: Mapping[str, Any], keyword: Literal["Items", "Length"], path: KeyPath
) -> Iterator[KeyProblem]:
    noun = "item" if keyword == "Items" else "character"
    least, most = schema.get(f"min{keyword}", 0), schema.get(f"max{keyword}", len(value))
    if len(value) < least:
        yield KeyProblem(
            path=path, message="must not be empty" if least == 1 else f"must have at least {count(least, noun)}"
        )
    elif len(value) > most:
        yield KeyProblem(path=path, message=f"must have at most {count(most, noun)}")


def _check_forms(value: Any, schema: Mapping[str, Any], path: KeyPath) -> Iterator[KeyProblem]:
    """Check a value that has one of several forms: those of its type, if only some are, decide about the message."""
    attempts = [(form, check_value(value, form, path)) for form in schema["anyOf"]]
    if any(not problems for _, problems in attempts):
        return
    near = [(form, problems) for form, problems in attempts if "type" in form and _has_type(value, form["type"])]
    if len(near) == 1:
        yield from near[0][1]
    elif near and isinstance(value, dict) and "type" in value:
        yield from _check_typed_table(value, [form for form, _ in near], path)
    else:
        yield KeyProblem(path=path, message=f"must be {_form(schema)}, not {format_value(value)}")


def _check_typed_table(value: dict[str, Any], forms: list[Mapping[str, Any]], path: KeyPath) -> Iterator[KeyProblem]:
    """Check a table whose key `type` decides about its form."""
    by_type = {form["properties"]["type"]["const"]: form for form in forms}
    problems = check_value(value["type"], {"enum": list(by_type)}, (*path, "type"))
    yield from problems or check_value(value, by_type[value["type"]], path)


def _has_type(value: object, name: str) -> bool:
    is_boolean = isinstance(value, bool)
    return isinstance(value, _TYPES[name]) and is_boolean == (name == "boolean")


def _form(schema: Mapping[str, Any]) -> str:
    """Return the form of a value for a message: the title of its schema, or the name of its type."""
    if "title" in schema:
        return str(schema["title"])
    if "anyOf" in schema:
        return " or ".join(_form(form) for form in schema["anyOf"])
    return _NAMES.get(schema.get("type", ""), "a value")
