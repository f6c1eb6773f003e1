"""Strict JSON schemas: the subset that the service can hold a model to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agentctl.errors import UserError

_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
"""The formats of strings that the service knows; it refuses a schema with any other."""

_SCHEMAS_BY_NAME = ("properties", "$defs", "definitions")

_LOGIC = ("not", "if", "then", "else", "dependentRequired", "dependentSchemas", "unevaluatedProperties")


def ensure_strict_json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return `schema` in strict form: every object closed, every property required, null defaults gone.

    What strict mode does not know and a value is checked for later anyway is left out: formats, unique items.

    Raises:
        UserError: the schema says what strict mode cannot, or is larger than the service takes.
    """
    if not schema:
        return {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    strict = _Conversion(schema).of(schema, "")
    check_limits(strict)
    return strict


class _Conversion:
    """One schema on its way to strict form; places in it are told as `Model.field[].field`."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._expanding: tuple[str, ...] = ()
        """The references that are being written out where the place at hand is."""

    def of(self, node: Any, place: str) -> dict[str, Any]:
        if node is False or not isinstance(node, dict) or not (node.keys() - {"title", "description", "default"}):
            raise _inexpressible(place, "may be anything (Any, object, or no annotation)", "give it a type")
        if "$ref" in node and len(node) > 1:
            return self._written_out(node, place)
        _refuse_logic(node, place)
        strict = {key: self._part(key, value, place) for key, value in node.items() if _is_kept(key, value)}
        if "oneOf" in strict:
            strict["anyOf"] = strict.pop("oneOf")
        if isinstance(parts := strict.pop("allOf", None), list):
            strict |= parts[0]
        kind = strict.get("type")
        if kind == "object" or "properties" in strict or (isinstance(kind, list) and "object" in kind):
            _close(strict, place)
        if kind == "array" and "items" not in strict:
            raise _inexpressible(f"{place}[]", "may be anything", "say what the list holds, as in list[str]")
        return strict

    def _part(self, key: str, value: Any, place: str) -> Any:
        if key in _SCHEMAS_BY_NAME and isinstance(value, dict):
            inside = place if key == "properties" else ""
            return {name: self.of(part, f"{inside}.{name}" if inside else name) for name, part in value.items()}
        if key in ("anyOf", "oneOf", "allOf") and isinstance(value, list):
            return [self.of(part, place) for part in value]
        return self.of(value, f"{place}[]") if key == "items" else value

    def _written_out(self, node: dict[str, Any], place: str) -> dict[str, Any]:
        """Return what a reference points at, with what stands beside it: strict mode allows nothing beside one."""
        reference = node["$ref"]
        if reference in self._expanding:
            return {"$ref": reference}  # A model that holds itself: what stands beside it cannot be said.
        before, self._expanding = self._expanding, (*self._expanding, reference)
        try:
            beside = {key: value for key, value in node.items() if key != "$ref"}
            return self.of({**self._resolved(reference), **beside}, place)
        finally:
            self._expanding = before

    def _resolved(self, reference: str) -> dict[str, Any]:
        node: Any = self._root
        for part in reference.removeprefix("#/").split("/"):
            node = node.get(part) if isinstance(node, dict) else None
        if not isinstance(node, dict):
            raise UserError(f"the schema refers to {reference!r}, which it does not define")
        return node


def _is_kept(key: str, value: Any) -> bool:
    match key:
        case "discriminator" | "uniqueItems":
            return False
        case "default":
            return value is not None
        case "format":
            return value in _FORMATS
        case _:
            return True


def _refuse_logic(node: dict[str, Any], place: str) -> None:
    if "prefixItems" in node or isinstance(node.get("items"), list):
        raise _inexpressible(place, "is a tuple, whose places have types of their own", "use a list or a model")
    if len(node.get("allOf", ())) > 1:
        raise _inexpressible(place, "is all of several schemas at once (allOf)", "merge them into one")
    for key in _LOGIC:
        if key in node:
            raise _inexpressible(place, f"has a condition ({key})", "leave it out and check the value yourself")


def _close(strict: dict[str, Any], place: str) -> None:
    keys = strict.get("propertyNames")
    if strict.get("additionalProperties") not in (None, False) or "patternProperties" in strict or keys:
        raise _inexpressible(
            place,
            "is an object with free keys (a dict, say)",
            "name its fields in a model, or use a list of models with a key and a value",
        )
    strict.setdefault("type", "object")
    strict["additionalProperties"] = False
    strict.setdefault("properties", {})
    strict["required"] = list(strict["properties"])


def _inexpressible(place: str, what: str, way_out: str) -> UserError:
    return UserError(
        f"{place or 'the whole'} {what}, which strict mode cannot express: {way_out}, or turn strict mode off"
    )


MOST_PROPERTIES = 5_000
MOST_LEVELS = 10
"""Of objects inside the outermost one."""
MOST_CHOICES = 1_000
"""Values of all enums together."""
MOST_CHARACTERS = 120_000
"""Of the names of all properties and definitions and the values of all enums and constants together."""
MANY_CHOICES = 250
MOST_CHARACTERS_OF_MANY = 15_000
"""Of the values of one enum that has more than `MANY_CHOICES`."""


def check_limits(schema: dict[str, Any]) -> None:
    """Check that the service takes a schema of this size.

    Raises:
        UserError: it does not.
    """
    size = _Size()
    for node in _nodes(schema):
        size.add(node)
    levels = _Levels(schema)
    depth = levels.of(schema) - 1
    for count, most, what in (
        (size.properties, MOST_PROPERTIES, "properties"),
        (0 if levels.is_endless else depth, MOST_LEVELS, "levels of objects inside each other"),
        (size.choices, MOST_CHOICES, "values in enums"),
        (size.characters, MOST_CHARACTERS, "characters in names and values"),
        (size.characters_of_many, MOST_CHARACTERS_OF_MANY, f"characters in an enum of over {MANY_CHOICES} values"),
    ):
        if count > most:
            raise UserError(
                f"the schema has {count} {what}, and in strict mode the service takes at most {most}: make it smaller, "
                "or turn strict mode off"
            )


class _Size:
    """What is counted of a schema."""

    properties = choices = characters = characters_of_many = 0

    def add(self, node: dict[str, Any]) -> None:
        names = [*node.get("properties", ()), *node.get("$defs", ()), *node.get("definitions", ())]
        values = node.get("enum", ())
        length = sum(len(str(value)) for value in values)
        self.properties += len(node.get("properties", ()))
        self.choices += len(values)
        self.characters += length + sum(map(len, names)) + len(str(node.get("const", "")))
        if len(values) > MANY_CHOICES:
            self.characters_of_many = max(self.characters_of_many, length)


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for part in _parts(node):
        yield from _nodes(part)
    for key in ("$defs", "definitions"):
        for part in node.get(key, {}).values():
            yield from _nodes(part)


class _Levels:
    """Counts how many objects lie inside each other; where definitions hold themselves there is no such number."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._definitions = root.get("$defs", root.get("definitions", {}))
        self._counted: dict[str, int | None] = {}
        self.is_endless = False

    def of(self, node: dict[str, Any]) -> int:
        if isinstance(reference := node.get("$ref"), str):
            return self._of_definition(reference.rpartition("/")[2])
        inside = max(map(self.of, _parts(node)), default=0)
        return inside + 1 if "properties" in node else inside

    def _of_definition(self, name: str) -> int:
        if name not in self._counted:
            self._counted[name] = None
            self._counted[name] = self.of(self._definitions.get(name, {}))
        count = self._counted[name]
        self.is_endless |= count is None
        return count or 0


def _parts(node: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the schemas directly in a schema, definitions left out."""
    items = [node["items"]] if "items" in node else []
    return [*node.get("properties", {}).values(), *items, *node.get("anyOf", ())]
