"""The form in which the traces API takes a trace or span: what it would refuse is cut, moved or said as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LARGEST = 100_000
"""The most bytes of JSON that the input or output of a span may have."""

_CUT = "... [truncated]"
_TEXT_SIZES = (50_000, 10_000, 2_000, 400, 80)
"""How long the texts in a value may be, from the first to the last attempt to make it fit."""
_DEEPEST = 64
_TOKENS = ("input_tokens", "output_tokens")


def ingestable(exported: dict[str, Any]) -> dict[str, Any]:
    """Return an exported trace or span as the traces API takes it."""
    data = exported.get("span_data")
    if not isinstance(data, dict):
        return exported
    fitted = {name: fitting(value) if name in ("input", "output") else value for name, value in data.items()}
    if "usage" in fitted:
        given = fitted.pop("usage")
        usage = _usage(given) if fitted.get("type") == "generation" else None
        if usage is not None:
            fitted["usage"] = usage
    return {**exported, "span_data": fitted}


def fitting(value: Any) -> Any:
    """Return a value whose JSON is at most `LARGEST` bytes, of the same kind: texts are cut, then parts left out."""
    if len(as_json(value)) <= LARGEST or _size(value) <= LARGEST:
        return value
    if isinstance(value, str):
        return _cut_text(value)
    for longest in _TEXT_SIZES:
        cut = _with_short_texts(value, longest)
        if _size(cut) <= LARGEST:
            return cut
    return _first_of(cut)


def as_json(value: Any) -> str:
    """Return JSON for any value: what JSON does not know is said as text."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return json.dumps(_plain(value, _DEEPEST), allow_nan=False, separators=(",", ":"))


def _usage(usage: object) -> dict[str, Any] | None:
    """Return usage with all but the two numbers that the API knows below `details`; None where one is missing."""
    if not isinstance(usage, Mapping) or not all(isinstance(usage.get(name), int) for name in _TOKENS):
        return None
    given = usage.get("details")
    rest = {name: value for name, value in usage.items() if name not in (*_TOKENS, "details") and value is not None}
    details = {**(given if isinstance(given, Mapping) else {}), **rest}
    known = {name: usage[name] for name in _TOKENS}
    return {**known, "details": details} if details else known


def _size(value: Any) -> int:
    """Return the bytes of a value's JSON in UTF-8; that with escapes, which goes out, may be longer."""
    return len(json.dumps(json.loads(as_json(value)), ensure_ascii=False).encode("utf-8", "replace"))


def _cut_text(text: str) -> str:
    # Half a character at the end, and the quotes and escapes of JSON, are why this is tried again.
    kept = text.encode("utf-8", "replace")[: LARGEST - len(_CUT) - 2].decode("utf-8", "ignore")
    while _size(kept + _CUT) > LARGEST:
        kept = kept[: len(kept) * 9 // 10]
    return kept + _CUT


def _with_short_texts(value: Any, longest: int) -> Any:
    match value:
        case str():
            return value if len(value) <= longest else value[:longest] + _CUT
        case dict():
            return {name: _with_short_texts(inner, longest) for name, inner in value.items()}
        case list() | tuple():
            return [_with_short_texts(inner, longest) for inner in value]
        case _:
            return value


def _first_of(value: Any) -> Any:
    """Return the first parts of a list or table, as many as fit."""
    left = LARGEST - 2
    if isinstance(value, list):
        items: list[Any] = []
        for item in value:
            left -= _size(item) + 2
            if left < 0:
                break
            items.append(item)
        return items
    if isinstance(value, dict):
        table: dict[Any, Any] = {}
        for name, item in value.items():
            left -= _size({name: item})
            if left < 0:
                break
            table[name] = item
        return table
    return _cut_text(str(value))


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if depth == 0:
        return _text(value)
    match value:
        case dict():
            return {_name(name): _plain(inner, depth - 1) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner, depth - 1) for inner in value]
        case float() if value == value and abs(value) != float("inf"):
            return value
        case _:
            return _text(value)


def _name(name: object) -> str:
    return name if isinstance(name, str) else _text(name)


def _text(value: object) -> str:
    try:
        text = str(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    return text if len(text) <= LARGEST else text[:LARGEST] + _CUT
