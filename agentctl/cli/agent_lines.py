"""Agents as lines for people."""

from __future__ import annotations

import json
from collections.abc import Iterator

from agentctl.agent.wire import JSONValue

from .columns import GAP, aligned, fold

UNSET = "-"
_APPROVAL = ("needs_approval", "needs_approval_function")


def described(agent: dict[str, JSONValue], room: int | None = None) -> Iterator[str]:
    """Yield the lines of an agent, as `definitions.description` tells of it, folded to so many columns."""
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
    parts = [(name, str(text).splitlines() or [""]) for name, text in rows]
    yield from aligned([(name if not at else "", line) for name, lines in parts for at, line in enumerate(lines)], room)
    for tool in agent["tools"]:
        yield ""
        yield from _tool(tool, "tool", room)
    for handoff in agent["handoffs"]:
        yield ""
        yield from _tool(handoff, f"handoff to {handoff['agent']},", room)


def _tool(tool: JSONValue, kind: str, room: int | None) -> Iterator[str]:
    """Yield a tool as its signature, what it is for, and what its parameters mean; else as the API has it."""
    if "parameters" not in tool:
        yield f"{kind} {tool['name']}"
        yield from _approval(tool)
        shown = [(name, _brief(value)) for name, value in tool.items() if name not in ("name", *_APPROVAL)]
        yield from _below(shown, room)
        return
    parameters = tool["parameters"].get("properties", {})
    yield f"{kind} {tool['name']}({', '.join(f'{name}: {_type(schema)}' for name, schema in parameters.items())})"
    yield from _approval(tool)
    inner = None if room is None else room - len(GAP)
    yield from (f"{GAP}{part}".rstrip() for line in tool["description"].splitlines() for part in fold(line, inner))
    yield from _below([(name, row["description"]) for name, row in parameters.items() if "description" in row], room)


def _approval(tool: JSONValue) -> Iterator[str]:
    """Yield the line on the approval of a tool's calls, where they may need it; a handoff has no such thing."""
    needed, function = (tool.get(name) for name in _APPROVAL)
    if function is not None:
        yield f"{GAP}Needs approval where {function}() says so."
    elif needed:
        yield f"{GAP}Needs approval."


def _below(rows: list[tuple[str, str]], room: int | None) -> Iterator[str]:
    return aligned([(f"{GAP}{name}", text) for name, text in rows], room) if rows else iter(())


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
