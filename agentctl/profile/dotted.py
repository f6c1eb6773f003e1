"""Dotted names of settings, and the nested tables that they name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from agentctl.agent.wire import JSONValue

Parts: TypeAlias = tuple[str, ...]
"""A dotted name, taken apart: `settings.reasoning.effort` is `("settings", "reasoning", "effort")`."""

_PART = r'"(?:[^"\\]|\\.)*"|[^."]+'


def split(name: str) -> Parts:
    """Take a dotted name apart; a part in double quotes may hold anything. Raises `ValueError`."""
    texts = re.findall(_PART, name) if '"' in name else name.split(".")
    try:
        parts = tuple(json.loads(text, strict=False) if text.startswith('"') else text for text in texts)
    except ValueError:
        parts = ()
    if not parts or ".".join(texts) != name or not all(texts):
        raise ValueError(f"{name!r} is not a dotted name such as settings.reasoning.effort")
    return parts


def join(parts: Iterable[str]) -> str:
    """Return the dotted name of `parts`, quoted where a part needs it."""
    return ".".join(part if _is_bare(part) else json.dumps(part, ensure_ascii=False) for part in parts)


def leaves(table: Mapping[str, JSONValue], above: Parts = ()) -> Iterator[tuple[Parts, JSONValue]]:
    """Yield every value of nested tables with its name; a list is one value, and so is an empty table."""
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name), value


def put(table: dict[str, JSONValue], parts: Parts, value: JSONValue) -> None:
    """Set the value that `parts` name, creating the tables on the way, in place of anything that is no table."""
    *tables, last = parts
    for part in tables:
        inner = table.get(part)
        if not isinstance(inner, dict):
            inner = table[part] = {}
        table = inner
    table[last] = value


def drop(table: dict[str, JSONValue], parts: Parts) -> bool:
    """Remove the value or table that `parts` name, and tables that this empties; say whether it was there."""
    first, *rest = parts
    if first not in table:
        return False
    if not rest:
        del table[first]
        return True
    inner = table[first]
    found = isinstance(inner, dict) and drop(inner, tuple(rest))
    if found and not inner:
        del table[first]
    return found


def nest(values: Iterable[tuple[Parts, JSONValue]]) -> dict[str, JSONValue]:
    """Return named values as nested tables."""
    table: dict[str, JSONValue] = {}
    for parts, value in values:
        put(table, parts, value)
    return table


def _is_bare(part: str) -> bool:
    return part.isascii() and part.replace("-", "").replace("_", "a").isalnum()
