"""The items that a turn adds to the conversation, complete or partial.

However a turn ended, every tool call gets an output; the service would reject the history otherwise.
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
from agentctl.render.text_stream import SurrogateJoiner
from agentctl.run.open_calls import answers_of_open_calls


class TurnTranscript:
    """The items and the partial text of a turn so far."""

    def __init__(self) -> None:
        self.items: list[WireItem] = []
        """The items of the run as input items."""
        self.text = ""
        """The text of an unfinished message."""
        self._joiner = SurrogateJoiner()

    def add(self, event: RunEvent) -> None:
        """Add the content of an event."""
        match event:
            case RawResponsesStreamEvent(wire=wire):
                if wire.get("type") == TEXT:
                    self.text += self._joiner.feed(wire.get("delta") or "")
            case ModelRequested() | RetryScheduled():
                self.text = ""
                self._joiner = SurrogateJoiner()
            case RunItemStreamEvent(item=item):
                self.items.append(item.to_input_item())
                if isinstance(item, MessageOutputItem):
                    self.text = ""
            case _:
                pass


def turn_items(message: WireItem, transcript: TurnTranscript, error: Exception | None) -> list[WireItem]:
    """Return the items that a turn adds to the conversation, with the user's message.

    A cancelled turn leaves the message and everything received. A turn that failed before any item leaves nothing, so
    that it can be retried; nor does one that the service rejected, since it would reject every later turn too. An
    answer withheld by a guardrail is left out; the items before it are kept.
    """
    if isinstance(error, OutputGuardrailTripwireTriggered) and error.run_data is not None:
        items = _without_answer([item.to_input_item() for item in error.run_data.new_items])
        return [message, *items] if items else []
    is_cancelled = isinstance(error, RunInterrupted | RunTimeoutError)
    if isinstance(error, RequestRejectedError) or (error is not None and not is_cancelled and not transcript.items):
        return []
    items = [message, *transcript.items, *answers_of_open_calls(transcript.items)]
    partial = partial_answer(transcript, error)
    return items if partial is None else [*items, partial]


def partial_answer(transcript: TurnTranscript, error: Exception | None) -> WireItem | None:
    """Return the unfinished message of a cancelled turn, or None."""
    if isinstance(error, RunInterrupted | RunTimeoutError) and transcript.text:
        return {"role": "assistant", "content": transcript.text}
    return None


def _without_answer(items: list[WireItem]) -> list[WireItem]:
    """Return items without the messages and reasoning at their end."""
    end = len(items)
    while end and items[end - 1].get("type") in ("message", "reasoning"):
        end -= 1
    return items[:end]
