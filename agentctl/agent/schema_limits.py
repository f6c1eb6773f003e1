"""How large a strict schema may be: the limits that the service's documentation names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agentctl.errors import UserError

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
