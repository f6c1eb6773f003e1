"""A writer of responses as events of the Responses API, for models with another protocol; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any, Literal, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue, WireEvent, WireItem


@dataclass(frozen=True, slots=True, kw_only=True)
class EventNames:
    """The names that items and events use for one kind of text."""

    item: Literal["message", "reasoning"]
    part: str
    """The type of the parts that contain the text."""
    field: str = "text"
    """The field of a part that contains the text."""
    holder: str = "content"
    """The field of the item that contains the parts."""
    index: str = "content_index"
    frame: str = "response.content_part"
    delta: str
    done: str


TEXT = EventNames(
    item="message", part="output_text", delta="response.output_text.delta", done="response.output_text.done"
)
REFUSAL = EventNames(
    item="message", part="refusal", field="refusal", delta="response.refusal.delta", done="response.refusal.done"
)
REASONING = EventNames(
    item="reasoning", part="reasoning_text", delta="response.reasoning_text.delta", done="response.reasoning_text.done"
)
SUMMARY = EventNames(
    item="reasoning",
    part="summary_text",
    holder="summary",
    index="summary_index",
    frame="response.reasoning_summary_part",
    delta="response.reasoning_summary_text.delta",
    done="response.reasoning_summary_text.done",
)


@dataclass(slots=True, kw_only=True)
class CallInProgress:
    """A function call that is being written."""

    item_id: str
    index: int
    call_id: str
    name: str
    pieces: list[str] = field(default_factory=list)

    def wire(self, status: str) -> WireItem:
        """Return the call as an item."""
        return {
            "id": self.item_id,
            "type": "function_call",
            "status": status,
            "call_id": self.call_id,
            "name": self.name,
            "arguments": "".join(self.pieces),
        }


@dataclass(slots=True, kw_only=True)
class _Part:
    names: EventNames
    place: dict[str, JSONValue]
    pieces: list[str] = field(default_factory=list)
    logprobs: list[JSONValue] = field(default_factory=list)

    def wire(self) -> dict[str, JSONValue]:
        part: dict[str, JSONValue] = {"type": self.names.part, self.names.field: "".join(self.pieces)}
        return {**part, "annotations": [], "logprobs": list(self.logprobs)} if self.names is TEXT else part


@dataclass(slots=True, kw_only=True)
class _TextItem:
    """A message, or reasoning, that is being written."""

    item_id: str
    index: int
    kind: Literal["message", "reasoning"]
    parts: list[_Part] = field(default_factory=list)
    is_part_open: bool = False

    def wire(self, status: str) -> WireItem:
        item: WireItem = {"id": self.item_id, "type": self.kind, "status": status}
        item |= {"role": "assistant", "content": []} if self.kind == "message" else {"summary": []}
        for part in self.parts:
            item.setdefault(part.names.holder, []).append(part.wire())
        return item


_Item: TypeAlias = CallInProgress | _TextItem


class ResponseWriter:
    """A response that is being written; `take` returns the new events.

    A response has one message, which stays open until the end; reasoning ends as soon as another item begins.
    """

    def __init__(self, *, response_id: str, model: str, created_at: int, new_id: Callable[[str], str]) -> None:
        self._response: dict[str, Any] = {
            "id": response_id,
            "object": "response",
            "created_at": created_at,
            "model": model,
            "status": "in_progress",
            "output": [],
            "usage": None,
            "error": None,
            "incomplete_details": None,
        }
        self._new_id = new_id
        self._events: list[WireEvent] = []
        self._sequence = 0
        self._items: list[_Item] = []
        self._done: dict[int, WireItem] = {}
        self._message: _TextItem | None = None
        self._reasoning: _TextItem | None = None
        self._add("response.created", response=dict(self._response))
        self._add("response.in_progress", response=dict(self._response))

    def take(self) -> list[WireEvent]:
        """Return the events since the last call."""
        events, self._events = self._events, []
        return events

    def add_text(self, names: EventNames, text: str, logprobs: Sequence[JSONValue] = ()) -> None:
        """Add text to the message or the reasoning, in a part of its kind; empty text only opens the part."""
        item = self._item_for(names)
        part = item.parts[-1] if item.is_part_open else None
        if part is None or part.names is not names:
            self._close_part(item)
            part = self._open_part(item, names)
        if not text:
            return
        part.pieces.append(text)
        delta = {"type": names.delta, "sequence_number": self._sequence, **part.place, "delta": text}
        if names is TEXT:
            delta["logprobs"] = list(logprobs)
            part.logprobs += logprobs
        self._events.append(delta)
        self._sequence += 1

    def start_call(self, name: str, call_id: str) -> CallInProgress:
        """Start a function call."""
        self._end_reasoning()
        call = CallInProgress(item_id=self._new_id("fc"), index=len(self._items), call_id=call_id, name=name)
        self._items.append(call)
        self._add("response.output_item.added", output_index=call.index, item=call.wire("in_progress"))
        return call

    def add_arguments(self, call: CallInProgress, text: str) -> None:
        """Append to the arguments of a call."""
        call.pieces.append(text)
        self._add("response.function_call_arguments.delta", item_id=call.item_id, output_index=call.index, delta=text)

    def end(self, *, incomplete: str | None, usage: dict[str, JSONValue] | None) -> None:
        """End every item, in order, and the response; `incomplete` is the reason for an incomplete response."""
        for item in self._items:
            if item.index not in self._done:
                is_cut = incomplete is not None and item is self._items[-1]
                self._end(item, "incomplete" if is_cut else "completed")
        self._response["status"] = "completed" if incomplete is None else "incomplete"
        if incomplete is not None:
            self._response["incomplete_details"] = {"reason": incomplete}
        self._response["usage"] = usage
        self._response["output"] = [self._done[item.index] for item in self._items]
        self._add(f"response.{self._response['status']}", response=self._response)

    def _item_for(self, names: EventNames) -> _TextItem:
        if names.item == "reasoning":
            if self._reasoning is None:
                self._reasoning = self._open("reasoning", "rs")
            return self._reasoning
        if self._reasoning is not None:
            self._end_reasoning()
        if self._message is None:
            self._message = self._open("message", "msg")
        return self._message

    def _open(self, kind: Literal["message", "reasoning"], prefix: str) -> _TextItem:
        item = _TextItem(item_id=self._new_id(prefix), index=len(self._items), kind=kind)
        self._items.append(item)
        self._add("response.output_item.added", output_index=item.index, item=item.wire("in_progress"))
        return item

    def _open_part(self, item: _TextItem, names: EventNames) -> _Part:
        number = sum(part.names.holder == names.holder for part in item.parts)
        place: dict[str, JSONValue] = {"item_id": item.item_id, "output_index": item.index, names.index: number}
        part = _Part(names=names, place=place)
        self._add(f"{names.frame}.added", **place, part=part.wire())
        item.parts.append(part)
        item.is_part_open = True
        return part

    def _close_part(self, item: _TextItem) -> None:
        if not item.is_part_open:
            return
        item.is_part_open = False
        part = item.parts[-1]
        finished = part.wire()
        names = part.names
        extra = {"logprobs": finished["logprobs"]} if names is TEXT else {}
        self._add(names.done, **part.place, **{names.field: finished[names.field]}, **extra)
        self._add(f"{names.frame}.done", **part.place, part=finished)

    def _end_reasoning(self) -> None:
        if self._reasoning is not None:
            self._end(self._reasoning, "completed")
            self._reasoning = None

    def _end(self, item: _Item, status: str) -> None:
        wire = item.wire(status)
        match item:
            case _TextItem():
                self._close_part(item)
            case CallInProgress():
                self._add(
                    "response.function_call_arguments.done",
                    item_id=item.item_id,
                    output_index=item.index,
                    name=item.name,
                    arguments=wire["arguments"],
                )
        self._done[item.index] = wire
        self._add("response.output_item.done", output_index=item.index, item=wire)

    def _add(self, kind: str, **fields: JSONValue) -> None:
        self._events.append({"type": kind, "sequence_number": self._sequence, **fields})
        self._sequence += 1
