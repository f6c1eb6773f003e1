"""Complete responses of a model: their items, stored as wire JSON, and the usage of the call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar

from agentctl._dataclass import dataclass
from agentctl.agent.usage import MeasuredResponse, Usage
from agentctl.agent.wire import JSONValue, WireItem, whole_json
from agentctl.errors import ModelBehaviorError

from .views import is_wire, item_view, replayable, to_wire, wire_of

if TYPE_CHECKING:
    from openai.types.responses import ResponseOutputItem


class Output:
    """Descriptor of the field `output`: stores wire items or a custom model's objects, and returns `openai` objects."""

    def __get__(self, response: Any, kind: type | None = None) -> list[ResponseOutputItem]:
        """Return the items as `openai` objects, built from the wire JSON on first access."""
        if response is None:
            raise AttributeError("output")  # So that dataclass sees a field without a default.
        if response._views is None:
            items = response._items
            if any(map(is_wire, items)):
                response._views = [item_view(item) if is_wire(item) else item for item in items]
                response._wires = {id(view): item for view, item in zip(response._views, items, strict=True)}
            else:
                response._views = items  # The caller's own list, not a copy.
        views: list[ResponseOutputItem] = response._views
        return views

    def __set__(self, response: Any, value: Sequence[ResponseOutputItem | WireItem]) -> None:
        """Store wire items, objects, or both."""
        response._items, response._views, response._wires = value, None, {}


@dataclass(eq=False, repr=False)
class ModelResponse:
    """A complete response of a model; `wire_output` is its items as JSON, `output` the typed view of them."""

    output: Output = Output()  # a descriptor, not a shared default
    usage: Usage = field(default_factory=Usage)
    response_id: str | None = None
    request_id: str | None = None
    """The service's id of the request, for its support; None if the transport has none."""
    raw_usage: dict[str, Any] | None = None
    incomplete: str | None = None
    """Reason of an incomplete response (`max_output_tokens`, `content_filter`); None for a complete one."""

    _items: ClassVar[list[Any]]
    _views: ClassVar[list[Any] | None]
    _wires: ClassVar[dict[int, WireItem]]

    @classmethod
    def from_wire(cls, response: dict[str, Any]) -> ModelResponse:
        """Read the `response` object of a terminal event.

        Raises:
            ModelBehaviorError: its output is not a list of items.
        """
        output, raw_usage = response.get("output") or [], response.get("usage")
        if not isinstance(output, list) or not all(isinstance(item, dict) for item in output):
            raise ModelBehaviorError(
                "the output of the response is not a list of items: the endpoint does not implement the Responses API"
            )
        output = whole_json(output)  # A model may write half a character, which no request could send again.
        usage, request_id = Usage.from_wire(raw_usage), None
        if isinstance(response, MeasuredResponse):
            usage.transport, request_id = response.transport, response.request_id
        return cls(
            output=output,
            usage=usage,
            response_id=_text_or_none(response.get("id")),
            request_id=request_id,
            raw_usage=raw_usage if isinstance(raw_usage, dict) else None,
            incomplete=_incomplete(response),
        )

    @property
    def raw_output(self) -> list[Any]:
        """The items as received: dicts from built-in models, objects from custom ones and for changed views."""
        if self._views is None:
            return self._items
        return [self._original(view) or view for view in self._views]

    @property
    def wire_output(self) -> list[WireItem]:
        """The items as JSON."""
        if self._views is None:
            return [to_wire(item) for item in self._items]
        return [self._original(view) or to_wire(view) for view in self._views]

    def to_input_items(self) -> list[WireItem]:
        """Return the items as input for a later model call, without what only the service adds."""
        return [replayable(item) for item in self.wire_output]

    def _original(self, view: Any) -> WireItem | None:
        """Return the wire JSON that a view was built from, None if there is none or the view has changed since."""
        wire = self._wires.get(id(view))
        return wire if isinstance(wire, dict) and wire_of(wire, view) is wire else None

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, ModelResponse) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as any dataclass with a mutable field

    def __repr__(self) -> str:
        return f"ModelResponse({', '.join(f'{name}={value!r}' for name, value in self._values().items())})"

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_items": self.raw_output, "_views": None, "_wires": {}}

    def _values(self) -> dict[str, Any]:
        """Return the fields by name, the output as JSON, without building views."""
        return {
            "output": self.wire_output,
            "usage": self.usage,
            "response_id": self.response_id,
            "request_id": self.request_id,
            "raw_usage": self.raw_usage,
            "incomplete": self.incomplete,
        }


def _incomplete(response: dict[str, Any]) -> str | None:
    if response.get("status") != "incomplete":
        return None
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    return _text_or_none(reason) or "unknown reason"


def _text_or_none(value: JSONValue) -> str | None:
    return value if isinstance(value, str) else None
