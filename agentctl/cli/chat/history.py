"""What the conversation remembers of a turn: all of one that went well, and what makes sense of another.

Whatever ended a turn, no tool call stays without its output, which the service would refuse from then on.
"""

from __future__ import annotations

from agentctl.agent.events import (
    ModelRequested,
    RawResponsesStreamEvent,
    RetryScheduled,
    RunEvent,
    RunItemStreamEvent,
)
from agentctl.agent.items import MessageOutputItem
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.errors import RequestRejectedError, RunInterrupted, RunTimeoutError
from agentctl.render.deltas import TEXT

NO_OUTPUT = "This call was broken off before it gave an output; whether it had an effect is not known."
"""The output of a tool call that has none."""

_RUN_HERE = frozenset({"function_call", "shell_call", "local_shell_call", "apply_patch_call"})


class Heard:
    """What a turn has said so far."""

    def __init__(self) -> None:
        self.items: list[WireItem] = []
        """The items of the run, as input for the next one."""
        self.text = ""
        """The beginning of a message that has not ended."""

    def hear(self, event: RunEvent) -> None:
        """Take note of what the event adds."""
        match event:
            case RawResponsesStreamEvent(wire=wire):
                if wire.get("type") == TEXT:
                    self.text += wire.get("delta") or ""
            case ModelRequested() | RetryScheduled():
                self.text = ""
            case RunItemStreamEvent(item=item):
                self.items.append(item.to_input_item())
                if isinstance(item, MessageOutputItem):
                    self.text = ""
            case _:
                pass


def user_message(text: str) -> WireItem:
    """Return what the user typed as an item."""
    return {"role": "user", "content": text}


def remembered(prompt: str, heard: Heard, error: Exception | None) -> list[WireItem]:
    """Return the items that a turn adds to the conversation.

    A turn that was broken off leaves the prompt and all that was seen. One that failed before anything was said leaves
    nothing, so that it can be tried again; nor does one that the service would refuse again with every later turn.
    """
    is_broken_off = isinstance(error, RunInterrupted | RunTimeoutError)
    if isinstance(error, RequestRejectedError) or (error is not None and not is_broken_off and not heard.items):
        return []
    items = [user_message(prompt), *_answered(heard.items)]
    if is_broken_off and heard.text:
        items.append({"role": "assistant", "content": heard.text})
    return items


def _answered(items: list[WireItem]) -> list[WireItem]:
    """Return the items, each tool call that has no output followed, at the end, by one that says so."""
    answered = {item.get("call_id") for item in items if str(item.get("type")).endswith("_call_output")}
    missing = [
        {"type": f"{item['type']}_output", "call_id": item.get("call_id"), **_no_output(item)}
        for item in items
        if item.get("type") in _RUN_HERE and item.get("call_id") not in answered
    ]
    return [*items, *missing]


def _no_output(item: WireItem) -> dict[str, JSONValue]:
    match item["type"]:
        case "shell_call":
            return {"output": [{"stdout": "", "stderr": NO_OUTPUT, "outcome": {"type": "exit", "exit_code": 1}}]}
        case "apply_patch_call":
            return {"status": "failed", "output": NO_OUTPUT}
        case _:
            return {"output": NO_OUTPUT}
