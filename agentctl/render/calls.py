"""What a call that waits for a yes would do, as people read it: nothing left out, active or unseen."""

from __future__ import annotations

import json
import shlex

from agentctl.agent.wire import JSONValue, WireItem

from .escape import escape, escape_unseen, one_line


def command_lines(call: WireItem) -> list[str]:
    """Return the command lines that a call of a shell would run; none for any other call."""
    action = call.get("action")
    if not isinstance(action, dict):
        return []
    if isinstance(commands := action.get("commands"), list):
        return [str(command) for command in commands]
    command = action.get("command")
    return [shlex.join(map(str, command))] if isinstance(command, list) else []


def call_text(name: str, agent: str, call: WireItem) -> str:
    """Return a call as a line that names it, and lines that say what it would do, indented."""
    server = call.get("server_label")
    where = f" of server {server}" if isinstance(server, str) else ""
    head = one_line(f"{name}{where}, called by agent {agent}")
    return escape_unseen("\n".join([head, *(f"  {line}" for line in _lines(call))]))


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
    """Return the lines of a text, safe to show; a carriage return does not hide what stands before it."""
    return escape(text).split("\n")
