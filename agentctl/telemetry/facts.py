"""The facts of a span that an export needs, and the name and the attributes that the conventions give it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from agentctl._dataclass import dataclass
from agentctl.redaction import redact_data
from agentctl.tracing.span_data import GenerationSpanData, ResponseSpanData
from agentctl.tracing.spans import Span

from . import conventions as names

_KINDS = {"task": "run", "response": "model", "generation": "model", "function": "tool"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanFacts:
    """A span that has ended."""

    trace_id: str
    id: str
    parent_id: str | None
    kind: str
    """run, agent, turn, model, tool, or another kind."""
    name: str
    started: float
    ended: float
    data: Mapping[str, Any]
    details: Mapping[str, Any]
    error: Mapping[str, Any] | None

    @property
    def title(self) -> str:
        """The name of the span by the conventions."""
        operation = _OPERATIONS.get(self.kind, self.kind)
        return f"{operation} {self.name}".strip()

    def attributes(self) -> dict[str, Any]:
        """Return the attributes of the span by the conventions, with our own for what they do not have."""
        found: dict[str, Any] = {names.TRACE_ID: self.trace_id}
        if self.kind in _OPERATIONS:
            found[names.OPERATION_NAME] = _OPERATIONS[self.kind]
        match self.kind:
            case "run":
                found[names.WORKFLOW_NAME] = self.name
            case "agent":
                found[names.AGENT_NAME] = self.name
            case "model":
                found |= self._model()
            case "tool":
                found |= {
                    names.TOOL_NAME: self.name,
                    names.TOOL_TYPE: "function",
                    names.TOOL_CALL_ARGUMENTS: _text(self.data.get("input")),
                    names.TOOL_CALL_RESULT: _text(self.data.get("output")),
                }
            case _:
                found |= {f"{names.OWN}{self.kind}.{name}": _scalar(value) for name, value in self._rest().items()}
        if self.error is not None:
            found[names.ERROR_TYPE] = str(self.error.get("message"))
        masked = redact_data({name: value for name, value in found.items() if value is not None})
        assert isinstance(masked, dict)
        return masked

    def metric_attributes(self) -> dict[str, Any]:
        """Return the attributes of the metrics of a model call."""
        wanted = (names.PROVIDER_NAME, names.REQUEST_MODEL, names.SERVER_ADDRESS, names.ERROR_TYPE)
        found = self.attributes()
        return {names.OPERATION_NAME: names.CHAT, **{name: found[name] for name in wanted if name in found}}

    def tokens(self) -> dict[str, int]:
        """Return the tokens of a model call, by `input` and `output`."""
        usage = self._usage()
        counts = {kind: usage.get(f"{kind}_tokens") for kind in ("input", "output")}
        return {kind: count for kind, count in counts.items() if isinstance(count, int)}

    def _usage(self) -> Mapping[str, Any]:
        """Return the usage of a model call; empty if it failed before the service counted any tokens."""
        usage = self.data.get("usage")
        if not isinstance(usage, Mapping) or (self.error is not None and usage.get("total_tokens") == 0):
            return {}
        return usage

    def _model(self) -> dict[str, Any]:
        url = urlsplit(str(self.details.get("endpoint") or ""))
        host = url.hostname
        usage = self._usage()
        read, written = (usage.get(f"{kind}_tokens_details") or {} for kind in ("input", "output"))
        return {
            names.PROVIDER_NAME: names.PROVIDERS.get(host or "", host or "agentctl"),
            names.REQUEST_MODEL: self.details.get("model") or self.data.get("model"),
            names.RESPONSE_ID: self.data.get("response_id"),
            names.SERVER_ADDRESS: host,
            names.SERVER_PORT: url.port or ({"https": 443, "http": 80}.get(url.scheme) if host else None),
            names.USAGE_INPUT_TOKENS: usage.get("input_tokens"),
            names.USAGE_OUTPUT_TOKENS: usage.get("output_tokens"),
            names.USAGE_CACHE_READ_INPUT_TOKENS: read.get("cached_tokens"),
            names.USAGE_CACHE_CREATION_INPUT_TOKENS: read.get("cache_write_tokens"),
            names.USAGE_REASONING_OUTPUT_TOKENS: written.get("reasoning_tokens"),
            names.RESPONSE_TIME_TO_FIRST_CHUNK: self.details.get("first_token_seconds"),
            names.INPUT_MESSAGES: _messages(self.data.get("input")),
            names.OUTPUT_MESSAGES: _messages(self.data.get("output")),
            f"{names.OWN}transport": self.details.get("transport"),
            f"{names.OWN}retries": len(self.details["retries"]) if self.details.get("retries") else None,
        }

    def _rest(self) -> dict[str, Any]:
        inner = self.data.get("data")
        rest = {**self.data, **(inner if isinstance(inner, Mapping) else {}), **self.details}
        return {name: value for name, value in rest.items() if name not in ("type", "name", "data", "sdk_span_type")}


_OPERATIONS = {
    "run": names.INVOKE_WORKFLOW,
    "agent": names.INVOKE_AGENT,
    "model": names.CHAT,
    "tool": names.EXECUTE_TOOL,
}


def facts_of(span: Span[Any]) -> SpanFacts:
    """Return the facts of a recorded span that has ended."""
    data = span.span_data
    exported = data.export()
    if isinstance(data, ResponseSpanData | GenerationSpanData):
        output = data.output
        exported = {**exported, "input": data.input, "output": output}
    details = span.details or {}
    kind = _KINDS.get(data.type, data.type)
    name = str(details.get("model") or exported.get("model") or "") if kind == "model" else exported.get("name")
    if kind in ("run", "turn"):
        inner = exported["data"]
        name = str(inner.get("turn" if kind == "turn" else "name", ""))
    return SpanFacts(
        trace_id=span.trace_id,
        id=span.span_id,
        parent_id=span.parent_id,
        kind=kind if kind != "custom" else str(exported.get("name")),
        name="" if kind == "custom" else str(name or ""),
        started=span.start_seconds,
        ended=span.end_seconds,
        data=exported,
        details=details,
        error=span.error,
    )


def _messages(items: Any) -> str | None:
    """Return the items of a model call as the JSON of messages that the conventions describe."""
    if items is None:
        return None
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    return _text([_message(item) for item in items if isinstance(item, Mapping)])


def _message(item: Mapping[str, Any]) -> dict[str, Any]:
    match item.get("type"):
        case "function_call":
            part = {"type": "tool_call", "id": item.get("call_id"), "name": item.get("name")}
            return {"role": "assistant", "parts": [{**part, "arguments": item.get("arguments")}]}
        case "function_call_output":
            part = {"type": "tool_call_response", "id": item.get("call_id"), "response": item.get("output")}
            return {"role": "tool", "parts": [part]}
    if "role" not in item:
        return {"role": "assistant", "parts": [dict(item)]}
    content = item.get("content")
    parts = [{"text": content}] if isinstance(content, str) else content or []
    return {"role": item["role"], "parts": [_part(part) for part in parts if isinstance(part, Mapping)]}


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    text = part.get("text")
    return {"type": "text", "content": text} if isinstance(text, str) else dict(part)


def _scalar(value: Any) -> Any:
    return value if value is None or isinstance(value, str | bool | int | float) else _text(value)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(redact_data(value), default=str, ensure_ascii=False)
