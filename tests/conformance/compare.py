"""Comparisons of a release with an earlier one: each result is what would break a reader of the earlier one."""

from collections.abc import Iterator, Mapping
from typing import Any

_OPEN = {"type": "string"}
_SAMPLED = ("batch.progress", "tool.progress", "text.delta", "reasoning.delta", "arguments.delta")
"""Events of which another run may have more or fewer."""
_VALUES = ("type", "schema_version", "outcome", "exit_code")
"""Fields whose values are compared, besides their types."""


def compare_schemas(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Compare the definitions of an earlier release with those of now."""
    return [
        fault
        for name, definition in old.items()
        for fault in ([f"{name}: is missing"] if name not in new else _compare(definition, new[name], name))
    ]


def compare_streams(old: list[Any], new: list[Any]) -> list[str]:
    """Compare recorded events with those of another run of the same scenario, by type: concurrent ones swap places."""
    faults = []
    for kind in dict.fromkeys(event["type"] for event in old):
        before, now = ([event for event in events if event["type"] == kind] for events in (old, new))
        if len(now) < len(before) and (kind not in _SAMPLED or not now):
            faults.append(f"{kind}: came {len(before)} times, now {len(now)} times")
        for number, (first, second) in enumerate(zip(before, now, strict=False)):
            faults += compare_values(first, second, f"{kind}[{number}]")
    return faults


def compare_values(old: Any, new: Any, place: str = "$") -> list[str]:
    """Compare a recorded value with one of another run: what was there is there, with its type."""
    if old is None:
        return []
    if _kind(old) != _kind(new):
        return [f"{place}: was {_kind(old)}, and is {_kind(new)}"]
    if isinstance(old, dict):
        return [
            fault
            for name, value in old.items()
            for fault in (
                [f"{place}.{name}: is missing"]
                if name not in new
                else [f"{place}.{name}: was {value!r}, and is {new[name]!r}"]
                if name in _VALUES and value != new[name]
                else compare_values(value, new[name], f"{place}.{name}")
            )
        ]
    if isinstance(old, list):
        fewer = [f"{place}: has {len(new)} values, not {len(old)}"] if len(new) < len(old) else []
        pairs = enumerate(zip(old, new, strict=False))
        return fewer + [fault for at, pair in pairs for fault in compare_values(*pair, f"{place}[{at}]")]
    return []


def _compare(old: Any, new: Any, place: str) -> Iterator[str]:
    """Compare two schemas: only optional fields, and values of open enumerations, may have been added."""
    if old.get("properties") is None and new.get("properties") is not None:
        yield f"{place}: had arbitrary fields"
        return
    for name, schema in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            yield f"{place}.{name}: is missing"
            continue
        if name in old["required"] and name not in new["required"]:
            yield f"{place}.{name}: was always there, and is optional"
        yield from _compare(schema, new["properties"][name], f"{place}.{name}")
    if _OPEN in old.get("anyOf", ()):
        yield from (f"{place}: has the value {value!r} no more" for value in sorted(_values(old) - _values(new)))
        if _OPEN not in new.get("anyOf", ()):
            yield f"{place}: was an open enumeration"
        elif _types(old) != _types(new):
            yield f"{place}: may be of other types"
    elif old.get("anyOf") != new.get("anyOf"):
        yield f"{place}: may be of other types"
    if isinstance(old.get("items"), dict):
        yield from _compare(old["items"], new.get("items", {}), f"{place}[]")
    if isinstance(old.get("additionalProperties"), dict):
        yield from _compare(old["additionalProperties"], new.get("additionalProperties", {}), f"{place}.*")
    for key in sorted({*old, *new} - {"properties", "required", "anyOf", "items", "additionalProperties"}):
        if old.get(key) != new.get(key) and not _is_list_of_events(place, key):
            yield f"{place}: {key} was {old.get(key)!r}, and is {new.get(key)!r}"


def _values(schema: Any) -> set[str]:
    """Return the known values of an open enumeration."""
    return {value for each in schema.get("anyOf", ()) for value in each.get("enum", ())}


def _types(schema: Any) -> list[Any]:
    """Return the schemas of an open enumeration besides that of its known values."""
    return [each for each in schema["anyOf"] if "enum" not in each]


def _is_list_of_events(place: str, key: str) -> bool:
    """Return whether this is the list of known types, which an unknown event is none of: it grows."""
    return (place, key) == ("other-event.type", "not")


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    return {str: "a text", list: "a list", dict: "an object"}[type(value)]
