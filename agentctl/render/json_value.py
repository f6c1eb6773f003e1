"""Any Python value as JSON: what agents and tools return, put into machine documents."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from agentctl.agent.wire import JSONValue

from .escape import escape_json

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Return a value as JSON, one line without `indent`; what JSON has no word for is put as `to_json_value` says."""
    encode = _encode if indent is None else json.JSONEncoder(ensure_ascii=False, allow_nan=False, indent=indent).encode
    try:
        text = encode(value)
    except (TypeError, ValueError):
        text = encode(to_json_value(value))
    return text if text.isascii() else escape_json(text)


def to_json_value(value: Any) -> JSONValue:
    """Return a value as what JSON can say: objects by their fields, NaN and infinities as null, the rest as text."""
    if isinstance(value, Enum):
        return to_json_value(value.value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_key(key): to_json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return _list(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json_value(getattr(value, field.name)) for field in dataclasses.fields(value)}
    # A pydantic object knows its JSON; its class cannot be named without importing pydantic.
    dump = getattr(value, "model_dump", None)
    if dump is not None and not isinstance(value, type):
        return to_json_value(dump(mode="json", warnings=False))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _list(values: Iterable[Any]) -> list[JSONValue]:
    return [to_json_value(item) for item in values]


def _key(key: Any) -> str:
    return str(key.value if isinstance(key, Enum) else key)
