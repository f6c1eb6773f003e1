"""The endpoints: the checks of a request, and the events of a step for it."""

import json
from collections.abc import Iterator
from typing import Any, Protocol

from tests.service import answers, chat, checks
from tests.service.history import after, characters, new_items
from tests.service.sse import Dress
from tests.service.state import State

Wire = dict[str, Any]


class Endpoint(Protocol):
    """An address that takes steps of the script."""

    def refusal(self, body: Any, state: State) -> checks.Refusal | None:
        """Return why the request takes no step, if it takes none."""

    def events(self, step: Wire, body: Wire, state: State) -> Iterator[Wire]:
        """Yield the events of a streamed answer."""

    def whole(self, step: Wire, body: Wire, state: State) -> tuple[int, Wire]:
        """Return the status and body of an answer that is not streamed."""

    def streams(self, step: Wire, body: Wire) -> bool:
        """Return whether the answer is streamed."""

    def dress(self, step: Wire) -> Dress:
        """Return how the events look as SSE."""


class Responses:
    """`POST /v1/responses`."""

    def refusal(self, body: Any, state: State) -> checks.Refusal | None:
        """Return why the request takes no step, if it takes none."""
        if refusal := checks.check_request(body, state.settings.models):
            return refusal
        previous = body.get("previous_response_id")
        if previous is not None and previous not in state.stored:
            return checks.not_found(previous)
        return checks.check_items(new_items(body), state.stored.get(previous))

    def events(self, step: Wire, body: Wire, state: State) -> Iterator[Wire]:
        """Yield the events of a response, and store it before its terminal event."""
        parent = state.stored.get(body.get("previous_response_id") or "")
        known = reads(body) + (0 if parent is None else parent.characters)
        output: list[Wire] = []
        for event in answers.events(step, body, state.ids, known=known):
            if event["type"] == "response.output_item.done":
                output.append(event["item"])
            elif event["type"] in ANSWERED and not step.get("forgotten"):
                state.keep(event["response"]["id"], after(parent, body, output), body)
            yield event

    def whole(self, step: Wire, body: Wire, state: State) -> tuple[int, Wire]:
        """Return the response, or the error that its last event tells."""
        *_, last = self.events(step, body, state)
        if last["type"] != "error":
            return 200, last["response"]
        end = step["end"]
        error = {"message": end["message"], "type": end["kind"], "param": end["param"], "code": end["code"]}
        return end["status"], {"error": error}

    def streams(self, step: Wire, body: Wire) -> bool:
        """Return whether the request asks for a stream."""
        return bool(body.get("stream"))

    def dress(self, step: Wire) -> Dress:
        """Return how the step wants its events to look."""
        return Dress(step.get("frame", {}))


class Chat:
    """`POST /v1/chat/completions`."""

    def refusal(self, body: Any, state: State) -> checks.Refusal | None:
        """Return why the request takes no step, if it takes none."""
        return chat.refusal(body, state.settings.models)

    def events(self, step: Wire, body: Wire, state: State) -> Iterator[Wire]:
        """Yield the chunks of a completion."""
        return chat.chunks(step, body, state.ids)

    def whole(self, step: Wire, body: Wire, state: State) -> tuple[int, Wire]:
        """Return the completion, or the error that the step ends with."""
        return chat.whole(step, body, state.ids)

    def streams(self, step: Wire, body: Wire) -> bool:
        """Return whether the request asks for a stream, and the step heeds it."""
        return bool(body.get("stream")) and not chat.quirks(step)["ignores_stream"]

    def dress(self, step: Wire) -> Dress:
        """Return how the step wants its chunks to look: no names of events, and `[DONE]` at the end."""
        return Dress({"done": True, **step.get("frame", {}), "event_lines": False})


def reads(body: Wire) -> int:
    """Return how many characters of the request itself the model reads."""
    return len(body.get("instructions") or "") + sum(characters(item) for item in new_items(body))


def compact(body: Wire, state: State) -> Wire:
    """Return the answer of `POST /v1/responses/compact`: what users said, and the rest as something encrypted."""
    items = new_items(body)
    kept = [item for item in items if item.get("role") in {"user", "system", "developer"}]
    sealed = {"id": state.ids.new("cmp"), "type": "compaction", "encrypted_content": json.dumps(items)}
    messages = [_message(item, state) for item in kept]
    identity = {"id": state.ids.new("resp"), "object": "response.compaction", "created_at": 0}
    return {**identity, "output": [*messages, sealed], "usage": answers.usage(reads(body), [sealed])}


def _message(item: Wire, state: State) -> Wire:
    content = item["content"]
    parts = [{"type": "input_text", "text": content}] if isinstance(content, str) else content
    return {"type": "message", "id": state.ids.new("msg"), "status": "completed", **item, "content": parts}


ANSWERED = frozenset({"response.completed", "response.incomplete"})
