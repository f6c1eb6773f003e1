"""One-line summaries of tool calls, tool outputs and handoffs."""

from __future__ import annotations

from typing import Any

from agentctl.agent.events import RunEvent, RunItemStreamEvent
from agentctl.agent.items.run_items import (
    HandoffCallItem,
    HandoffOutputItem,
    ToolApprovalItem,
    ToolCallItem,
    ToolCallOutputItem,
)
from agentctl.agent.wire import WireItem
from agentctl.redaction import redact

from .escape import one_line, shorten
from .json_value import to_json

FAILED = "✗"
"""The first character of the line of a failed call."""

_ARGUMENT_FIELDS = ("action", "operation", "queries", "code", "input")
"""The fields that hold the arguments of calls to tools other than functions."""


class ToolNames:
    """Maps call ids to tool names, since an output names only its call."""

    def __init__(self) -> None:
        self._by_call: dict[str, str] = {}

    def remember(self, calls: list[ToolCallItem]) -> None:
        """Remember calls that an earlier process has shown."""
        for call in calls:
            self.call_name(call)

    def call_name(self, item: ToolCallItem | HandoffCallItem) -> str:
        """Return the name of the called tool, or the type of a tool that the service runs; remembers it by call id."""
        name = item.tool_name or str(item.wire.get("type") or "").removesuffix("_call") or "tool"
        if item.call_id:
            self._by_call[item.call_id] = name
        return name

    def output_name(self, item: ToolCallOutputItem) -> str | None:
        """Return the name of the tool that returned an output; None if its call is unknown."""
        return self._by_call.get(item.call_id or "")


def call_line(name: str, item: ToolCallItem, width: int) -> str:
    """Return a call as `→ name arguments`, or a call of a shell as lines such as `$ git status`."""
    if commands := shell_commands(item.wire):
        return "\n".join(_fit(f"$ {command}", width) for command in commands)
    return _fit(f"→ {name} {_call_arguments(item.wire)}", width)


def shell_commands(wire: WireItem) -> list[str]:
    """Return the command lines of a call of a shell; none for another call."""
    match wire:
        case {"type": "shell_call", "action": {"commands": [*lines]}}:
            return [str(line) for line in lines]
        case {"type": "local_shell_call", "action": {"command": [*words]}}:
            import shlex  # 1 ms, needed only here.

            return [shlex.join(map(str, words))]
        case _:
            return []


def output_line(name: str | None, item: ToolCallOutputItem, width: int) -> str:
    """Return an output as `← name text`, or as `✗ name …` if the call failed."""
    text = _output_text(item.wire.get("output"))
    mark = FAILED if item.failed else "←"
    return _fit(f"{mark} {name or 'tool'} {text}", width)


def failed_output(event: RunEvent) -> ToolCallOutputItem | None:
    """Return the output in an event if it is that of a tool call that failed."""
    item = event.item if isinstance(event, RunItemStreamEvent) else None
    return item if isinstance(item, ToolCallOutputItem) and item.failed else None


def approval_line(item: ToolApprovalItem, width: int) -> str:
    """Return a call that needs approval as `? name waits for approval`."""
    return _fit(f"? {item.name} waits for approval", width)


def handoff_line(arguments: str, item: HandoffOutputItem, width: int) -> str:
    """Return a handoff as `⇒ agent takes over`, followed by its arguments unless they are empty."""
    arguments_text = "" if arguments.strip() in ("", "{}") else f" {arguments}"
    return _fit(f"⇒ {item.target_agent.name} takes over{arguments_text}", width)


def _fit(line: str, width: int) -> str:
    # Text beyond the width need not be escaped; escaping only makes it longer.
    return shorten(one_line(redact(line)[: 4 * width]), width)


def _call_arguments(wire: WireItem) -> str:
    if "arguments" in wire:
        return str(wire["arguments"] or "")
    arguments = next((wire[name] for name in _ARGUMENT_FIELDS if wire.get(name)), "")
    return arguments if isinstance(arguments, str) else to_json(arguments)


def _output_text(output: object) -> str:
    if isinstance(output, str):
        return output
    if output is None:
        return ""
    parts = output if isinstance(output, list) else [output]
    return " ".join(_part_text(part) for part in parts)


def _part_text(part: object) -> str:
    if isinstance(part, dict) and isinstance(part.get("type"), str):
        text = part.get("text")
        return text if isinstance(text, str) else f"[{part['type'].removeprefix('input_')}]"
    if isinstance(part, dict) and isinstance(part.get("stdout"), str):
        return _command_text(part)
    return to_json(part)


def _command_text(part: dict[str, Any]) -> str:
    """Return the output of a shell command, and its exit code or timeout if it failed."""
    outcome = part.get("outcome")
    match outcome:
        case {"type": "timeout"}:
            ending = "[timeout]"
        case {"exit_code": int(code)} if code:
            ending = f"[exit {code}]"
        case _:
            ending = ""
    return " ".join(filter(None, (part["stdout"].strip(), str(part.get("stderr") or "").strip(), ending)))
