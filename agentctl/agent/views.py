"""Wire JSON seen as `openai` objects, and back: the seam between what the engine reads and what users touch."""

from __future__ import annotations

from typing import Any

from .wire import JSONValue, WireEvent, WireItem

_AS_DICT = frozenset({"function_call_output", "item_reference"})
"""Item types that exist only as input: their view is the dict itself."""


def item_view(wire: WireItem) -> Any:
    """Return an output item as the `openai` object of its type: an unknown field stays, a missing one is no error."""
    if wire.get("type") in _AS_DICT or "type" not in wire:
        return wire
    # 450 ms of types: imported when a user first touches a typed view, never by the engine.
    from openai._models import construct_type
    from openai.types.responses import ResponseOutputItem

    return construct_type(type_=ResponseOutputItem, value=wire)


def event_view(wire: WireEvent) -> Any:
    """Return a streaming event as the `openai` object of its type, as leniently as `item_view`."""
    from openai._models import construct_type
    from openai.types.responses import ResponseStreamEvent

    return construct_type(type_=ResponseStreamEvent, value=wire)


def to_wire(value: Any) -> JSONValue:
    """Return an item or event as wire JSON: a pydantic object as the fields that were set, a dict as it is."""
    if isinstance(value, dict):
        return value
    return value.model_dump(mode="json", exclude_unset=True, warnings=False)
