"""Readable text of a tool call that needs approval: complete, with control and invisible characters escaped."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import assert_never

from agentctl.agent.tools.call_content import Arguments, FileChange, ShellCommands, call_content
from agentctl.agent.wire import JSONValue, WireItem

from .escape import escape, escape_invisible, escape_line, one_line


def call_text(name: str, agent: str, call: WireItem, *, server: str | None = None) -> str:
    """Return a heading that names the call, followed by indented lines with its contents.

    `server` is the MCP server of the tool; by default the one that the call itself names.
    """
    server = server or call.get("server_label")
    where = f" of server {server}" if isinstance(server, str) else ""
    head = one_line(f"{name}{where}, called by agent {agent}")
    return escape_invisible("\n".join([head, *(f"  {line}" for line in _lines(call))]))


def _lines(call: WireItem) -> list[str]:
    content = call_content(call)
    match content:
        case ShellCommands():
            return _shell(content, call["action"])
        case FileChange():
            return _patch(content)
        case Arguments(text=text):
            return _split(text) if content.is_ambiguous else _arguments(text)
        case _:
            assert_never(content)


def _shell(content: ShellCommands, action: dict[str, JSONValue]) -> list[str]:
    commands = [*content.lines, *((shlex.join(content.words),) if content.words else ())]
    used = "command" if content.words else "commands"
    rest = {name: value for name, value in action.items() if name not in (used, "type") and value}
    return [*(line for command in commands for line in _command(command)), *_fields(rest)]


def _command(command: str) -> list[str]:
    first, *rest = _split(command)
    return [f"$ {first}", *(f"> {line}" for line in rest)]


def _patch(change: FileChange) -> list[str]:
    head = f"{one_line(change.kind.replace('_', ' '))} {escape_line(change.path)}"
    if change.move_to is not None:
        head += f", move it to {escape_line(change.move_to)}"
    return [head, *(_split(change.diff) if change.diff else []), *_fields(dict(change.others))]


def _arguments(text: str) -> list[str]:
    try:
        arguments = json.loads(text or "{}")
    except ValueError:
        return _split(text)
    return _fields(arguments) if isinstance(arguments, dict) else _split(text)


def _fields(values: Mapping[str, JSONValue]) -> list[str]:
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
