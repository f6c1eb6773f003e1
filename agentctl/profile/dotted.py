"""Dotted names of settings, and access to nested tables by them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

Parts: TypeAlias = tuple[str, ...]
"""The parts of a dotted name: `settings.reasoning.effort` is `("settings", "reasoning", "effort")`."""

_PART = r'"(?:[^"\\]|\\.)*"|[^."]+'


def split(name: str) -> Parts:
    """Split a dotted name; a part in double quotes may contain any character. Raises `ValueError` if invalid."""
    texts = re.findall(_PART, name) if '"' in name else name.split(".")
    try:
        parts = tuple(json.loads(text, strict=False) if text.startswith('"') else text for text in texts)
    except ValueError:
        parts = ()
    if not parts or ".".join(texts) != name or not all(texts):
        raise ValueError(f"{name!r} is not a dotted name such as settings.reasoning.effort")
    return parts


def join(parts: Iterable[str]) -> str:
    """Return the dotted name of `parts`, with quotes around parts that need them."""
    return ".".join(part if _is_bare(part) else json.dumps(part, ensure_ascii=False) for part in parts)


def leaves(table: Mapping[str, Any], above: Parts = ()) -> Iterator[tuple[Parts, Any]]:
    """Yield the values of nested tables with their names; a list or an empty table is one value."""
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name), value


def put(table: dict[str, Any], parts: Parts, value: object) -> None:
    """Set the value that `parts` name; creates missing tables and replaces non-tables on the way."""
    *tables, last = parts
    for part in tables:
        inner = table.get(part)
        if not isinstance(inner, dict):
            inner = table[part] = {}
        table = inner
    table[last] = value


def drop(table: dict[str, Any], parts: Parts) -> bool:
    """Remove the value or table that `parts` name, and tables left empty; return whether it existed."""
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


def nest(values: Iterable[tuple[Parts, object]]) -> dict[str, Any]:
    """Return named values as nested tables."""
    table: dict[str, Any] = {}
    for parts, value in values:
        put(table, parts, value)
    return table


def _is_bare(part: str) -> bool:
    return part.isascii() and part.replace("-", "").replace("_", "a").isalnum()
