"""Conversion of Python values to JSON: a value that JSON cannot express is replaced alone, never the whole."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import enum
import json
import math
from collections import deque
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, Sequence, Set, ValuesView
from itertools import islice
from typing import Any

from .wire import JSONValue

_MOST_ITEMS = 100_000
"""The number of items that are read of an iterator, which may have no end."""

_LONGEST_NUMBER_BITS = 10_000
"""Python does not write longer integers in decimal."""

_CYCLE = "…"


def json_text(value: Any) -> str:
    """Return a value as a JSON text; a string, or a value that JSON has as a string, is returned without quotes."""
    try:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        pass
    try:
        converted = json_value(value)
        return converted if isinstance(converted, str) else json.dumps(converted, ensure_ascii=False)
    except RecursionError:
        return _text(value)


def json_value(value: Any) -> JSONValue:
    """Return a value as JSON.

    Objects become their fields, iterables lists, bytes text or base64, and numbers that JSON does not have text. Other
    values become their `str`, and an object inside itself an ellipsis.
    """
    return _JsonConversion().of(value)


def plain(value: Any) -> JSONValue:
    """Return a value as JSON: as it is, as the fields of an object that has any, else as a text."""
    try:
        saved: JSONValue = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        saved = json.loads(json.dumps(json_value(value)))
    return saved


class _JsonConversion:
    """The conversion of one value; remembers the containers that it is inside of."""

    def __init__(self) -> None:
        self._around: set[int] = set()

    def of(self, value: Any) -> JSONValue:
        match value:
            case enum.Enum():
                return self.of(value.value)
            case None | bool() | str():
                return value
            case int():
                return hex(value) if value.bit_length() > _LONGEST_NUMBER_BITS else int(value)
            case float():
                return float(value) if math.isfinite(value) else _non_finite(value)
            case bytes() | bytearray() | memoryview():
                return _bytes_text(bytes(value))
            case datetime.date() | datetime.time():
                return value.isoformat()
        if id(value) in self._around:
            return _CYCLE
        self._around.add(id(value))
        try:
            return self._of_container(value)
        finally:
            self._around.discard(id(value))

    def _of_container(self, value: Any) -> JSONValue:
        match value:
            case Mapping():
                return {self._key(key): self.of(one) for key, one in value.items()}
            case Set() if not isinstance(value, KeysView | ItemsView):
                return sorted(map(self.of, value), key=lambda one: json.dumps(one, sort_keys=True))
        if isinstance(value, Sequence | ValuesView | KeysView | ItemsView | deque | Iterator):
            return [self.of(one) for one in islice(value, _MOST_ITEMS)]
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: self.of(getattr(value, field.name, None)) for field in dataclasses.fields(value)}
        return self._of_object(value)

    def _of_object(self, value: Any) -> JSONValue:
        """Return a pydantic object as its fields, an array as a list, anything else as text."""
        # Their classes cannot be named without importing their packages.
        dump = _method(value, "model_dump")
        if dump is not None:
            try:
                return self.of(dump(mode="json"))
            except Exception:
                return self.of(dict(value))  # A field that pydantic cannot serialize.
        to_list = _method(value, "tolist")
        return _text(value) if to_list is None else self.of(to_list())

    def _key(self, key: Any) -> str:
        converted = self.of(key)
        return converted if isinstance(converted, str) else json.dumps(converted, ensure_ascii=False)


def _method(value: Any, name: str) -> Callable[..., Any] | None:
    found = None if isinstance(value, type) else getattr(type(value), name, None)
    return getattr(value, name) if callable(found) else None


def _non_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _bytes_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__}>"
