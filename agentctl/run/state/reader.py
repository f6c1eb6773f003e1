"""Reads untrusted JSON: each field is checked as it is read, and named if it is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from agentctl.agent.wire import JSONValue, WireItem
from agentctl.errors import UserError

T = TypeVar("T")


class Fields:
    """The fields of a JSON object.

    Every method raises `UserError` where a field is missing, or not of the kind that the method says.
    """

    def __init__(self, value: JSONValue, place: str) -> None:
        if not isinstance(value, dict):
            raise broken(f"{place} is no object")
        self._value, self._place = value, place

    def has(self, name: str) -> bool:
        """Return whether there is such a field."""
        return name in self._value

    def only(self, *names: str) -> None:
        """See that there is no other field."""
        for name in self._value:
            if name not in names:
                raise broken(f"{self._place} has the unknown field {name!r}")

    def value(self, name: str) -> JSONValue:
        """Return a field, whatever it is."""
        if name not in self._value:
            raise broken(f"{self._place} has no {name!r}")
        return self._value[name]

    def text(self, name: str) -> str:
        """Return a text."""
        return self._of_kind(name, str)

    def number(self, name: str) -> int:
        """Return a whole number from 0."""
        number = self._of_kind(name, int)
        if number < 0:
            raise broken(f"{self._place}: {name!r} is below 0")
        return number

    def flag(self, name: str) -> bool:
        """Return true or false."""
        return self._of_kind(name, bool)

    def optional(self, name: str, kind: type[T]) -> T | None:
        """Return a field of this kind, or None."""
        return None if self.value(name) is None else self._of_kind(name, kind)

    def optional_time(self, name: str) -> float | None:
        """Return a time in seconds since 1970, or None."""
        value = self.value(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST_TIME:
            raise broken(f"{self._place}: {name!r} is no time")
        return float(value)

    def texts(self, name: str) -> list[str]:
        """Return a list of texts."""
        texts: list[Any] = self._of_kind(name, list)
        if not all(isinstance(text, str) for text in texts):
            raise broken(f"{self._place}: {name!r} is no list of texts")
        return list(texts)

    def objects(self, name: str) -> list[WireItem]:
        """Return a list of objects, as they are."""
        objects: list[Any] = self._of_kind(name, list)
        if not all(isinstance(one, dict) for one in objects):
            raise broken(f"{self._place}: {name!r} is no list of objects")
        return list(objects)

    def inner(self, name: str) -> Fields:
        """Return an object, to be read."""
        return Fields(self.value(name), f"{self._place}, {name}")

    def inners(self, name: str) -> list[Fields]:
        """Return a list of objects, to be read."""
        return [Fields(one, f"{self._place}, {name}[{place}]") for place, one in enumerate(self.objects(name))]

    def inner_items(self) -> Iterator[tuple[str, Fields]]:
        """Yield the fields, all of them objects, by their names."""
        for name in self._value:
            yield name, self.inner(name)

    def _of_kind(self, name: str, kind: type[T]) -> T:
        value = self.value(name)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise broken(f"{self._place}: {name!r} is no {_KINDS.get(kind, kind.__name__)}")
        return value


_KINDS: dict[type[Any], str] = {str: "text", int: "whole number", bool: "true or false", list: "list", dict: "object"}


def broken(what: str) -> UserError:
    """Return the error for a state that cannot be read."""
    return UserError(f"the state of the run cannot be read: {what}")


_LATEST_TIME = 253_402_300_800
"""The end of the year 9999, the last that dates can have."""
