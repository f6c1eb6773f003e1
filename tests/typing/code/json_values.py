"""JSON values: a type checker follows them to any depth, and each comment is needed, or checking this file fails."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from agentctl.agent.wire import JSONValue

value: JSONValue = {"texts": ["a", None, {"number": 1.5, "flag": True}], "empty": {}}
a_path: JSONValue = Path("a")  # type: ignore[assignment]
a_tuple: JSONValue = ("a", "b")  # type: ignore[assignment]
a_set_inside: JSONValue = {"values": [{1, 2}]}  # type: ignore[list-item]
a_date_inside: JSONValue = {"created": {"on": date(2026, 1, 1)}}  # type: ignore[dict-item]
a_number_as_name: JSONValue = {1: "a"}  # type: ignore[dict-item]


def first_name(document: JSONValue) -> str:
    match document:
        case {"names": [str(name), *_]}:
            return name
        case _:
            return ""


def unchecked_name(document: JSONValue) -> JSONValue:
    try:
        return document["name"]  # type: ignore[index, call-overload]
    except TypeError:
        return None
