"""Agents as lines for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from agentctl.agent.wire import JSONValue

UNSET = "-"


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows as lines whose columns begin below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def described(agent: dict[str, JSONValue]) -> Iterator[str]:
    """Yield the lines of an agent, as `definitions.description` tells of it."""
    function = agent["instructions_function"]
    output = agent["output_type"]
    guardrails = ", ".join(f"{each['name']} ({each['stage']})" for each in agent["guardrails"])
    settings = ", ".join(f"{name}={value}" for name, value in agent["model_settings"].items())
    instructions = agent["instructions"] if function is None else f"given by {function}() at every turn"
    rows = [
        ("name", agent["name"]),
        ("model", agent["model"] or UNSET),
        ("settings", settings or UNSET),
        ("output", "text" if output is None else output["name"]),
        ("instructions", instructions or UNSET),
    ]
    if guardrails:
        rows.insert(-1, ("guardrails", guardrails))
    if agent["mcp_servers"]:
        rows.insert(-1, ("servers", ", ".join(agent["mcp_servers"])))
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        first, *others = str(text).splitlines() or [""]
        yield f"{name:<{width}}  {first}".rstrip()
        yield from (f"{'':<{width}}  {line}".rstrip() for line in others)
    for tool in agent["tools"]:
        yield ""
        yield from _tool(tool)
    for handoff in agent["handoffs"]:
        yield ""
        yield from _tool(handoff, f"handoff to {handoff['agent']},")


def _tool(tool: JSONValue, kind: str = "tool") -> Iterator[str]:
    """Yield a tool as its signature, what it is for, and what its parameters mean; else as the API has it."""
    if "parameters" not in tool:
        yield f"{kind} {tool['name']}"
        yield from aligned([(f"  {name}", _brief(value)) for name, value in tool.items() if name != "name"])
        return
    parameters = tool["parameters"].get("properties", {})
    yield f"{kind} {tool['name']}({', '.join(f'{name}: {_type(schema)}' for name, schema in parameters.items())})"
    yield from (f"  {line}".rstrip() for line in tool["description"].splitlines())
    meanings = [(f"  {name}", schema["description"]) for name, schema in parameters.items() if "description" in schema]
    yield from aligned(meanings)


def _brief(value: JSONValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _type(schema: JSONValue) -> str:
    """Return the type in a schema in a word or a few."""
    match schema:
        case {"enum": list(values)}:
            return " | ".join(repr(value) for value in values)
        case {"anyOf": list(parts)}:
            return " | ".join(_type(part) for part in parts)
        case {"type": "array", "items": items}:
            return f"list of {_type(items)}"
        case {"type": str(kind)}:
            return kind
        case {"$ref": str(reference)}:
            return reference.rpartition("/")[2]
        case _:
            return "any"
