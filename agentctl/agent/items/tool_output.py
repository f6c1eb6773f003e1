"""How what a tool returned is put to the model."""

from __future__ import annotations

import json
from typing import Any

from agentctl.agent.wire import JSONValue, whole_characters

from .views import fields_of


def output_wire(output: Any) -> JSONValue:
    """Return what a tool gave as the `output` of its item: parts as a list, anything else as a text.

    A text is itself, data is JSON, what JSON cannot say is its `str`.
    """
    if isinstance(output, str):
        return whole_characters(output)
    parts = _parts(output)
    return whole_characters(_data_text(output)) if parts is None else parts


def output_text(output: Any) -> str:
    """Return what a tool gave as one text."""
    return wire_text(output_wire(output))


def wire_text(wire: JSONValue) -> str:
    """Return the `output` of an item as one text: texts joined, parts of other kinds as JSON."""
    if isinstance(wire, str):
        return wire
    if all(part["type"] == "input_text" for part in wire):
        return "\n".join(part["text"] for part in wire)
    return json.dumps(wire, ensure_ascii=False)


def _parts(output: Any) -> list[JSONValue] | None:
    """Return an output that is a part, or nothing but parts, as the API has them."""
    if output is None or isinstance(output, bool | int | float):
        return None
    # A millisecond that tools which return texts and numbers do not pay.
    from .tool_output_parts import parts_wire

    return parts_wire(output)


def _data_text(output: Any) -> str:
    try:
        return json.dumps(output, ensure_ascii=False, default=fields_of)
    except (TypeError, ValueError):
        return str(output)
