"""Conversion of tools' return values to the text or parts that the model reads."""

from __future__ import annotations

import json
from typing import Any

from agentctl.agent.wire import whole_characters


def output_wire(output: Any) -> str | list[dict[str, Any]]:
    """Return a tool's return value as the `output` of its item: parts as a list, anything else as text.

    Strings stay as they are, data becomes JSON; in it, a value that JSON cannot express becomes text.
    """
    if isinstance(output, str):
        return whole_characters(output)
    parts = _parts(output)
    return whole_characters(_data_text(output)) if parts is None else parts


def output_text(output: Any) -> str:
    """Return a tool's return value as text."""
    return wire_text(output_wire(output))


def wire_text(wire: str | list[dict[str, Any]]) -> str:
    """Return the `output` of an item as text: text parts joined, or all parts as JSON if there are others."""
    if isinstance(wire, str):
        return wire
    if all(part["type"] == "input_text" for part in wire):
        return "\n".join(part["text"] for part in wire)
    return json.dumps(wire, ensure_ascii=False)


def _parts(output: Any) -> list[dict[str, Any]] | None:
    """Return an output that consists of parts only in the form of the API, None for other outputs."""
    if not all(map(_may_be_part, output if isinstance(output, list | tuple) else [output])):
        return None
    # 50 ms, saved for tools that return only text and data.
    from .tool_output_parts import parts_wire

    return parts_wire(output)


def _may_be_part(value: Any) -> bool:
    if isinstance(value, dict):
        return value.get("type") in ("text", "image", "file")
    return type(value).__name__.startswith("ToolOutput") or hasattr(value, "model_dump")


def _data_text(output: Any) -> str:
    try:
        return json.dumps(output, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        # 1 ms, saved for tools that return strings or plain data.
        from agentctl.agent.json_values import json_text

        return json_text(output)
