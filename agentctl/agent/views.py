"""Wire JSON seen as `openai` objects, and back: the seam between what the engine reads and what users touch."""

from __future__ import annotations

from typing import Any

from .wire import JSONValue, WireEvent, WireItem

_AS_DICT = frozenset({"item_reference", "local_shell_call_output", "mcp_approval_response"})
"""Item types that exist only as input: their view is the dict itself."""


def item_view(wire: WireItem) -> Any:
    """Return an output item as the `openai` object of its type: an unknown field stays, a missing one is no error."""
    kind = wire.get("type")
    if not isinstance(kind, str) or kind in _AS_DICT or (kind.endswith("_output") and "id" not in wire):
        return wire  # An output without an id was made here, not by the service.
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


def wire_of(wire: WireItem | None, view: Any) -> WireItem:
    """Return an item as JSON: as it came, unless the view of it that was handed out has been changed since."""
    if wire is not None and (view is None or view is wire):
        return wire
    seen: WireItem = to_wire(view)
    if wire is None:
        return seen
    return wire if seen == wire or seen == to_wire(item_view(wire)) else seen
