"""Tool calls, their outputs and handoffs, each as one compact line."""

from __future__ import annotations

from agentctl.agent.items.run_items import (
    HandoffCallItem,
    HandoffOutputItem,
    ToolApprovalItem,
    ToolCallItem,
    ToolCallOutputItem,
)
from agentctl.agent.wire import JSONValue, WireItem

from .escape import one_line, shorten
from .json_value import to_json

FAILED = "✗"
"""What the line of a failed call begins with."""

_ASKED = ("action", "operation", "queries", "code", "input")
"""Where calls of tools other than functions say what is asked for."""


class ToolNames:
    """Remembers which tool each call is of, since an output names only the call."""

    def __init__(self) -> None:
        self._by_call: dict[str, str] = {}

    def know(self, calls: list[ToolCallItem]) -> None:
        """Remember calls that were shown before, by another process."""
        for call in calls:
            self.of_call(call)

    def of_call(self, item: ToolCallItem | HandoffCallItem) -> str:
        """Return the name of the tool that is called: its own, or the kind of a tool that the service runs."""
        name = item.tool_name or str(item.wire.get("type") or "").removesuffix("_call") or "tool"
        if item.call_id:
            self._by_call[item.call_id] = name
        return name

    def of_output(self, item: ToolCallOutputItem) -> str | None:
        """Return the name of the tool that gave the output; None where its call was not seen."""
        return self._by_call.get(item.call_id or "")


def call_line(name: str, item: ToolCallItem, width: int) -> str:
    """Return a call as `→ name arguments`."""
    return _fitted(f"→ {name} {_call_arguments(item.wire)}", width)


def output_line(name: str | None, item: ToolCallOutputItem, width: int) -> str:
    """Return an output as `← name text`, and as `✗ name …` what a tool says of its failure."""
    text = _output_text(item.wire.get("output"))
    mark = FAILED if item.failed else "←"
    return _fitted(f"{mark} {name or 'tool'} {text}", width)


def waiting_line(item: ToolApprovalItem, width: int) -> str:
    """Return a call that waits for a yes as `? name waits for approval`."""
    return _fitted(f"? {item.name} waits for approval", width)


def handoff_line(arguments: str, item: HandoffOutputItem, width: int) -> str:
    """Return a handoff as `⇒ agent takes over`, and what it was given with its call, where that is anything."""
    given = "" if arguments.strip() in ("", "{}") else f" {arguments}"
    return _fitted(f"⇒ {item.target_agent.name} takes over{given}", width)


def _fitted(line: str, width: int) -> str:
    # What lies beyond the width is not worth escaping; escapes only make text longer.
    return shorten(one_line(line[: 4 * width]), width)


def _call_arguments(wire: WireItem) -> str:
    if "arguments" in wire:
        return str(wire["arguments"] or "")
    asked = next((wire[name] for name in _ASKED if wire.get(name)), "")
    return asked if isinstance(asked, str) else to_json(asked)


def _output_text(output: JSONValue) -> str:
    if isinstance(output, str):
        return output
    if output is None:
        return ""
    parts = output if isinstance(output, list) else [output]
    return " ".join(_part_text(part) for part in parts)


def _part_text(part: JSONValue) -> str:
    if isinstance(part, dict) and isinstance(part.get("type"), str):
        text = part.get("text")
        return text if isinstance(text, str) else f"[{part['type'].removeprefix('input_')}]"
    if isinstance(part, dict) and isinstance(part.get("stdout"), str):
        return _command_text(part)
    return to_json(part)


def _command_text(part: dict[str, JSONValue]) -> str:
    """Return what a command of a shell tool gave, and how it ended where that was not well."""
    outcome = part.get("outcome")
    match outcome:
        case {"type": "timeout"}:
            ending = "[timeout]"
        case {"exit_code": int(code)} if code:
            ending = f"[exit {code}]"
        case _:
            ending = ""
    return " ".join(filter(None, (part["stdout"].strip(), str(part.get("stderr") or "").strip(), ending)))
