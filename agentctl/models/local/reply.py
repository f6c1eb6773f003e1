"""Folds the chunks of a chat completion into the events of the Responses API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from agentctl.agent.wire import JSONValue, WireEvent, WireItem
from agentctl.errors import ModelBehaviorError, RequestRejectedError, ServiceUnavailableError

from .answer import AnswerReader
from .chat import Form

_CALLS = frozenset({Form.CALL, Form.CALL_OR_TEXT, Form.CALL_OR_JSON})


class Reply:
    """One reply as it comes: feed it chunks, and it gives the events of the response.

    Raises:
        RequestRejectedError: the prompt is longer than the context, or the runtime refused the request.
        ServiceUnavailableError: the runtime failed.
        ModelBehaviorError: the reply is not of its form.
    """

    def __init__(self, *, model: str, form: Form, new_id: Callable[[str], str], created_at: float) -> None:
        self._form = form
        self._new_id = new_id
        self._response: dict[str, JSONValue] = {
            "id": new_id("resp"),
            "object": "response",
            "created_at": int(created_at),
            "model": model,
            "status": "in_progress",
            "output": [],
            "usage": None,
            "error": None,
            "incomplete_details": None,
        }
        self._sequence = 0
        self._open: _Part | None = None
        self._raw = ""
        self._answer = AnswerReader() if form is Form.CALL_OR_TEXT else None
        self._finish: str | None = None

    def start(self) -> Iterator[WireEvent]:
        """Yield the events before the first token."""
        yield self._event("response.created", response=self._snapshot())
        yield self._event("response.in_progress", response=self._snapshot())

    def feed(self, chunk: dict[str, JSONValue]) -> Iterator[WireEvent]:
        """Yield the events of one chunk."""
        if (error := chunk.get("error")) is not None:
            raise _failure(error, self._response["model"])
        if (usage := chunk.get("usage")) is not None:
            self._response["usage"] = _usage(usage)
        for choice in chunk.get("choices") or []:
            delta = choice.get("delta") or {}
            if thought := delta.get("reasoning_content"):
                yield from self._say("reasoning", thought)
            if text := delta.get("content"):
                yield from self._take(text)
            self._finish = choice.get("finish_reason") or self._finish

    def end(self) -> Iterator[WireEvent]:
        """Yield the events after the last chunk."""
        if self._finish is None:
            raise ServiceUnavailableError(f"{self._response['model']} stopped in the middle of its reply; try again")
        cut = self._finish == "length"
        if self._form in _CALLS and not (cut and self._open_kind() == "message"):
            yield from self._decide(cut=cut)
            cut = False
        elif cut and self._form is Form.JSON:
            raise _cut(self._response["model"])
        yield from self._close(status="incomplete" if cut else "completed")
        self._response["status"] = "incomplete" if cut else "completed"
        if cut:
            self._response["incomplete_details"] = {"reason": "max_output_tokens"}
        yield self._event(f"response.{self._response['status']}", response=self._snapshot())

    def _take(self, text: str) -> Iterator[WireEvent]:
        if self._form not in _CALLS:
            yield from self._say("message", text)
            return
        self._raw += text
        if self._answer is not None and (said := self._answer.feed(text)):
            yield from self._say("message", said)

    def _decide(self, *, cut: bool) -> Iterator[WireEvent]:
        """Read a whole reply that is a call or an answer."""
        try:
            value = json.loads(self._raw)
        except ValueError as error:
            if cut:
                raise _cut(self._response["model"]) from error
            raise self._shapeless() from error
        match value:
            case {"name": str(name), "arguments": dict(arguments)}:
                yield from self._close(status="completed")
                yield from self._call(name, json.dumps(arguments, ensure_ascii=False))
            case {"answer": str(answer)} if self._form is Form.CALL_OR_TEXT:
                said = "".join(self._open.texts) if self._open and self._open.kind == "message" else ""
                yield from self._say("message", answer[len(said) :])
            case {"answer": answer} if self._form is Form.CALL_OR_JSON:
                yield from self._say("message", json.dumps(answer, ensure_ascii=False))
            case _:
                raise self._shapeless()

    def _shapeless(self) -> ModelBehaviorError:
        return ModelBehaviorError(
            f"{self._response['model']} replied with what is neither a call nor an answer: {self._raw[:200]!r}"
        )

    def _call(self, name: str, arguments: str) -> Iterator[WireEvent]:
        item: WireItem = {
            "id": self._new_id("fc"),
            "type": "function_call",
            "status": "in_progress",
            "call_id": self._new_id("call"),
            "name": name,
            "arguments": "",
        }
        index = len(self._response["output"])
        place = {"item_id": item["id"], "output_index": index}
        yield self._event("response.output_item.added", output_index=index, item=dict(item))
        yield self._event("response.function_call_arguments.delta", **place, delta=arguments)
        yield self._event("response.function_call_arguments.done", **place, name=name, arguments=arguments)
        item |= {"status": "completed", "arguments": arguments}
        self._response["output"].append(item)
        yield self._event("response.output_item.done", output_index=index, item=item)

    def _say(self, kind: str, text: str) -> Iterator[WireEvent]:
        """Add text to the open part, opened first where it is not."""
        if self._open_kind() != kind:
            yield from self._close(status="completed")
            self._open = _Part(kind, self._new_id, len(self._response["output"]))
            yield self._event("response.output_item.added", output_index=self._open.index, item=self._open.item())
            yield self._event("response.content_part.added", **self._open.place, part=self._open.part(""))
        assert self._open is not None
        if text:
            self._open.texts.append(text)
            yield self._event(f"response.{self._open.event}.delta", **self._open.place, delta=text)

    def _close(self, *, status: str) -> Iterator[WireEvent]:
        part, self._open = self._open, None
        if part is None:
            return
        text = "".join(part.texts)
        yield self._event(f"response.{part.event}.done", **part.place, text=text)
        yield self._event("response.content_part.done", **part.place, part=part.part(text))
        item = part.item(text, status=status)
        self._response["output"].append(item)
        yield self._event("response.output_item.done", output_index=part.index, item=item)

    def _open_kind(self) -> str | None:
        return self._open.kind if self._open else None

    def _snapshot(self) -> dict[str, JSONValue]:
        return {**self._response, "output": list(self._response["output"])}

    def _event(self, kind: str, **fields: JSONValue) -> WireEvent:
        event = {"type": kind, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        return event


class _Part:
    """The message or the reasoning that is being written."""

    def __init__(self, kind: str, new_id: Callable[[str], str], index: int) -> None:
        self.kind = kind
        self.index = index
        self.event = "output_text" if kind == "message" else "reasoning_text"
        self.place: dict[str, JSONValue] = {
            "item_id": new_id("msg" if kind == "message" else "rs"),
            "output_index": index,
            "content_index": 0,
        }
        self.texts: list[str] = []

    def part(self, text: str) -> dict[str, JSONValue]:
        """Return the content part with this text."""
        more: dict[str, JSONValue] = {"annotations": [], "logprobs": []} if self.kind == "message" else {}
        return {"type": self.event, "text": text, **more}

    def item(self, text: str | None = None, *, status: str = "in_progress") -> WireItem:
        """Return the item, with its text once that is whole."""
        own: dict[str, Any] = {"role": "assistant"} if self.kind == "message" else {"summary": []}
        content = [] if text is None else [self.part(text)]
        return {"id": self.place["item_id"], "type": self.kind, "status": status, **own, "content": content}


def _usage(usage: dict[str, JSONValue]) -> dict[str, JSONValue]:
    read, written = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }


def _failure(error: dict[str, JSONValue], model: JSONValue) -> Exception:
    if error.get("type") == "exceed_context_size_error":
        return RequestRejectedError(
            f"the prompt has {error.get('n_prompt_tokens')} tokens, and the context of {model} holds "
            f"{error.get('n_ctx')}: shorten the input, or use a model with a longer context",
            code="context_length_exceeded",
        )
    message = f"{model}: {error.get('message') or 'the runtime failed'}"
    if (error.get("code") or 500) < 500:
        return RequestRejectedError(message, code=error.get("type"))
    return ServiceUnavailableError(message, code=error.get("type"))


def _cut(model: JSONValue) -> ModelBehaviorError:
    return ModelBehaviorError(
        f"the reply of {model} was cut by the token limit before its JSON was whole: raise max_tokens, or ask for less"
    )
