"""The fields of run items: an agent that can be released, and raw items that are seen as `openai` objects."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any
from weakref import ref

from .views import item_view, wire_of
from .wire import WireItem

if TYPE_CHECKING:
    from .agent import Agent


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
