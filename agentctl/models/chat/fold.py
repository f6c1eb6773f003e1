"""The fold of the chunks of one chat completion into the events of a response; pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from agentctl.agent.wire import JSONValue, WireEvent
from agentctl.errors import IncompleteStreamError, ModelBehaviorError, ServiceError, ServiceUnavailableError
from agentctl.models.call import ReadBatch
from agentctl.models.response_writer import REASONING, REFUSAL, SUMMARY, TEXT, ResponseWriter
from agentctl.net.failures import event_error
from agentctl.net.unreachable import CONNECTION_LOST
from agentctl.redaction import excerpt

from .calls import ToolCalls
from .thinking import ThinkingSplitter

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""The reason for an incomplete response, by `finish_reason`."""


class ChatFold:
    """Reads the chunks of one completion in order; a completion that is not streamed is a single chunk."""

    def __init__(
        self,
        *,
        service: str = "the service",
        model: str,
        new_id: Callable[[str], str],
        created_at: float,
        buffers_tool_calls: bool = False,
        is_lenient: bool = False,
        output_tool: str | None = None,
    ) -> None:
        """Take the parts that vary.

        `is_lenient` is for servers other than OpenAI's: `<think>` blocks are separated from the text, and the end of
        the stream is that of the completion, with or without `finish_reason`.

        The arguments of a call of `output_tool` become the text of the response, in place of its text.
        """
        self._service = service
        self._model = model
        self._new_id = new_id
        self._created_at = created_at
        self._writer: ResponseWriter | None = None
        self._calls = ToolCalls(new_id, buffered=buffers_tool_calls, output_tool=output_tool)
        self._is_lenient = is_lenient
        self._thinking = ThinkingSplitter() if is_lenient else None
        self._held_text: list[str] | None = None if output_tool is None else []
        """The text of the response, held back until it is certain that `output_tool` is not called."""
        self._finish: str | None = None
        self._usage: dict[str, JSONValue] | None = None
        self._has_answer = False
        self._has_reasoning = False
        self._has_function_call = False
        self._unexpected: str | None = None
        """The beginning of data that is not a chunk."""
        self.is_complete = False
        """Whether the terminal event was returned; a completion ends with its stream, after its usage."""

    def read_batch(self, received: list[dict[str, Any]]) -> ReadBatch:
        """Return the events of a batch of chunks, up to a failure."""
        events: list[WireEvent] = []
        try:
            for chunk in received:
                events += self.read(chunk)
        except (ServiceError, ModelBehaviorError) as error:
            return ReadBatch(events, error)
        return ReadBatch(events)

    @property
    def can_end(self) -> bool:
        """True if the completion is finished; only its usage may be missing."""
        return self._finish is not None

    def read(self, chunk: dict[str, Any]) -> list[WireEvent]:
        """Return the events of a chunk.

        Raises:
            ServiceError: the chunk reports a failure.
            ModelBehaviorError: the content is not text.
        """
        choices = chunk.get("choices")
        if chunk.get("error") or (not isinstance(choices, list) and _is_error(chunk)):
            raise event_error(chunk, service=self._service)
        if not isinstance(choices, list):
            self._unexpected = self._unexpected or excerpt(json.dumps(chunk))
            return []
        writer = self._writer_for(chunk)
        if isinstance(usage := chunk.get("usage"), dict):
            self._usage = response_usage(usage)
        for choice in choices:
            if isinstance(choice, dict) and choice.get("index") in (0, None):
                self._read_choice(choice, writer)
        return writer.take()

    def end(self, *, has_end_mark: bool = False) -> list[WireEvent]:
        """Return the last events, including the terminal one, at the end of the stream.

        A stream with `[DONE]` at its end is finished, whatever `finish_reason` says. A connection that broke off is an
        error before this.

        Raises:
            IncompleteStreamError: the stream ended before the completion did.
            ModelBehaviorError: the stream was not a chat completion, or one without an answer.
        """
        writer = self._writer
        if writer is None and self._unexpected is not None:
            raise ModelBehaviorError(
                f"{self._service} did not send a chat completion: {self._unexpected}; the endpoint may not support "
                "that API"
            )
        is_finished = self._finish is not None or ((has_end_mark or self._is_lenient) and self._has_answer)
        if writer is None or not is_finished:
            raise IncompleteStreamError(
                f"the stream of {self._service} ended before receiving a finish_reason; try again", code=CONNECTION_LOST
            )
        incomplete = _INCOMPLETE.get(self._finish or "")
        if self._thinking is not None:
            self._add_pieces(self._thinking.end(), writer)
        if not self._has_answer and incomplete is None:
            raise self._no_answer()
        self._calls.end(writer)
        if self._held_text and not self._calls.has_output:
            writer.add_text(TEXT, "".join(self._held_text))
        self.is_complete = True
        writer.end(incomplete=incomplete, usage=self._usage)
        return writer.take()

    def _no_answer(self) -> ModelBehaviorError:
        if self._has_function_call:
            return ModelBehaviorError(
                f"{self._service} called a function by `function_call`, which chat completions had before "
                "`tool_calls`; update the server, or use another one"
            )
        return ModelBehaviorError(
            f"{self._service} finished the completion ({excerpt(self._finish or '[DONE]')}) without text or tool calls"
            f"{', only with reasoning' if self._has_reasoning else ''}; try again, or try another model"
        )

    def _writer_for(self, chunk: dict[str, Any]) -> ResponseWriter:
        if self._writer is None:
            created = chunk.get("created")
            self._writer = ResponseWriter(
                response_id=_text(chunk.get("id")) or self._new_id("chatcmpl"),
                model=_text(chunk.get("model")) or self._model,
                created_at=created if isinstance(created, int) and created else int(self._created_at),
                new_id=self._new_id,
            )
        return self._writer

    def _read_choice(self, choice: dict[str, Any], writer: ResponseWriter) -> None:
        if choice.get("error"):
            raise event_error(choice, service=self._service)
        delta, message = choice.get("delta"), choice.get("message")
        if isinstance(delta, dict):
            self._read_delta(delta, writer, choice.get("logprobs"))
        elif isinstance(message, dict):
            calls = [{"index": index, **call} for index, call in enumerate(_objects(message.get("tool_calls")))]
            self._read_delta({**message, "tool_calls": calls}, writer, choice.get("logprobs"))
        if finish := _text(choice.get("finish_reason")):
            self._finish = finish
        if self._finish == "error":
            raise ServiceUnavailableError(f"{self._service} failed during the completion; try again")

    def _read_delta(self, delta: dict[str, Any], writer: ResponseWriter, logprobs: JSONValue) -> None:
        # Some servers send the same reasoning under both names.
        if reasoning := _text(delta.get("reasoning_content")):
            writer.add_text(SUMMARY, reasoning)
        elif reasoning := _text(delta.get("reasoning")):
            writer.add_text(REASONING, reasoning)
        self._has_reasoning |= bool(reasoning)
        if text := self._content(delta.get("content")):
            shown = _objects(logprobs.get("content")) if isinstance(logprobs, dict) else ()
            pieces = [("text", text)] if self._thinking is None else self._thinking.add(text)
            self._add_pieces(pieces, writer, shown)
        if refusal := _text(delta.get("refusal")):
            writer.add_text(REFUSAL, refusal)
        calls = _objects(delta.get("tool_calls"))
        for call in calls:
            self._calls.add(call, writer)
        self._has_answer |= bool(refusal or calls)
        self._has_function_call |= bool(delta.get("function_call"))

    def _content(self, content: JSONValue) -> str:
        """Return the text of a delta; a few servers send it as parts.

        Raises:
            ModelBehaviorError: it is neither.
        """
        if isinstance(content, list):
            return "".join(_text(part.get("text")) for part in _objects(content) if part.get("type") == "text")
        if content is None or isinstance(content, str):
            return content or ""
        raise ModelBehaviorError(
            f"{self._service} sent content that is not text: {excerpt(json.dumps(content))}; the endpoint may not "
            "support chat completions"
        )

    def _add_pieces(
        self, pieces: Iterable[tuple[str, str]], writer: ResponseWriter, logprobs: Sequence[JSONValue] = ()
    ) -> None:
        for kind, text in pieces:
            if kind == "reasoning":
                self._has_reasoning = True
                writer.add_text(REASONING, text)
                continue
            self._has_answer = True
            if self._held_text is None:
                writer.add_text(TEXT, text, logprobs)
            else:
                self._held_text.append(text)


def _is_error(chunk: dict[str, Any]) -> bool:
    """Return whether a chunk without choices and without `error` describes a failure."""
    is_named = chunk.get("type") == "error" or chunk.get("object") == "error"
    return is_named or (isinstance(chunk.get("message"), str) and ("code" in chunk or "status" in chunk))


def _objects(values: JSONValue) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _text(value: JSONValue) -> str:
    return value if isinstance(value, str) else ""


def response_usage(usage: dict[str, Any]) -> dict[str, JSONValue]:
    """Return the token counts under their names in the Responses API; a missing one is 0."""
    input_tokens, output_tokens = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    cache = usage.get("prompt_tokens_details")
    cache_written = _count(cache, "cache_write_tokens")
    written_details = {"cache_write_tokens": cache_written} if cache_written else {}
    reasoning = _count(usage.get("completion_tokens_details"), "reasoning_tokens")
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": _count(cache, "cached_tokens"), **written_details},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": _count(usage, "total_tokens") or input_tokens + output_tokens,
    }


def _count(fields: JSONValue, name: str) -> int:
    value = fields.get(name) if isinstance(fields, dict) else None
    return value if isinstance(value, int) else 0
