"""Wire JSON seen as `openai` objects, and back: the seam between what the engine reads and what users touch."""

from __future__ import annotations

import dataclasses
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any, get_args
from weakref import ref

from agentctl.agent.wire import JSONValue, WireEvent, WireItem

if TYPE_CHECKING:
    from openai import BaseModel

    from agentctl.agent.agent import Agent

_AS_DICT = frozenset({"item_reference", "local_shell_call_output", "mcp_approval_response"})
"""Item types that exist only as input: their view is the dict itself."""


def item_view(wire: WireItem | None) -> Any:
    """Return an output item as the `openai` object of its type: an unknown field stays, a missing one is no error."""
    if wire is None:
        return None  # A user's item of nothing.
    kind = wire.get("type")
    if not isinstance(kind, str) or kind in _AS_DICT or (kind.endswith("_output") and "id" not in wire):
        return wire  # An output without an id was made here, not by the service.
    # 450 ms of types: imported when a user first touches a typed view, never by the engine.
    from openai.types.responses import ResponseOutputItem

    return _view(wire, ResponseOutputItem)


def event_view(wire: WireEvent) -> Any:
    """Return a streaming event as the `openai` object of its type, as leniently as `item_view`."""
    from openai.types.responses import ResponseStreamEvent

    return _view(wire, ResponseStreamEvent)


def to_wire(value: Any) -> JSONValue:
    """Return an item or event as wire JSON: a pydantic object as the fields that were set, a dict as it is."""
    if isinstance(value, dict):
        return value
    return value.model_dump(mode="json", exclude_unset=True, warnings=False)


def wire_of(wire: JSONValue, view: Any) -> JSONValue:
    """Return an item as JSON: as it came, unless the view of it that was handed out has been changed since."""
    if view is None or view is wire:
        return wire
    seen = to_wire(view)
    if wire is None:
        return seen
    return wire if seen == wire or seen == to_wire(item_view(wire)) else seen


def _view(wire: dict[str, Any], kinds: Any) -> Any:
    """Return wire JSON as the one of these kinds that its type names, or as a plain `openai` object where none does."""
    from openai import BaseModel

    name = wire.get("type")
    kind = _kinds_by_name(kinds).get(name, BaseModel) if isinstance(name, str) else BaseModel
    return kind.construct(**wire)


@cache
def _kinds_by_name(kinds: Any) -> dict[str, type[BaseModel]]:
    """Return the members of an annotated union of `openai` objects by the names that their field `type` may hold."""
    union, *_ = get_args(kinds)
    return {name: kind for kind in get_args(union) for name in get_args(kind.model_fields["type"].annotation)}


def fields_of(value: Any) -> JSONValue:
    """Return the fields of a dataclass or pydantic object as JSON: the `default` of `json.dumps`.

    Raises:
        TypeError: the value is no such object.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    # A pydantic object knows its JSON; its class cannot be named without importing pydantic.
    dump = getattr(value, "model_dump", None)
    if dump is None:
        raise TypeError(f"a {type(value).__name__} is no JSON")
    return dump(mode="json")


class AgentField:
    """A field with an agent: held strongly until it is released, then only while somebody else holds the agent."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, item: Any, kind: type | None = None) -> Agent[Any] | None:
        """Return the agent; None once it was released and is gone."""
        if item is None:
            raise AttributeError(self._name)  # So that dataclass sees a field without a default.
        held = item.__dict__[self._name]
        return held() if isinstance(held, ref) else held

    def __set__(self, item: Any, agent: Agent[Any]) -> None:
        """Hold an agent."""
        item.__dict__[self._name] = agent


class RawItem:
    """The field `raw_item`: holds wire JSON or an `openai` object, whichever came, and gives the object when read."""

    def __get__(self, item: Any, kind: type | None = None) -> Any:
        """Return the `openai` object, built from the wire JSON when first touched."""
        if item is None:
            raise AttributeError("raw_item")
        if item._view is None:
            item._view = item_view(item._wire)
        return item._view

    def __set__(self, item: Any, value: Any) -> None:
        """Take wire JSON, or an object that a custom model made, which is handed back as it came."""
        item._wire = value if isinstance(value, dict) else None
        item._view = None if isinstance(value, dict) else value


def raw_wire(item: Any) -> WireItem:
    """Return a raw item as JSON, with what was changed in the object that was handed out."""
    wire: WireItem = wire_of(item._wire, item._view)
    return wire


def release(item: Any, *names: str) -> None:
    """Hold the agents in these fields of an item weakly from now on."""
    for name in names:
        held = item.__dict__[name]
        if held is not None and not isinstance(held, ref):
            item.__dict__[name] = ref(held)


def item_values(item: Any) -> dict[str, Any]:
    """Return the fields of an item by name, the raw item as JSON: what two items are compared by, without a view."""
    names = [field.name for field in fields(item)]
    return {name: raw_wire(item) if name == "raw_item" else getattr(item, name) for name in names}


def item_state(item: Any) -> dict[str, Any]:
    """Return an item's attributes for a copy or a pickle: nothing weak in it, and no view of what is wire JSON."""
    values = {name: value() if isinstance(value, ref) else value for name, value in item.__dict__.items()}
    if values["_wire"] is not None:
        values |= {"_wire": raw_wire(item), "_view": None}
    return values
