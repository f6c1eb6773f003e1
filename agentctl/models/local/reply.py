"""The fold of the local model's chunks into the events of the Responses API."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from agentctl.agent.wire import JSONValue, WireEvent
from agentctl.errors import ModelBehaviorError, RequestRejectedError, ServiceUnavailableError
from agentctl.models.chat.fold import response_usage
from agentctl.models.response_writer import REASONING, TEXT, ResponseWriter
from agentctl.redaction import excerpt

from .chat import Form

_CALLS = frozenset({Form.CALL, Form.CALL_OR_TEXT, Form.CALL_OR_JSON})


class Reply:
    """One reply, fed chunk by chunk, which returns the events of the response.

    Raises:
        RequestRejectedError: the prompt is longer than the context, or the runtime rejected the request.
        ServiceUnavailableError: the runtime failed.
        ModelBehaviorError: the reply does not have its form.
    """

    def __init__(self, *, model: str, form: Form, new_id: Callable[[str], str], created_at: float) -> None:
        self._form = form
        self._model = model
        self._new_id = new_id
        self._writer = ResponseWriter(
            response_id=new_id("resp"), model=model, created_at=int(created_at), new_id=new_id
        )
        self._usage: dict[str, JSONValue] | None = None
        self._text_so_far = ""
        """The text of the message so far."""
        self._raw = ""
        self._answer = AnswerReader() if form is Form.CALL_OR_TEXT else None
        self._finish: str | None = None

    def start(self) -> list[WireEvent]:
        """Return the events before the first token."""
        return self._writer.take()

    def feed(self, chunk: dict[str, Any]) -> list[WireEvent]:
        """Return the events of one chunk."""
        if (error := chunk.get("error")) is not None:
            raise _failure(error, self._model)
        if (usage := chunk.get("usage")) is not None:
            self._usage = response_usage(usage)
        for choice in chunk.get("choices") or []:
            delta = choice.get("delta") or {}
            if thought := delta.get("reasoning_content"):
                self._writer.add_text(REASONING, thought)
            if text := delta.get("content"):
                self._take(text)
            self._finish = choice.get("finish_reason") or self._finish
        return self._writer.take()

    def end(self) -> list[WireEvent]:
        """Return the events after the last chunk."""
        if self._finish is None:
            raise ServiceUnavailableError(f"{self._model} stopped during its reply; try again")
        is_cut = self._finish == "length"
        if self._form in _CALLS and not (is_cut and self._text_so_far):
            self._decide(is_cut=is_cut)
            is_cut = False
        elif is_cut and self._form is Form.JSON:
            raise _truncation_error(self._model)
        self._writer.end(incomplete="max_output_tokens" if is_cut else None, usage=self._usage)
        return self._writer.take()

    def _take(self, text: str) -> None:
        if self._form not in _CALLS:
            self._say(text)
            return
        self._raw += text
        if self._answer is not None and (decoded := self._answer.feed(text)):
            self._say(decoded)

    def _say(self, text: str) -> None:
        self._text_so_far += text
        self._writer.add_text(TEXT, text)

    def _decide(self, *, is_cut: bool) -> None:
        """Parse a complete reply as a call or an answer."""
        try:
            value = json.loads(self._raw)
        except ValueError as error:
            if is_cut:
                raise _truncation_error(self._model) from error
            raise self._invalid_reply() from error
        match value:
            case {"name": str(name), "arguments": dict(arguments)}:
                call = self._writer.start_call(name, self._new_id("call"))
                self._writer.add_arguments(call, json.dumps(arguments, ensure_ascii=False))
            case {"answer": str(answer)} if self._form is Form.CALL_OR_TEXT:
                self._say(answer[len(self._text_so_far) :])
            case {"answer": answer} if self._form is Form.CALL_OR_JSON:
                self._say(json.dumps(answer, ensure_ascii=False))
            case _:
                raise self._invalid_reply()

    def _invalid_reply(self) -> ModelBehaviorError:
        return ModelBehaviorError(f"the reply of {self._model} is neither a call nor an answer: {excerpt(self._raw)!r}")


def _failure(error: dict[str, Any], model: str) -> Exception:
    if error.get("type") == "exceed_context_size_error":
        return RequestRejectedError(
            f"the prompt has {error.get('n_prompt_tokens')} tokens, but the context of {model} has only "
            f"{error.get('n_ctx')}: shorten the input, or use a model with a longer context",
            code="context_length_exceeded",
        )
    message = f"{model}: {error.get('message') or 'the runtime failed'}"
    if (error.get("code") or 500) < 500:
        return RequestRejectedError(message, code=error.get("type"))
    return ServiceUnavailableError(message, code=error.get("type"))


def _truncation_error(model: str) -> ModelBehaviorError:
    return ModelBehaviorError(
        f"the token limit cut off the reply of {model} before its JSON was complete: raise max_tokens, or request less"
    )


_OPENING = re.compile(r'\s*\{\s*"answer"\s*:\s*"')
_WHOLE = re.compile(
    r'(?:[^"\\]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4}|\\u(?![dD][89abAB])[0-9a-fA-F]{4}|\\[^u])*'
)


class AnswerReader:
    """Decodes the text of a JSON answer incrementally; returns nothing for any other JSON."""

    def __init__(self) -> None:
        self._pending = ""
        self._is_inside = False
        self._is_over = False

    def feed(self, text: str) -> str:
        """Return the newly readable part of the answer: whole characters, complete escapes."""
        if self._is_over:
            return ""
        self._pending += text
        if not self._is_inside:
            opening = _OPENING.match(self._pending)
            if opening is None:
                return ""
            self._is_inside = True
            self._pending = self._pending[opening.end() :]
        whole = _WHOLE.match(self._pending)
        assert whole is not None
        self._pending = self._pending[whole.end() :]
        self._is_over = self._pending.startswith('"')
        decoded: str = json.loads(f'"{whole[0]}"', strict=False)
        return decoded
