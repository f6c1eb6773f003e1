"""Conversion between wire JSON, which the engine reads, and `openai` objects, which users read."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any, get_args
from weakref import ref

from agentctl.agent.wire import WireEvent, WireItem

from .typed_view import RootView, TypedView, make_view, unchanged_wire

if TYPE_CHECKING:
    from openai import BaseModel

    from agentctl.agent.agent import Agent

_AS_DICT = frozenset({"item_reference", "local_shell_call_output", "mcp_approval_response"})
"""Item types that exist only as input; their view is the dict itself."""

_ADDED = frozenset({"created_by"})
_ADDED_BY_SDK = frozenset({"provider_data", "shell_output"})
"""What the Agents SDK adds to the outputs of its own shell, with their `status`, as stored sessions may have them."""


class ItemView(RootView):
    """The view of an item."""

    __slots__ = ()

    @staticmethod
    def find_class(wire: dict[str, Any]) -> type[BaseModel]:
        """Return the class of items that `type` names, else the base class."""
        return _named_class(wire, _item_classes())


class EventView(RootView):
    """The view of a streaming event."""

    __slots__ = ()

    @staticmethod
    def find_class(wire: dict[str, Any]) -> type[BaseModel]:
        """Return the class of events that `type` names, else the base class."""
        return _named_class(wire, _event_classes())


def item_view(wire: WireItem | None) -> Any:
    """Return an output item as the `openai` object of its type; unknown fields are kept, missing ones allowed."""
    if wire is None:
        return None  # An item that a user created without JSON.
    kind = wire.get("type")
    if not isinstance(kind, str) or kind in _AS_DICT or (kind.endswith("_output") and "id" not in wire):
        return wire  # An output without an id was created locally, not by the service.
    return make_view(ItemView, wire)


def event_view(wire: WireEvent) -> Any:
    """Return a streaming event as the `openai` object of its type, as lenient as `item_view`."""
    return make_view(EventView, wire)


def is_wire(value: Any) -> bool:
    """Return whether a value is wire JSON, and neither a view of it nor an object."""
    return type(value) is dict or (not isinstance(value, TypedView) and isinstance(value, dict))


def to_wire(value: Any) -> WireItem:
    """Return an item or event as wire JSON: a pydantic object as its set fields, a dict unchanged."""
    if isinstance(value, TypedView):
        unchanged = unchanged_wire(value)
        return _dump(value) if unchanged is None else unchanged
    return value if isinstance(value, dict) else _dump(value)


def _dump(value: Any) -> WireItem:
    wire: WireItem = value.model_dump(mode="json", exclude_unset=True, warnings=False)
    return wire


def replayable(wire: WireItem) -> WireItem:
    """Return an item as the service takes it back: itself, or a copy without the fields that only the service adds."""
    is_shell_output = wire.get("type") == "shell_call_output"
    added = _ADDED
    if is_shell_output and not _ADDED_BY_SDK.isdisjoint(wire):
        added = _ADDED | _ADDED_BY_SDK | {"status"}
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
    if wire is None or current is wire:
        return current
    return wire if current == wire or current == _dump(item_view(wire)) else current


def _named_class(wire: dict[str, Any], classes: dict[str | None, type[BaseModel]]) -> type[BaseModel]:
    """Return the class that the `type` of wire JSON names, else the base class of `openai`."""
    name = wire.get("type")
    return classes.get(name, classes[None]) if isinstance(name, str) else classes[None]


@cache
def _item_classes() -> dict[str | None, type[BaseModel]]:
    from openai.types.responses import ResponseOutputItem

    return _classes_by_name(ResponseOutputItem)


@cache
def _event_classes() -> dict[str | None, type[BaseModel]]:
    from openai.types.responses import ResponseStreamEvent

    return _classes_by_name(ResponseStreamEvent)


def _classes_by_name(kinds: Any) -> dict[str | None, type[BaseModel]]:
    """Return the members of an annotated union of `openai` objects by the names that their field `type` may hold."""
    # 450 ms: imported when the class of a view is needed, never by the engine.
    from openai import BaseModel

    union, *_ = get_args(kinds)
    named = {name: kind for kind in get_args(union) for name in get_args(kind.model_fields["type"].annotation)}
    return {None: BaseModel, **named}


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
        item._wire, item._view = (value, None) if is_wire(value) else (None, value)


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
