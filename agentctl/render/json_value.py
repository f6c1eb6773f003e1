"""Conversion of any Python value to JSON: the results of agents and tools in machine output."""

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
    """Return a value as JSON text, on one line without `indent`; converts other types with `to_json_value`."""
    encode = _encode if indent is None else json.JSONEncoder(ensure_ascii=False, allow_nan=False, indent=indent).encode
    try:
        text = encode(value)
    except (TypeError, ValueError):
        text = encode(to_json_value(value))
    return text if text.isascii() else escape_json(text)


def to_json_value(value: Any) -> JSONValue:
    """Return the JSON equivalent of a value: objects by their fields, NaN and infinity as null, the rest as text."""
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
    # A pydantic model, recognized by its method: naming its class would import pydantic.
    dump = getattr(value, "model_dump", None)
    if dump is not None and not isinstance(value, type):
        return to_json_value(dump(mode="json", warnings=False))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _list(values: Iterable[Any]) -> list[JSONValue]:
    return [to_json_value(item) for item in values]


def _key(key: Any) -> str:
    return str(key.value if isinstance(key, Enum) else key)
