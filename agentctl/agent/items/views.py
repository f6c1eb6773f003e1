"""Conversion between wire JSON, which the engine reads, and `openai` objects, which users read."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any, get_args
from weakref import ref

from agentctl.agent.wire import WireEvent, WireItem

if TYPE_CHECKING:
    from openai import BaseModel

    from agentctl.agent.agent import Agent

_AS_DICT = frozenset({"item_reference", "local_shell_call_output", "mcp_approval_response"})
"""Item types that exist only as input; their view is the dict itself."""


_ADDED = frozenset({"created_by"})
_ADDED_TO_SHELL_OUTPUT = _ADDED | {"provider_data", "shell_output", "status"}


def item_view(wire: WireItem | None) -> Any:
    """Return an output item as the `openai` object of its type; unknown fields are kept, missing ones allowed."""
    if wire is None:
        return None  # An item that a user created without JSON.
    kind = wire.get("type")
    if not isinstance(kind, str) or kind in _AS_DICT or (kind.endswith("_output") and "id" not in wire):
        return wire  # An output without an id was created locally, not by the service.
    # 450 ms: imported when a user first accesses a typed view, never by the engine.
    from openai.types.responses import ResponseOutputItem

    return _view(wire, ResponseOutputItem)


def event_view(wire: WireEvent) -> Any:
    """Return a streaming event as the `openai` object of its type, as lenient as `item_view`."""
    from openai.types.responses import ResponseStreamEvent

    return _view(wire, ResponseStreamEvent)


def to_wire(value: Any) -> WireItem:
    """Return an item or event as wire JSON: a pydantic object as its set fields, a dict unchanged."""
    if isinstance(value, dict):
        return value
    wire: WireItem = value.model_dump(mode="json", exclude_unset=True, warnings=False)
    return wire


def replayable(wire: WireItem) -> WireItem:
    """Return an item as the service takes it back: itself, or a copy without the fields that only the service adds."""
    is_shell_output = wire.get("type") == "shell_call_output"
    added = _ADDED_TO_SHELL_OUTPUT if is_shell_output else _ADDED
    chunks = wire.get("output") if is_shell_output else None
    if isinstance(chunks, list) and any(isinstance(chunk, dict) and "created_by" in chunk for chunk in chunks):
        chunks = [
            {name: value for name, value in chunk.items() if name != "created_by"} if isinstance(chunk, dict) else chunk
            for chunk in chunks
        ]
        wire = {**wire, "output": chunks}
    if added.isdisjoint(wire):
        return wire
    return {name: value for name, value in wire.items() if name not in added}


def wire_of(wire: WireItem | None, view: Any) -> Any:
    """Return an item's JSON: the original, unless its view has been changed since."""
    if view is None or view is wire:
        return wire
    current = to_wire(view)
    if wire is None:
        return current
    return wire if current == wire or current == to_wire(item_view(wire)) else current


def _view(wire: dict[str, Any], kinds: Any) -> Any:
    """Return wire JSON as the type in the union `kinds` that its `type` names, else as a plain `openai` object."""
    from openai import BaseModel

    name = wire.get("type")
    kind = _kinds_by_name(kinds).get(name, BaseModel) if isinstance(name, str) else BaseModel
    return kind.construct(**wire)


@cache
def _kinds_by_name(kinds: Any) -> dict[str, type[BaseModel]]:
    """Return the members of an annotated union of `openai` objects by the names that their field `type` may hold."""
    union, *_ = get_args(kinds)
    return {name: kind for kind in get_args(union) for name in get_args(kind.model_fields["type"].annotation)}


class AgentField:
    """Descriptor of a field with an agent: a strong reference until it is released, then a weak one."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, item: Any, kind: type | None = None) -> Agent[Any] | None:
        """Return the agent; None if it was released and garbage collected."""
        if item is None:
            raise AttributeError(self._name)  # So that dataclass sees a field without a default.
        value = item.__dict__[self._name]
        return value() if isinstance(value, ref) else value

    def __set__(self, item: Any, agent: Agent[Any]) -> None:
        """Store an agent with a strong reference."""
        item.__dict__[self._name] = agent


class RawItem:
    """Descriptor of the field `raw_item`: stores wire JSON or an `openai` object, and returns the object."""

    def __get__(self, item: Any, kind: type | None = None) -> Any:
        """Return the `openai` object, built from the wire JSON on first access."""
        if item is None:
            raise AttributeError("raw_item")
        if item._view is None:
            item._view = item_view(item._wire)
        return item._view

    def __set__(self, item: Any, value: Any) -> None:
        """Store wire JSON, or a custom model's object, which is returned unchanged."""
        item._wire = value if isinstance(value, dict) else None
        item._view = None if isinstance(value, dict) else value


def raw_wire(item: Any) -> WireItem:
    """Return a raw item as JSON, including changes made to its view."""
    wire: WireItem = wire_of(item._wire, item._view)
    return wire


def release(item: Any, *names: str) -> None:
    """Replace the agents in these fields of an item by weak references."""
    for name in names:
        agent = item.__dict__[name]
        if agent is not None and not isinstance(agent, ref):
            item.__dict__[name] = ref(agent)


def item_values(item: Any) -> dict[str, Any]:
    """Return the fields of an item by name for comparison, the raw item as JSON, without building a view."""
    names = [field.name for field in fields(item)]
    return {name: raw_wire(item) if name == "raw_item" else getattr(item, name) for name in names}


def item_state(item: Any) -> dict[str, Any]:
    """Return an item's attributes for a copy or a pickle, without weak references and without views of wire JSON."""
    values = {name: value() if isinstance(value, ref) else value for name, value in item.__dict__.items()}
    if values["_wire"] is not None:
        values |= {"_wire": raw_wire(item), "_view": None}
    return values
