"""Readable text of a tool call that needs approval: complete, with control and invisible characters escaped."""

from __future__ import annotations

import json
import shlex

from agentctl.agent.wire import JSONValue, WireItem

from .escape import escape, escape_invisible, one_line


def command_lines(call: WireItem) -> list[str]:
    """Return the command lines that a shell call would run; an empty list for any other call."""
    action = call.get("action")
    if not isinstance(action, dict):
        return []
    if isinstance(commands := action.get("commands"), list):
        return [str(command) for command in commands]
    command = action.get("command")
    return [shlex.join(map(str, command))] if isinstance(command, list) else []


def call_text(name: str, agent: str, call: WireItem) -> str:
    """Return a heading that names the call, followed by indented lines with its contents."""
    server = call.get("server_label")
    where = f" of server {server}" if isinstance(server, str) else ""
    head = one_line(f"{name}{where}, called by agent {agent}")
    return escape_invisible("\n".join([head, *(f"  {line}" for line in _lines(call))]))


def _lines(call: WireItem) -> list[str]:
    action, operation = call.get("action"), call.get("operation")
    if commands := command_lines(call):
        assert isinstance(action, dict)
        rest = {name: value for name, value in action.items() if name not in ("commands", "command", "type") and value}
        return [*(line for command in commands for line in _command(command)), *_fields(rest)]
    if isinstance(operation, dict):
        return _patch(operation)
    arguments = call.get("arguments")
    return _arguments(arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False))


def _command(command: str) -> list[str]:
    first, *rest = _split(command)
    return [f"$ {first}", *(f"> {line}" for line in rest)]


def _patch(operation: dict[str, JSONValue]) -> list[str]:
    kind = str(operation.get("type") or "change").replace("_", " ")
    diff = operation.get("diff")
    head = one_line(f"{kind} {operation.get('path')}")
    return [head, *(_split(diff) if isinstance(diff, str) and diff else [])]


def _arguments(text: str) -> list[str]:
    try:
        arguments = json.loads(text or "{}")
    except ValueError:
        return _split(text)
    return _fields(arguments) if isinstance(arguments, dict) else _split(text)


def _fields(values: dict[str, JSONValue]) -> list[str]:
    lines: list[str] = []
    for name, value in values.items():
        text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
        first, *rest = _split(text)
        if rest:
            lines += [f"{one_line(name)}:", *(f"  {line}" for line in (first, *rest))]
        else:
            lines.append(f"{one_line(name)}: {first}")
    return lines


def _split(text: str) -> list[str]:
    """Return the lines of a text, escaped; a carriage return does not hide the text before it."""
    return escape(text).split("\n")
