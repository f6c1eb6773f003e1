"""Output items in the service's format, and the event stream of a response that contains them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from agentctl.agent.items.run_items import message_text
from agentctl.agent.wire import WireEvent, WireItem


def assistant_message(text: str, *, item_id: str = "scripted-message") -> WireItem:
    """Return a message of the model."""
    return {
        "type": "message",
        "id": item_id,
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }


def function_call(
    name: str,
    arguments: str | Mapping[str, Any],
    *,
    call_id: str,
    item_id: str | None = None,
    namespace: str | None = None,
) -> WireItem:
    """Return a call of a function tool; string arguments are passed unchanged, even if they are not JSON."""
    in_namespace = {} if namespace is None else {"namespace": namespace}
    return {
        "type": "function_call",
        "id": item_id or f"fc_{call_id}",
        "call_id": call_id,
        "name": name,
        "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments),
        "status": "completed",
        **in_namespace,
    }


def response_events(
    output: list[WireItem], *, response_id: str, usage: dict[str, Any], incomplete: str | None = None
) -> Iterator[WireEvent]:
    """Yield the events of a response with this output, with messages streamed word by word."""
    response: dict[str, Any] = {"id": response_id, "object": "response", "status": "in_progress", "output": []}
    number = count()

    def event(kind: str, **fields: Any) -> WireEvent:
        return {"type": kind, "sequence_number": next(number), **fields}

    yield event("response.created", response=response)
    yield event("response.in_progress", response=response)
    for index, item in enumerate(output):
        place = {"output_index": index, "item_id": item.get("id", "")}
        yield event("response.output_item.added", output_index=index, item=item)
        if item.get("type") == "message" and (text := message_text(item)):
            for word in _words(text):
                yield event("response.output_text.delta", **place, content_index=0, delta=word)
            yield event("response.output_text.done", **place, content_index=0, text=text)
        yield event("response.output_item.done", output_index=index, item=item)
    status = "incomplete" if incomplete else "completed"
    details = {"incomplete_details": {"reason": incomplete}} if incomplete else {}
    whole = {**response, "status": status, "output": output, "usage": usage, **details}
    yield event(f"response.{status}", response=whole)


def _words(text: str) -> list[str]:
    head, *rest = text.split(" ")
    return [part for part in (head, *(f" {word}" for word in rest)) if part]
