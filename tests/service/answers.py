"""Response events for a step and a request, independent of the transport."""

import time
from collections.abc import Iterator
from typing import Any

from tests.service.history import characters, tokens
from tests.service.state import Ids

Wire = dict[str, Any]


def events(step: Wire, request: Wire, ids: Ids, *, known: int = 0) -> Iterator[Wire]:
    """Yield the events of a whole response, numbered; `known` is how many characters the model reads."""
    for number, event in enumerate(_events(step, request, ids, known)):
        yield {**event, "sequence_number": number}


def warm_up(request: Wire, ids: Ids, *, known: int) -> Iterator[Wire]:
    """Yield the events of a response that generates nothing."""
    begun = response_object(request, ids.new("resp"))
    yield {"type": "response.created", "response": begun, "sequence_number": 0}
    done = {**begun, **_ending({"type": "completed"}), "usage": usage(known, [])}
    yield {"type": "response.completed", "response": done, "sequence_number": 1}


def response_object(request: Wire, response_id: str, **fields: Any) -> Wire:
    """Return a response as the service describes it: what was asked, with defaults filled in, and `fields` on top."""
    asked = {name: request[name] for name in _ECHOED if name in request}
    identity = {"id": response_id, "object": "response", "created_at": int(time.time()), "status": "in_progress"}
    return {**identity, **_DEFAULTS, **asked, **fields}


def usage(known: int, output: list[Wire]) -> Wire:
    """Return token counts that grow with what the model reads and writes."""
    tokens_in, tokens_out = max(1, tokens(known)), tokens(sum(characters(item) for item in output))
    return {
        "input_tokens": tokens_in,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": tokens_out,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens_in + tokens_out,
    }


def error_event(end: Wire) -> Wire:
    """Return an `error` event in the form that the step asks for."""
    code, message, kind, status = end["code"], end["message"], end["kind"], end["status"]
    nested = {"type": kind, "code": code, "message": message, "param": end["param"]}
    if end["headers"]:
        nested["headers"] = end["headers"]
    forms: dict[str, Wire] = {
        "nested": {"error": nested},
        "flat": {"code": code, "message": message, "param": end["param"]},
        "status": {"status": status, "error": nested},
        "status_code": {"status_code": status, "error": nested},
        "detail": {"error": {"detail": message}},
    }
    return {"type": "error", **forms[end["form"]]}


def with_delta(event: Wire, delta: str) -> Wire:
    """Return a delta event with other text, and a number to be filled in."""
    return {**event, "delta": delta, "sequence_number": "NUMBER"}


def _events(step: Wire, request: Wire, ids: Ids, known: int) -> Iterator[Wire]:
    response_id = ids.new("resp")
    end = step["end"]
    if not step.get("bare"):
        begun = response_object(request, response_id)
        yield {"type": "response.created", "response": begun}
        yield {"type": "response.in_progress", "response": begun}
    output: list[Wire] = []
    for index, item in enumerate(step["items"]):
        body, done = _item(item, ids)
        if end["type"] == "incomplete" and index == len(step["items"]) - 1:
            done["status"] = "incomplete"
        yield {"type": "response.output_item.added", "output_index": index, "item": _opened(done)}
        for event in body:
            yield {**event, "output_index": index, "item_id": done["id"]}
        yield {"type": "response.output_item.done", "output_index": index, "item": done}
        output.append(done)
    if end["type"] == "error":
        yield error_event(end)
        return
    fields = {"output": output, "usage": usage(known, output), **_ending(end), **step.get("overlay", {})}
    yield {"type": f"response.{end['type']}", "response": response_object(request, response_id, **fields)}


def _ending(end: Wire) -> Wire:
    match end["type"]:
        case "incomplete":
            return {"status": "incomplete", "incomplete_details": {"reason": end["reason"]}}
        case "failed":
            return {"status": "failed", "error": {"code": end["code"], "message": end["message"]}, "usage": None}
        case _:
            return {"status": "completed", "completed_at": int(time.time())}


def _item(item: Wire, ids: Ids) -> tuple[list[Wire], Wire]:
    """Return the events between an item's `added` and `done`, without their place, and the finished item."""
    match item["kind"]:
        case "text":
            return _text(item["deltas"], ids)
        case "refusal":
            return _refusal(item["deltas"], ids)
        case "tool_call":
            return _tool_call(item, ids)
        case "reasoning":
            return _reasoning(item["deltas"], ids)
        case _:
            return [], {"id": ids.new("item"), **item["item"]}


def _text(deltas: list[str], ids: Ids) -> tuple[list[Wire], Wire]:
    whole = "".join(deltas)
    empty = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
    at = {"content_index": 0}
    body: list[Wire] = [{"type": "response.content_part.added", **at, "part": empty}]
    body += [{"type": "response.output_text.delta", **at, "delta": delta, "logprobs": []} for delta in deltas]
    body.append({"type": "response.output_text.done", **at, "text": whole, "logprobs": []})
    body.append({"type": "response.content_part.done", **at, "part": {**empty, "text": whole}})
    return body, _message({**empty, "text": whole}, ids)


def _refusal(deltas: list[str], ids: Ids) -> tuple[list[Wire], Wire]:
    whole = "".join(deltas)
    at = {"content_index": 0}
    body: list[Wire] = [{"type": "response.content_part.added", **at, "part": {"type": "refusal", "refusal": ""}}]
    body += [{"type": "response.refusal.delta", **at, "delta": delta} for delta in deltas]
    body.append({"type": "response.refusal.done", **at, "refusal": whole})
    body.append({"type": "response.content_part.done", **at, "part": {"type": "refusal", "refusal": whole}})
    return body, _message({"type": "refusal", "refusal": whole}, ids)


def _message(part: Wire, ids: Ids) -> Wire:
    return {"id": ids.new("msg"), "type": "message", "status": "completed", "role": "assistant", "content": [part]}


def _tool_call(item: Wire, ids: Ids) -> tuple[list[Wire], Wire]:
    arguments = item["arguments"]
    half = len(arguments) // 2
    body: list[Wire] = [
        {"type": "response.function_call_arguments.delta", "delta": piece}
        for piece in (arguments[:half], arguments[half:])
        if piece
    ]
    body.append({"type": "response.function_call_arguments.done", "name": item["name"], "arguments": arguments})
    call = {"id": ids.new("fc"), "type": "function_call", "status": "completed", "name": item["name"]}
    return body, {**call, "call_id": item["call_id"] or ids.call(), "arguments": arguments}


def _reasoning(deltas: list[str], ids: Ids) -> tuple[list[Wire], Wire]:
    whole = "".join(deltas)
    at = {"summary_index": 0}
    part = {"type": "summary_text", "text": whole}
    body: list[Wire] = [{"type": "response.reasoning_summary_part.added", **at, "part": {**part, "text": ""}}]
    body += [{"type": "response.reasoning_summary_text.delta", **at, "delta": delta} for delta in deltas]
    body.append({"type": "response.reasoning_summary_text.done", **at, "text": whole})
    body.append({"type": "response.reasoning_summary_part.done", **at, "part": part})
    return body, {"id": ids.new("rs"), "type": "reasoning", "summary": [part], "encrypted_content": None}


def _opened(done: Wire) -> Wire:
    match done["type"]:
        case "message":
            return {**done, "status": "in_progress", "content": []}
        case "function_call":
            return {**done, "status": "in_progress", "arguments": ""}
        case "reasoning":
            return {**done, "summary": []}
        case _:
            return {**done, "status": "in_progress"}


_DEFAULTS: Wire = {
    "background": False,
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "model": "gpt-5-mini",
    "output": [],
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "usage": None,
    "user": None,
}
_ECHOED = frozenset(_DEFAULTS) - {"background", "error", "incomplete_details", "output", "usage"}
