"""Conversion of exported traces and spans to the limits of the traces API: values are truncated, moved or converted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MAX_BYTES = 100_000
"""Maximum size in bytes of a span's input or output as JSON."""

_TRUNCATION_MARK = "... [truncated]"
_TEXT_LIMITS = (50_000, 10_000, 2_000, 400, 80)
"""Limits for the strings in a value, tried in order until it fits."""
_MAX_DEPTH = 64
_TOKENS = ("input_tokens", "output_tokens")


def prepare_for_ingest(exported: dict[str, Any]) -> dict[str, Any]:
    """Return an exported trace or span in a form that the traces API accepts."""
    data = exported.get("span_data")
    if not isinstance(data, dict):
        return exported
    fitted = {name: fit(value) if name in ("input", "output") else value for name, value in data.items()}
    if "usage" in fitted:
        exported_usage = fitted.pop("usage")
        usage = _usage(exported_usage) if fitted.get("type") == "generation" else None
        if usage is not None:
            fitted["usage"] = usage
    return {**exported, "span_data": fitted}


def fit(value: Any) -> Any:
    """Return a value of the same type within `MAX_BYTES` of JSON: strings are truncated, then elements dropped."""
    if len(as_json(value)) <= MAX_BYTES or _size(value) <= MAX_BYTES:
        return value
    if isinstance(value, str):
        return _truncate(value)
    for limit in _TEXT_LIMITS:
        truncated = _with_short_texts(value, limit)
        if _size(truncated) <= MAX_BYTES:
            return truncated
    return _first_parts(truncated)


def as_json(value: Any) -> str:
    """Return JSON for any value; values that JSON cannot express become strings."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return json.dumps(_plain(value, _MAX_DEPTH), allow_nan=False, separators=(",", ":"))


def _usage(usage: object) -> dict[str, Any] | None:
    """Return usage with the API's two counts and everything else under `details`; None if a count is missing."""
    if not isinstance(usage, Mapping) or not all(isinstance(usage.get(name), int) for name in _TOKENS):
        return None
    existing = usage.get("details")
    rest = {name: value for name, value in usage.items() if name not in (*_TOKENS, "details") and value is not None}
    details = {**(existing if isinstance(existing, Mapping) else {}), **rest}
    known = {name: usage[name] for name in _TOKENS}
    return {**known, "details": details} if details else known


def _size(value: Any) -> int:
    """Return the size of a value's JSON in UTF-8 without escapes; the JSON that is sent may be longer."""
    return len(json.dumps(json.loads(as_json(value)), ensure_ascii=False).encode("utf-8", "replace"))


def _truncate(text: str) -> str:
    # Repeated, since a split character at the end and the quotes and escapes of JSON change the size.
    kept = text.encode("utf-8", "replace")[: MAX_BYTES - len(_TRUNCATION_MARK) - 2].decode("utf-8", "ignore")
    while _size(kept + _TRUNCATION_MARK) > MAX_BYTES:
        kept = kept[: len(kept) * 9 // 10]
    return kept + _TRUNCATION_MARK


def _with_short_texts(value: Any, limit: int) -> Any:
    match value:
        case str():
            return value if len(value) <= limit else value[:limit] + _TRUNCATION_MARK
        case dict():
            return {name: _with_short_texts(inner, limit) for name, inner in value.items()}
        case list() | tuple():
            return [_with_short_texts(inner, limit) for inner in value]
        case _:
            return value


def _first_parts(value: Any) -> Any:
    """Return the first elements of a list or dict, as many as fit."""
    left = MAX_BYTES - 2
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
    return _truncate(str(value))


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
    return text if len(text) <= MAX_BYTES else text[:MAX_BYTES] + _TRUNCATION_MARK
