"""Checks of requests that the real service would reject, where they are cheap."""

import json
from dataclasses import dataclass
from typing import Any

from tests.service.history import Turn

Wire = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A request refused before it takes a step of the script."""

    status: int
    message: str
    code: str | None = None
    param: str | None = None

    def body(self) -> Wire:
        """Return the service's error object."""
        kind = "invalid_request_error"
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


def check_key(authorization: str | None, key: str | None) -> Refusal | None:
    """Refuse every key but `key`, where one is set; the refused key's ends come back in the message, as in reality."""
    if key is None or authorization == f"Bearer {key}":
        return None
    if authorization is None:
        return Refusal(status=401, message="You didn't provide an API key.")
    given = authorization.removeprefix("Bearer ")
    masked = f"{given[:7]}{'*' * max(0, len(given) - 11)}{given[-4:]}"
    return Refusal(status=401, message=f"Incorrect API key provided: {masked}.", code="invalid_api_key")


def check_request(body: Any, models: list[str] | None, *, fields: frozenset[str] | None = None) -> Refusal | None:
    """Refuse a body that is no object, has unknown or missing fields, or an unknown model."""
    if not isinstance(body, dict):
        return Refusal(status=400, message="We could not parse the JSON body of your request.")
    if unknown := sorted(body.keys() - (fields or FIELDS)):
        name = unknown[0]
        return Refusal(status=400, message=f"Unknown parameter: '{name}'.", code="unknown_parameter", param=name)
    model = body.get("model")
    if model is None and "prompt" not in body:
        return missing("model")
    if refusal := check_model(model, models):
        return refusal
    if not any(name in body for name in ("input", "prompt", "previous_response_id", "conversation")):
        return missing("input")
    return _check_tools(body)


def check_traces(headers: dict[str, str], body: Any) -> Refusal | None:
    """Reject anything but a list of traces and spans, and spans larger than the traces API accepts."""
    if headers.get("openai-beta") != "traces=v1":
        return Refusal(status=400, message="Missing header: OpenAI-Beta: traces=v1.")
    if not isinstance(body, dict) or not isinstance(body.get("data"), list) or body.keys() != {"data"}:
        return missing("data")
    for index, item in enumerate(body["data"]):
        place = f"data[{index}]"
        if item.get("object") == "trace":
            if unknown := item.keys() - {"object", "id", "workflow_name", "group_id", "metadata"}:
                return _unknown(f"{place}.{min(unknown)}")
        elif item.get("object") != "trace.span":
            return missing(f"{place}.object")
        elif refusal := _check_span(item["span_data"], f"{place}.span_data"):
            return refusal
    return None


def _check_span(data: Wire, place: str) -> Refusal | None:
    usage = data.get("usage")
    if usage is not None and (
        data["type"] != "generation" or usage.keys() - {"input_tokens", "output_tokens", "details"}
    ):
        return _unknown(f"{place}.usage")
    for name in ("input", "output"):
        if len(json.dumps(data.get(name), ensure_ascii=False).encode()) > LARGEST_IN_A_SPAN:
            return Refusal(status=400, message=f"'{place}.{name}' is too large.", param=f"{place}.{name}")
    return None


def _unknown(name: str) -> Refusal:
    return Refusal(status=400, message=f"Unknown parameter: '{name}'.", code="unknown_parameter", param=name)


def check_model(model: str | None, models: list[str] | None) -> Refusal | None:
    """Refuse a model that does not exist, where only some do."""
    if models is None or model in models:
        return None
    message = f"The requested model '{model}' does not exist."
    return Refusal(status=404, message=message, code="model_not_found", param="model")


def not_found(previous: str) -> Refusal:
    """Reject the continuation of an unknown response."""
    message = f"Previous response with id '{previous}' not found."
    code, param = "previous_response_not_found", "previous_response_id"
    return Refusal(status=400, message=message, code=code, param=param)


def missing(name: str) -> Refusal:
    """Refuse a request that lacks a field."""
    message = f"Missing required parameter: '{name}'."
    return Refusal(status=400, message=message, code="missing_required_parameter", param=name)


def _check_tools(body: Wire) -> Refusal | None:
    for index, tool in enumerate(body.get("tools") or []):
        if tool.get("type") == "function" and not tool.get("name"):
            return missing(f"tools[{index}].name")
    text_format = (body.get("text") or {}).get("format") or {}
    if text_format.get("type") == "json_schema":
        for name in ("name", "schema"):
            if name not in text_format:
                return missing(f"text.format.{name}")
    return None


def check_items(items: list[Wire], parent: Turn | None) -> Refusal | None:
    """Refuse items that do not fit together, or not to the turns that they continue."""
    open_calls = dict.fromkeys(() if parent is None else parent.open_calls)
    seen_calls: set[str] = set()
    seen_ids: set[str] = set()
    for index, item in enumerate(items):
        if not isinstance(item, dict) or not ("type" in item or "role" in item):
            return Refusal(status=400, message=f"Invalid value: 'input[{index}]'.", param=f"input[{index}]")
        if (item_id := item.get("id")) is not None:
            if item_id in seen_ids or (parent is not None and parent.has(item_id)):
                message = f"Duplicate item found with id {item_id}. Remove duplicate items from your input."
                return Refusal(status=400, message=message, param="input")
            seen_ids.add(item_id)
        if item.get("type") == "function_call":
            if lacking := [name for name in ("call_id", "name", "arguments") if not isinstance(item.get(name), str)]:
                return missing(f"input[{index}].{lacking[0]}")
            open_calls[item["call_id"]] = None
            seen_calls.add(item["call_id"])
        elif item.get("type") == "function_call_output":
            call_id = item.get("call_id")
            if call_id not in seen_calls and not (parent is not None and parent.called(str(call_id))):
                message = f"No tool call found for function call output with call_id {call_id}."
                return Refusal(status=400, message=message, param="input")
            open_calls.pop(str(call_id), None)
    if open_calls:
        message = f"No tool output found for function call {next(iter(open_calls))}."
        return Refusal(status=400, message=message, param="input")
    return None


LARGEST_IN_A_SPAN = 100_000
"""The most bytes of JSON that a span's input or output may have."""

FIELDS = frozenset(
    {
        "background", "context_management", "conversation", "include", "input", "instructions", "max_output_tokens",
        "max_tool_calls", "metadata", "model", "moderation", "parallel_tool_calls", "previous_response_id", "prompt",
        "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning", "safety_identifier",
        "service_tier", "store", "stream", "stream_options", "temperature", "text", "tool_choice", "tools",
        "top_logprobs", "top_p", "truncation", "user",
    }
)  # fmt: skip
"""The top-level fields of a request that the service knows."""
