"""Wire JSON seen as `openai` objects, and back: the seam between what the engine reads and what users touch."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from .wire import JSONValue, WireEvent, WireItem

if TYPE_CHECKING:
    from openai import BaseModel

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
