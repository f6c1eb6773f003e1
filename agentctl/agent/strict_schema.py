"""Strict JSON schemas: the subset that the service can enforce."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from agentctl.errors import UserError

STRICT_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
"""String formats that the service supports; it rejects schemas with any other."""

DROPPED_KEYWORDS = ("uniqueItems",)
"""Keywords that strict mode does not support, and that the strict form leaves out."""

_SCHEMAS_BY_NAME = ("properties", "$defs", "definitions")

_MOST_NODES = 25_000
"""Far above the parts of a schema within the service's limits."""

_ANNOTATIONS = frozenset(
    {
        "$anchor",
        "$comment",
        "$defs",
        "$id",
        "$schema",
        "contentEncoding",
        "contentMediaType",
        "default",
        "definitions",
        "deprecated",
        "description",
        "examples",
        "readOnly",
        "title",
        "writeOnly",
    }
)
"""Keywords that constrain no value."""

_CONDITIONS = ("not", "if", "then", "else", "dependentRequired", "dependentSchemas", "unevaluatedProperties")


class UnknownReferenceError(UserError, ValueError):
    """A schema refers to something that it does not define: a `ValueError` as well, as in the Agents SDK."""


def ensure_strict_json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return `schema` in strict form: every object closed, every property required, null defaults removed.

    Keywords that strict mode does not support and that are validated later anyway are dropped: formats, unique items.

    Raises:
        UserError: strict mode cannot express the schema, or it exceeds the service's limits.
        UnknownReferenceError: it refers to something that it does not define.
        TypeError: it is no dict.
    """
    if not isinstance(schema, dict):
        raise TypeError(f"a JSON schema must be a dict, not {type(schema).__name__}")
    if not schema:
        return {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    try:
        strict = _Conversion(schema).of(schema, "")
        _check_root(strict)
        check_limits(strict)
    except RecursionError as error:
        raise UserError("the schema is too deeply nested: make it flatter, or turn strict mode off") from error
    return strict


class _Conversion:
    """The conversion of one schema to strict form; errors name places in it as `Model.field[].field`."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._expanding: tuple[str, ...] = ("#",)
        """References that are being inlined at the current place."""
        self._nodes = 0

    def of(self, node: Any, place: str) -> dict[str, Any]:
        self._count(place)
        if node is False or not isinstance(node, dict) or not (node.keys() - {"title", "description", "default"}):
            raise _inexpressible(place, "accepts anything (Any, object, or no annotation)", "give it a type")
        self._check_resource(node, place)
        if "$ref" in node and len(node) > 1:
            return self._inline(node, place)
        if isinstance(parts := node.get("allOf"), list) and len(parts) == 1 and isinstance(parts[0], dict):
            merged = self._merge({key: value for key, value in node.items() if key != "allOf"}, parts[0], place, ())
            return self.of(merged, place)
        _reject_conditions(node, place)
        strict = {key: self._part(key, value, place) for key, value in node.items() if _is_kept(key, value)}
        if "oneOf" in strict:
            strict["anyOf"] = [*strict.get("anyOf", ()), *strict.pop("oneOf")]
        kind = strict.get("type")
        is_object = kind == "object" or (isinstance(kind, list) and "object" in kind)
        if is_object or (kind is None and ("properties" in strict or "additionalProperties" in strict)):
            _close(strict, place)
        if (kind == "array" or (isinstance(kind, list) and "array" in kind)) and "items" not in strict:
            raise _inexpressible(f"{place}[]", "accepts anything", "give the items a type, as in list[str]")
        return strict

    def _check_resource(self, node: dict[str, Any], place: str) -> None:
        """Reject references that are not relative to the root."""
        if isinstance(node.get("$id"), str) and node is not self._root and '"$ref"' in json.dumps(node, default=str):
            raise _inexpressible(place, "has references in a nested `$id` resource", "define it at the root")

    def _part(self, key: str, value: Any, place: str) -> Any:
        if key in _SCHEMAS_BY_NAME and isinstance(value, dict):
            inside = place if key == "properties" else ""
            return {name: self.of(part, f"{inside}.{name}" if inside else name) for name, part in value.items()}
        if key in ("anyOf", "oneOf", "allOf") and isinstance(value, list):
            return [self.of(part, place) for part in value]
        return self.of(value, f"{place}[]") if key == "items" else value

    def _inline(self, node: dict[str, Any], place: str) -> dict[str, Any]:
        """Return the target of a reference merged with its sibling keywords, which strict mode does not allow."""
        reference = node["$ref"]
        if reference in self._expanding:
            return {"$ref": reference}  # A recursive model: the siblings cannot be expressed.
        siblings = {key: value for key, value in node.items() if key != "$ref"}
        if constraints := [key for key in siblings if not _is_annotation(key)]:
            raise _inexpressible(
                place, f"has a reference with an incompatible sibling ({constraints[0]})", "put it at the definition"
            )
        outer, self._expanding = self._expanding, (*self._expanding, reference)
        try:
            return self.of({**self._resolve(reference), **siblings}, place)
        finally:
            self._expanding = outer

    def _merge(self, node: dict[str, Any], part: dict[str, Any], place: str, seen: tuple[str, ...]) -> dict[str, Any]:
        """Return a schema with the single part of its `allOf`, references in that part resolved."""
        self._count(place)
        self._check_resource(part, place)
        reference = part.get("$ref")
        if isinstance(reference, str):
            if reference in seen:
                raise _inexpressible(place, f"has a circular reference ({reference})", "define it without itself")
            own = {key: value for key, value in part.items() if key != "$ref"}
            return self._merge(_merge_parts(node, own, place), self._resolve(reference), place, (*seen, reference))
        inner = part.get("allOf")
        if isinstance(inner, list) and len(inner) == 1 and isinstance(inner[0], dict):
            own = {key: value for key, value in part.items() if key != "allOf"}
            return self._merge(_merge_parts(node, own, place), inner[0], place, seen)
        return _merge_parts(node, part, place)

    def _count(self, place: str) -> None:
        self._nodes += 1
        if self._nodes > _MOST_NODES:  # References that are inlined multiply.
            raise UserError(
                f"the schema has more than {_MOST_NODES} parts once its references are inlined: describe a reference "
                "at its definition, or turn strict mode off"
            )

    def _resolve(self, reference: str) -> dict[str, Any]:
        node: Any = self._root if isinstance(reference, str) and reference.startswith("#/") else None
        for part in unquote(reference).removeprefix("#/").split("/") if node else ():
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict) and node is not self._root and isinstance(node.get("$id"), str):
                raise UserError(f"the schema refers to {reference!r}, which is inside a nested `$id` resource")
            if isinstance(node, list):
                node = node[int(name)] if name.isdecimal() and int(name) < len(node) else None
            else:
                node = node.get(name) if isinstance(node, dict) else None
        if not isinstance(node, dict):
            raise UnknownReferenceError(f"the schema refers to {reference!r}, which it does not define")
        return node


def _check_root(strict: dict[str, Any]) -> None:
    if isinstance(strict.get("type"), list) or "anyOf" in strict:
        raise UserError(
            "the root of a strict JSON schema must be an object, not a union: wrap it in a field, or turn strict mode "
            "off"
        )


def _is_annotation(key: str) -> bool:
    return key in _ANNOTATIONS or key.startswith("x-")


def _merge_parts(node: dict[str, Any], part: dict[str, Any], place: str) -> dict[str, Any]:
    """Return a schema with the keywords of a part of it; its own annotations take precedence."""
    for key in node.keys() & part.keys():
        if not (_is_annotation(key) or _is_same_json(node[key], part[key])):
            raise _inexpressible(place, f"has a singleton `allOf` that repeats {key!r}", "merge them into one schema")
    constraints = {key: value for key, value in part.items() if not _is_annotation(key)}
    return {**part, **node, **constraints}


def _is_same_json(first: Any, second: Any) -> bool:
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(_is_same_json(first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_is_same_json, first, second))
    return bool(first == second)


def _is_kept(key: str, value: Any) -> bool:
    match key:
        case _ if key in DROPPED_KEYWORDS:
            return False
        case "default":
            return value is not None
        case "format":
            return value in STRICT_FORMATS
        case _:
            return True


def _reject_conditions(node: dict[str, Any], place: str) -> None:
    if "prefixItems" in node or isinstance(node.get("items"), list) or node.get("maxItems") == 0:
        advice = "use tuple[T, ...] or list[T] instead, or a model"
        raise _inexpressible(place, "is a tuple with a type per position", advice)
    if len(node.get("allOf", ())) > 1:
        raise _inexpressible(place, "combines several schemas (allOf)", "merge them into one")
    for key in _CONDITIONS:
        if key in node:
            raise _inexpressible(place, f"has a condition ({key})", "remove it and validate the value in your code")


def _close(strict: dict[str, Any], place: str) -> None:
    keys = strict.get("propertyNames")
    if strict.get("additionalProperties") not in (None, False) or "patternProperties" in strict or keys:
        raise _inexpressible(
            place,
            "is an object with arbitrary keys (a dict, for instance)",
            "define its fields in a model, or use a list of models with a key and a value",
        )
    strict.setdefault("type", "object")
    strict["additionalProperties"] = False
    strict.setdefault("properties", {})
    strict["required"] = list(strict["properties"])


def _inexpressible(place: str, problem: str, advice: str) -> UserError:
    return UserError(
        f"{place or 'the schema'} {problem}, which strict mode cannot express: {advice}, or turn strict mode off"
    )


MAX_PROPERTIES = 5_000
MAX_LEVELS = 10
"""Nesting depth of objects inside the outermost one."""
MAX_ENUM_VALUES = 1_000
"""Values of all enums in total."""
MAX_CHARACTERS = 120_000
"""Characters of all names of properties and definitions and all values of enums and constants."""
LARGE_ENUM = 250
MAX_LARGE_ENUM_CHARACTERS = 15_000
"""Characters of the values of one enum with more than `LARGE_ENUM` values."""


def check_limits(schema: dict[str, Any]) -> None:
    """Check the size of a schema against the service's limits.

    Raises:
        UserError: a limit is exceeded.
    """
    size = _Size()
    for node in _nodes(schema):
        size.add(node)
    levels = _Levels(schema)
    depth = levels.of(schema) - 1
    for count, limit, what in (
        (size.properties, MAX_PROPERTIES, "properties"),
        (0 if levels.is_recursive else depth, MAX_LEVELS, "levels of nested objects"),
        (size.enum_values, MAX_ENUM_VALUES, "values in enums"),
        (size.characters, MAX_CHARACTERS, "characters in names and values"),
        (
            size.large_enum_characters,
            MAX_LARGE_ENUM_CHARACTERS,
            f"characters in an enum with more than {LARGE_ENUM} values",
        ),
    ):
        if count > limit:
            raise UserError(
                f"the schema has {count} {what}; strict mode allows at most {limit}: make it smaller, "
                "or turn strict mode off"
            )


class _Size:
    """Counts of a schema that the service limits."""

    properties = enum_values = characters = large_enum_characters = 0

    def add(self, node: dict[str, Any]) -> None:
        names = [*node.get("properties", ()), *node.get("$defs", ()), *node.get("definitions", ())]
        values = node.get("enum", ())
        length = sum(len(str(value)) for value in values)
        self.properties += len(node.get("properties", ()))
        self.enum_values += len(values)
        self.characters += length + sum(map(len, names)) + len(str(node.get("const", "")))
        if len(values) > LARGE_ENUM:
            self.large_enum_characters = max(self.large_enum_characters, length)


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for part in _parts(node):
        yield from _nodes(part)
    for key in ("$defs", "definitions"):
        for part in node.get(key, {}).values():
            yield from _nodes(part)


class _Levels:
    """Counts the levels of nested objects; recursive definitions have no such count."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._definitions = root.get("$defs", root.get("definitions", {}))
        self._counts: dict[str, int | None] = {}
        self.is_recursive = False

    def of(self, node: dict[str, Any]) -> int:
        if isinstance(reference := node.get("$ref"), str):
            return self._of_definition(reference.rpartition("/")[2])
        inside = max(map(self.of, _parts(node)), default=0)
        return inside + 1 if "properties" in node else inside

    def _of_definition(self, name: str) -> int:
        if name not in self._counts:
            self._counts[name] = None
            self._counts[name] = self.of(self._definitions.get(name, {}))
        count = self._counts[name]
        self.is_recursive |= count is None
        return count or 0


def _parts(node: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the direct subschemas of a schema, without definitions."""
    items = [node["items"]] if "items" in node else []
    return [*node.get("properties", {}).values(), *items, *node.get("anyOf", ())]
