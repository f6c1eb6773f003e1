"""The input of an agent that is a tool: the arguments of the call, as its model reads them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypedDict

from agentctl.errors import UserError

from .wire import WireItem


class StructuredToolInputBuilderOptions(TypedDict, total=False):
    """What an input builder is given."""

    params: Any
    """The arguments, as JSON."""
    summary: str | None
    """What the arguments mean, in words; None where nothing says so."""
    json_schema: dict[str, Any] | None
    """Their schema, if it was asked for."""


StructuredToolInputResult: TypeAlias = str | list[WireItem]

StructuredToolInputBuilder: TypeAlias = Callable[
    [StructuredToolInputBuilderOptions], StructuredToolInputResult | Awaitable[StructuredToolInputResult]
]
"""Makes the input of the agent's run from the arguments of the call."""


def default_tool_input_builder(options: StructuredToolInputBuilderOptions) -> str:
    """Return the arguments as JSON, with their schema, or what they mean, below."""
    arguments = json.dumps(options.get("params"), ensure_ascii=False, indent=2)
    schema, summary = options.get("json_schema"), options.get("summary")
    if schema is not None:
        meaning = f"They are of this JSON schema:\n{json.dumps(schema, ensure_ascii=False, indent=2)}"
    elif summary:
        meaning = f"What they mean:\n{summary}"
    else:
        return arguments
    return f"Another agent calls you as a tool, with these arguments:\n{arguments}\n\n{meaning}"


async def built_input(
    builder: StructuredToolInputBuilder, options: StructuredToolInputBuilderOptions
) -> StructuredToolInputResult:
    """Return what a builder makes of the arguments.

    Raises:
        UserError: it is no input.
    """
    made = builder(options)
    if inspect.isawaitable(made):
        made = await made
    if not isinstance(made, str | list):
        raise UserError(f"input_builder returns a text or a list of items, not {type(made).__name__}")
    return made


def schema_summary(schema: dict[str, Any]) -> str | None:
    """Return what the schema of an object says in words, a line for each field; None where it says nothing."""
    fields: dict[str, dict[str, Any]] = schema.get("properties", {})
    if not schema.get("description") and not any(field.get("description") for field in fields.values()):
        return None
    lines = [str(schema["description"])] if schema.get("description") else []
    for name, field in fields.items():
        meaning = f": {field['description']}" if field.get("description") else ""
        lines.append(f"- {name} ({_kind(field)}){meaning}")
    return "\n".join(lines)


def _kind(field: dict[str, Any]) -> str:
    if "enum" in field:
        return " | ".join(json.dumps(value, ensure_ascii=False) for value in field["enum"])
    if "anyOf" in field:
        return " | ".join(_kind(option) for option in field["anyOf"])
    kind = field.get("type", "object")
    return f"array of {_kind(field['items'])}" if kind == "array" and "items" in field else str(kind)
