"""Chat completions: what is refused, and a step as chunks or as one object."""

import time
from collections.abc import Iterator
from typing import Any

from tests.service import answers
from tests.service.checks import Refusal, check_model, missing
from tests.service.history import characters, tokens
from tests.service.state import Ids

Wire = dict[str, Any]
_QUIRKS: Wire = {
    "ignores_stream": False,
    "whole_calls": False,
    "call_ids": True,
    "one_index": False,
    "roles": True,
    "usage": "asked",
    "reasoning_field": "reasoning_content",
    "finish_reason": None,
}


def refusal(body: Any, models: list[str] | None) -> Refusal | None:
    """Refuse a body that is no object, has unknown, missing or contradicting fields, or calls left unanswered."""
    if not isinstance(body, dict):
        return Refusal(status=400, message="We could not parse the JSON body of your request.")
    if unknown := sorted(body.keys() - FIELDS):
        return Refusal(status=400, message=f"Unrecognized request argument supplied: {unknown[0]}")
    if body.get("model") is None:
        return Refusal(status=400, message="you must provide a model parameter")
    if found := check_model(body["model"], models):
        return found
    if not body.get("messages"):
        return missing("messages")
    return _check_fields(body) or _check_messages(body["messages"])


def quirks(step: Wire) -> Wire:
    """Return how the server of this step departs from the original."""
    return {**_QUIRKS, **step.get("quirks", {})}


def chunks(step: Wire, request: Wire, ids: Ids) -> Iterator[Wire]:
    """Yield the chunks of a streamed completion."""
    odd = quirks(step)
    begun = _identity(request, ids, "chat.completion.chunk")
    spent = usage(request, step)
    asked = bool((request.get("stream_options") or {}).get("include_usage"))
    always = odd["usage"] == "always"
    if asked or always:
        begun["usage"] = spent if always else None
    if not step.get("bare"):
        for delta in _deltas(step, ids, odd):
            yield {**begun, "choices": [_choice({"delta": delta})]}
    if step["end"]["type"] in {"failed", "error"}:
        yield _error(step["end"])
        return
    last = {**begun, "choices": [_choice({"delta": {}}, _finish_reason(step, odd))]}
    yield {**last, "usage": spent} if odd["usage"] == "with_finish" else last
    if asked and odd["usage"] == "asked":
        yield {**begun, "choices": [], "usage": spent}


def whole(step: Wire, request: Wire, ids: Ids) -> tuple[int, Wire]:
    """Return the status and body of a completion that is not streamed."""
    end = step["end"]
    if end["type"] in {"failed", "error"}:
        return end.get("status", 500), _error(end)
    odd = quirks(step)
    message: Wire = {"role": "assistant", "content": _said(step, "text"), "refusal": _said(step, "refusal")}
    if reasoning := _said(step, "reasoning"):
        message[odd["reasoning_field"]] = reasoning
    if calls := [_call(item, ids, odd) for item in step["items"] if item["kind"] == "tool_call"]:
        message["tool_calls"] = calls
    choice = _choice({"message": message}, _finish_reason(step, odd))
    spent = None if odd["usage"] == "never" else usage(request, step)
    return 200, {**_identity(request, ids, "chat.completion"), "choices": [choice], "usage": spent}


def usage(request: Wire, step: Wire) -> Wire:
    """Return token counts: as many as the Responses endpoint counts for the same conversation."""
    tokens_in = max(1, tokens(sum(characters(message) for message in request["messages"])))
    tokens_out = tokens(sum(_length(item) for item in step["items"]))
    return {
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def with_delta(chunk: Wire, delta: str) -> Wire:
    """Return the chunk with other text."""
    return {**chunk, "choices": [{**chunk["choices"][0], "delta": {"content": delta}}]}


def _identity(request: Wire, ids: Ids, kind: str) -> Wire:
    identity = {"id": ids.new("chatcmpl"), "object": kind, "created": int(time.time()), "model": request["model"]}
    return {**identity, "service_tier": "default", "system_fingerprint": None}


def _choice(content: Wire, finish_reason: str | None = None) -> Wire:
    return {"index": 0, **content, "logprobs": None, "finish_reason": finish_reason}


def _deltas(step: Wire, ids: Ids, odd: Wire) -> Iterator[Wire]:
    items = step["items"]
    if odd["roles"]:
        speaks = any(item["kind"] == "text" for item in items)
        yield {"role": "assistant", "content": "" if speaks else None, "refusal": None}
    fields = {"text": "content", "refusal": "refusal", "reasoning": odd["reasoning_field"]}
    for item in items:
        if item["kind"] in fields:
            yield from ({fields[item["kind"]]: delta} for delta in item["deltas"])
    calls = [_call(item, ids, odd) for item in items if item["kind"] == "tool_call"]
    indexed = [{"index": 0 if odd["one_index"] else index, **call} for index, call in enumerate(calls)]
    if odd["whole_calls"] and calls:
        yield {"tool_calls": indexed}
    elif calls:
        yield from ({"tool_calls": [piece]} for call in indexed for piece in _pieces(call))


def _pieces(call: Wire) -> Iterator[Wire]:
    arguments = call["function"]["arguments"]
    half = len(arguments) // 2
    yield {**call, "function": {**call["function"], "arguments": ""}}
    for piece in (arguments[:half], arguments[half:]):
        if piece:
            yield {"index": call["index"], "function": {"arguments": piece}}


def _call(item: Wire, ids: Ids, odd: Wire) -> Wire:
    function = {"name": item["name"], "arguments": item["arguments"]}
    call = {"type": "function", "function": function}
    return {"id": item["call_id"] or ids.call(), **call} if odd["call_ids"] else call


def _said(step: Wire, kind: str) -> str | None:
    said = ["".join(item["deltas"]) for item in step["items"] if item["kind"] == kind]
    return "".join(said) if said else None


def _length(item: Wire) -> int:
    if item["kind"] == "tool_call":
        return len(item["name"]) + len(item["arguments"])
    return sum(len(delta) for delta in item["deltas"]) if item["kind"] in {"text", "refusal"} else 0


def _finish_reason(step: Wire, odd: Wire) -> str:
    end = step["end"]
    if odd["finish_reason"]:
        return str(odd["finish_reason"])
    if end["type"] == "incomplete":
        return "content_filter" if end["reason"] == "content_filter" else "length"
    return "tool_calls" if any(item["kind"] == "tool_call" for item in step["items"]) else "stop"


def _error(end: Wire) -> Wire:
    if end["type"] == "failed":
        error = {"message": end["message"], "type": "server_error", "param": None, "code": end["code"]}
        return {"error": error}
    event = answers.error_event(end)
    return {name: value for name, value in event.items() if name != "type"}


def _check_fields(body: Wire) -> Refusal | None:
    if body.get("stream_options") is not None and not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        return Refusal(status=400, message=message, param="stream_options")
    for name in ("tool_choice", "parallel_tool_calls"):
        if name in body and not body.get("tools"):
            message = f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified."
            return Refusal(status=400, message=message, param=name)
    if "max_tokens" in body and "max_completion_tokens" in body:
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        return Refusal(status=400, message=message)
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        message = "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled."
        return Refusal(status=400, message=message, param="top_logprobs")
    for index, tool in enumerate(body.get("tools") or []):
        if tool.get("type") == "function" and not (tool.get("function") or {}).get("name"):
            return missing(f"tools[{index}].function.name")
    response_format = body.get("response_format") or {}
    if response_format.get("type") == "json_schema" and not (response_format.get("json_schema") or {}).get("name"):
        return missing("response_format.json_schema.name")
    return None


def _check_messages(messages: list[Wire]) -> Refusal | None:
    pending: list[str] = []
    for index, message in enumerate(messages):
        role = message.get("role")
        if role == "tool":
            if message.get("tool_call_id") not in pending:
                told = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                return Refusal(status=400, message=f"Invalid parameter: {told}", param=f"messages.[{index}].role")
            pending.remove(message["tool_call_id"])
            continue
        if pending:
            return _unanswered(pending)
        if role not in {"assistant", "developer", "system", "user"}:
            return Refusal(status=400, message=f"Invalid value: '{role}'.", param=f"messages[{index}].role")
        if role != "assistant" and message.get("content") is None:
            return Refusal(status=400, message="Invalid value for 'content': expected a string, got null.")
        pending = [call["id"] for call in message.get("tool_calls") or ()]
    return _unanswered(pending) if pending else None


def _unanswered(pending: list[str]) -> Refusal:
    told = "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
    message = f"{told} The following tool_call_ids did not have response messages: {', '.join(pending)}"
    return Refusal(status=400, message=message, param="messages")


FIELDS = frozenset(
    {
        "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens",
        "max_tokens", "messages", "metadata", "modalities", "model", "moderation", "n", "parallel_tool_calls",
        "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
        "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream",
        "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity",
        "web_search_options",
    }
)  # fmt: skip
"""The top-level fields of a request that the service knows."""
