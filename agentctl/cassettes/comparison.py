"""Compares recorded requests with those of a replayed run: parts that are masked or volatile never differ; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.errors import CassetteDifference
from agentctl.redaction import MASK

MOST = 8
"""The number of differences that are shown."""

_EXCERPT = 60
"""The number of characters of a text that are shown around a difference."""

_MASKED_ID = "redacted_"
_VOLATILE = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)?(?: ?(?:Z|[+-]\d{2}:?\d{2}))?"
    r"|\b\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\b"
    r"|\b(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|Mon|Tue|Wed|Thu|Fri|Sat|Sun),? (?=[A-Z]|\d)"
    r"|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* \d{1,2}(?:, \d{4}|\b)"
    r"|\b\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*(?: \d{4})?\b"
    r"|\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"
    r"|\b(?:resp|msg|fc|rs|call|ctc|mcp|mcpr|conv|run|trace|span|req|item|group)_[A-Za-z0-9_]{6,}\b"
    r"|\b1[5-9]\d{8}(?:\.\d+)?\b|\b1[5-9]\d{11}\b"
)
"""Times, dates and ids in a text."""

_IDS = frozenset({"id", "call_id", "approval_request_id", "response_id", "previous_response_id", "request_id"})
_PARTS = {"instructions": "instructions", "tools": "tools", "input": "history", "model": "model"}


@dataclass(frozen=True, slots=True)
class _Leaf:
    """Two values that differ, and their place."""

    place: tuple[str, ...]
    recorded: Any
    replayed: Any


_ABSENT = object()


def differences(recorded: dict[str, Any], replayed: dict[str, Any]) -> list[CassetteDifference]:
    """Return the differences between two masked requests, at most `MOST`: none if only ids and times differ."""
    found = []
    for leaf in _compare(_by_name(recorded), _by_name(replayed), ()):
        found.append(_describe(leaf))
        if len(found) == MOST:
            break
    return found


def has_mask(value: Any) -> bool:
    """Return whether a JSON value has a masked span."""
    if isinstance(value, str):
        return MASK in value
    if isinstance(value, dict):
        return any(map(has_mask, value.values()))
    return isinstance(value, list) and any(map(has_mask, value))


def _by_name(request: dict[str, Any]) -> dict[str, Any]:
    """Return a request with its tools by name, so that an added one does not shift the others."""
    tools = request.get("tools")
    if not isinstance(tools, list):
        return request
    named: dict[str, Any] = {}
    for index, tool in enumerate(tools):
        name = str(tool.get("name") or tool.get("server_label") or tool.get("type")) if isinstance(tool, dict) else "?"
        named[name if name not in named else f"{name} ({index})"] = tool
    return {**request, "tools": named}


def _compare(recorded: Any, replayed: Any, place: tuple[str, ...]) -> Iterator[_Leaf]:
    if recorded is replayed or (type(recorded) is type(replayed) and recorded == replayed):
        return
    if isinstance(recorded, dict) and isinstance(replayed, dict):
        for name in [*recorded, *(name for name in replayed if name not in recorded)]:
            old, new = recorded.get(name, _ABSENT), replayed.get(name, _ABSENT)
            if name in _IDS and isinstance(old, str) and isinstance(new, str):
                continue
            yield from _compare(old, new, (*place, name))
    elif isinstance(recorded, list) and isinstance(replayed, list):
        for index in range(max(len(recorded), len(replayed))):
            old = recorded[index] if index < len(recorded) else _ABSENT
            new = replayed[index] if index < len(replayed) else _ABSENT
            yield from _compare(old, new, (*place, _item_name(index, old, new)))
    elif isinstance(recorded, str) and isinstance(replayed, str):
        if not is_same_text(recorded, replayed):
            yield _Leaf(place, recorded, replayed)
    elif isinstance(recorded, bool) or isinstance(replayed, bool) or recorded != replayed:
        yield _Leaf(place, recorded, replayed)


def is_same_text(recorded: str, replayed: str) -> bool:
    """Return whether two texts are the same but for ids and times; a masked span is the same as any text."""
    if recorded == replayed:
        return True
    old, new = _VOLATILE.sub("\0", recorded), _VOLATILE.sub("\0", replayed)
    return old == new or _matches(old, new) or _matches(new, old)


def _matches(pattern: str, text: str) -> bool:
    """Return whether a text is one that the masked spans of `pattern` may have hidden."""
    if pattern.startswith(_MASKED_ID):
        return True
    head, *parts = pattern.split(MASK)
    if not parts:
        return False
    *middle, tail = parts
    if len(text) < len(head) + len(tail) or not text.startswith(head) or not text.endswith(tail):
        return False
    at, end = len(head), len(text) - len(tail)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _item_name(index: int, *values: Any) -> str:
    kind = next((value.get("type") or value.get("role") for value in values if isinstance(value, dict)), None)
    return f"{index + 1} ({kind})" if isinstance(kind, str) else str(index + 1)


def _describe(leaf: _Leaf) -> CassetteDifference:
    head, *rest = leaf.place
    part = _PARTS.get(head, "settings")
    place = [*([head] if part == "settings" else []), *rest]
    old, new = _as_text(leaf.recorded), _as_text(leaf.replayed)
    start = 0
    if old is not None and new is not None and max(len(old), len(new)) > _EXCERPT:
        same = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        start = max(0, same - _EXCERPT // 3)
    return CassetteDifference(
        part=part, place=".".join(place), recorded=_excerpt(old, start), replayed=_excerpt(new, start)
    )


def _as_text(value: Any) -> str | None:
    if value is _ABSENT:
        return None
    import json  # Loaded by every run.

    return json.dumps(value, ensure_ascii=False)


def _excerpt(text: str | None, start: int) -> str | None:
    if text is None:
        return None
    end = start + _EXCERPT
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"
