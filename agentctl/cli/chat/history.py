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
from agentctl.agent.items.run_items import MessageOutputItem
from agentctl.agent.wire import WireItem
from agentctl.errors import OutputGuardrailTripwireTriggered, RequestRejectedError, RunInterrupted, RunTimeoutError
from agentctl.render.chunks import TEXT
from agentctl.run.open_calls import answers_of_open_calls


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
    nothing, so that it can be tried again; nor does one that the service would refuse again with every later turn. An
    answer that a guardrail held back is not told to the model again; what went before it is.
    """
    if isinstance(error, OutputGuardrailTripwireTriggered) and error.run_data is not None:
        kept = _without_answer([item.to_input_item() for item in error.run_data.new_items])
        return [user_message(prompt), *kept] if kept else []
    is_broken_off = isinstance(error, RunInterrupted | RunTimeoutError)
    if isinstance(error, RequestRejectedError) or (error is not None and not is_broken_off and not heard.items):
        return []
    items = [user_message(prompt), *heard.items, *answers_of_open_calls(heard.items)]
    said = beginning(heard, error)
    return items if said is None else [*items, said]


def beginning(heard: Heard, error: Exception | None) -> WireItem | None:
    """Return the beginning of a message in the middle of which the turn was broken off."""
    if isinstance(error, RunInterrupted | RunTimeoutError) and heard.text:
        return {"role": "assistant", "content": heard.text}
    return None


def _without_answer(items: list[WireItem]) -> list[WireItem]:
    """Return items without the messages at their end, nor the reasoning that led to them."""
    end = len(items)
    while end and items[end - 1].get("type") in ("message", "reasoning"):
        end -= 1
    return items[:end]
