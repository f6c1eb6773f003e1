"""The fold of one response's events: checks their order, raises failures, completes the terminal event; pure."""

from __future__ import annotations

import json
from typing import Any

from agentctl.agent.wire import TERMINAL, WireEvent, WireItem
from agentctl.errors import IncompleteStreamError, ModelBehaviorError, ServiceError
from agentctl.models.call import ReadBatch
from agentctl.net.failures import event_error
from agentctl.net.unreachable import CONNECTION_LOST
from agentctl.redaction import excerpt

_FAILURES = frozenset({"error", "response.error", "response.failed", "response.cancelled"})
_INSPECTED = TERMINAL | _FAILURES | {"response.output_item.done"}


class ResponseFold:
    """Reads the events of one response in order; events of unknown types pass unchanged."""

    def __init__(self, service: str = "the service") -> None:
        self._service = service
        self._items: list[tuple[int, WireItem]] = []
        self.is_complete = False
        """Whether the terminal event has been read; everything after it is ignored."""

    def read(self, event: WireEvent) -> WireEvent:
        """Return the event to pass on: the event itself, or the terminal one with its output filled in.

        A complete response, from a service that does not stream, is its own terminal event.

        Raises:
            ServiceError: the event reports that the response failed.
            ModelBehaviorError: it is not an event of the Responses API.
        """
        kind = event.get("type")
        if not isinstance(kind, str):
            if isinstance(event.get("output"), list):
                return self.read({"type": f"response.{event.get('status') or 'completed'}", "response": event})
            if event.get("error") or event.get("object") == "error":
                raise event_error(event, service=self._service)
            raise ModelBehaviorError(
                f"{self._service} sent an event without a type: {excerpt(json.dumps(event))}; the endpoint may not "
                "support the Responses API"
            )
        if kind not in _INSPECTED:
            return event
        if kind in _FAILURES:
            raise event_error(event, service=self._service)
        if kind in TERMINAL:
            completed = self._complete_event(event)
            self.is_complete = True
            return completed
        item, index = event.get("item"), event.get("output_index")
        if isinstance(item, dict):
            self._items.append((index if isinstance(index, int) else len(self._items), item))
        return event

    def read_batch(self, received: list[WireEvent]) -> ReadBatch:
        """Return the events of a batch to pass on; events after the terminal one are dropped."""
        events: list[WireEvent] = []
        try:
            for event in received:
                kind = event.get("type")
                if type(kind) is str and kind not in _INSPECTED:
                    events.append(event)  # As nearly all events.
                    continue
                events.append(self.read(event))
                if self.is_complete:
                    break
        except (ServiceError, ModelBehaviorError) as error:
            return ReadBatch(events, error)
        return ReadBatch(events)

    @property
    def can_end(self) -> bool:
        """True if the response is complete."""
        return self.is_complete

    def end(self, *, has_end_mark: bool = False) -> list[WireEvent]:
        """Return the buffered events at the end of the stream: none.

        Raises:
            IncompleteStreamError: the stream ended before the response did.
        """
        if not self.is_complete:
            raise IncompleteStreamError(
                f"{self._service} ended the stream before the response was complete; try again", code=CONNECTION_LOST
            )
        return []

    def _complete_event(self, event: WireEvent) -> WireEvent:
        response: Any = event.get("response")
        if not isinstance(response, dict):
            raise ModelBehaviorError(
                f"{self._service} sent {event['type']} without a response: {excerpt(json.dumps(event))}"
            )
        if response.get("output") or not self._items:
            return event
        output = [item for _, item in sorted(self._items, key=lambda pair: pair[0])]
        return {**event, "response": {**response, "output": output}}
