"""The JSON Schema of machine output: the events of `--format jsonl` and the document of `--format json`."""

from __future__ import annotations

from typing import TypeAlias

from agentctl.agent.wire import JSONValue
from agentctl.errors import EXITS
from agentctl.version import SCHEMA_VERSION

Fields: TypeAlias = dict[str, JSONValue]

_TEXT: Fields = {"type": "string"}
_TEXT_OR_NULL: Fields = {"type": ["string", "null"]}
_COUNT: Fields = {"type": "integer", "minimum": 0}
_SECONDS: Fields = {"type": "number", "minimum": 0}
_ITEM: Fields = {"type": "object", "description": "An item as the Responses API returns it.", "required": ["type"]}

_ERROR: Fields = {
    "type": "object",
    "properties": {
        "type": _TEXT,
        "message": _TEXT,
        "status": {"type": ["integer", "null"], "description": "The HTTP status; null if there was no response."},
        "code": _TEXT_OR_NULL,
        "request_id": _TEXT_OR_NULL,
        "retry_after": {
            "type": ["number", "null"],
            "description": "Seconds to wait, as the service requested; else null.",
        },
        "calls": {
            "type": "array",
            "description": "The calls that need approval, if the run was denied.",
            "items": {
                "type": "object",
                "properties": {"agent": _TEXT, "tool": _TEXT_OR_NULL, "call_id": _TEXT_OR_NULL, "item": _ITEM},
            },
        },
        "unmatched": {
            "type": "array",
            "description": "The rules of `--allow` that name the tool of such a call and do not match it.",
            "items": _TEXT,
        },
        "allow": {"type": "array", "description": "Values of `--allow` that would allow these calls.", "items": _TEXT},
        "reply": {**_TEXT, "description": "The text of the model, if that is invalid."},
    },
    "required": ["type", "message", "status", "code", "request_id", "retry_after"],
}

_USAGE: Fields = {
    "type": "object",
    "properties": {
        "requests": _COUNT,
        "input_tokens": _COUNT,
        "input_tokens_details": {
            "type": "object",
            "properties": {"cached_tokens": _COUNT, "cache_write_tokens": _COUNT},
        },
        "output_tokens": _COUNT,
        "output_tokens_details": {"type": "object", "properties": {"reasoning_tokens": _COUNT}},
        "total_tokens": _COUNT,
        "transport": {
            "type": "object",
            "description": "WebSocket statistics; absent if no WebSocket was used.",
            "properties": {
                "full": {**_COUNT, "description": "Requests with the whole input."},
                "delta": {**_COUNT, "description": "Requests with only the new input."},
                "opened": {**_COUNT, "description": "Sockets opened."},
                "reused": {**_COUNT, "description": "Requests that used an open socket."},
                "recovered": {
                    **_COUNT,
                    "description": "Requests repeated with the whole input after lost server state.",
                },
                "bytes_sent": {**_COUNT, "description": "Bytes of all requests, as JSON."},
            },
        },
    },
    "required": ["requests", "input_tokens", "output_tokens", "total_tokens"],
}

FINISHED: Fields = {
    "outcome": {"enum": [*sorted({row.outcome.value for row in EXITS})]},
    "exit_code": {"enum": [row.code for row in EXITS]},
    "final_output": {"description": "Text, or JSON if the agent has an output type; null if there is no output."},
    "agent": {**_TEXT_OR_NULL, "description": "The agent that ran last."},
    "model": {**_TEXT_OR_NULL, "description": "The model of the last request."},
    "failed_calls": {**_COUNT, "description": "The number of tool calls that failed."},
    "usage": {"$ref": "#/$defs/usage"},
    "cost_usd": {"type": ["number", "null"], "minimum": 0, "description": "The cost in USD; null if it is not known."},
    "cost_basis": {
        **_TEXT_OR_NULL,
        "description": "The source of the prices, or the reason why the cost is not known; null without a model call.",
    },
    "response_id": _TEXT_OR_NULL,
    "ticket": {
        **_TEXT_OR_NULL,
        "description": "The ticket from which a suspended run can be resumed: an id or a file; else null.",
    },
    "session_id": {**_TEXT_OR_NULL, "description": "The session in which the run is saved; null if it is not saved."},
    "trace_id": {**_TEXT_OR_NULL, "description": "The trace of the run; null if it is not traced."},
    "error": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/error"}]},
}
"""The outcome of a run: the fields that `run.finished` and the document of `--format json` share."""

EVENTS: dict[str, tuple[str, Fields]] = {
    "run.started": (
        "The run began.",
        {
            "agent": _TEXT,
            "max_turns": {"type": ["integer", "null"], "description": "The turn limit; null means no limit."},
        },
    ),
    "agent.started": ("An agent took over; the first one does so when the run starts.", {"agent": _TEXT}),
    "model.requested": (
        "A model call is about to be made.",
        {"agent": _TEXT, "model": _TEXT, "turn": {"type": "integer", "minimum": 1}},
    ),
    "text.delta": ("Part of the text of a message.", {"item_id": _TEXT_OR_NULL, "delta": _TEXT}),
    "reasoning.delta": ("Part of the model's reasoning.", {"item_id": _TEXT_OR_NULL, "delta": _TEXT}),
    "message": ("A complete message from the model.", {"agent": _TEXT, "item": _ITEM}),
    "tool.called": (
        "The model called a tool, or requested a handoff, which is also a tool call.",
        {"agent": _TEXT, "tool": _TEXT, "item": _ITEM},
    ),
    "tool.output": (
        "A tool returned its output, or failed and returned the error text for the model.",
        {"agent": _TEXT, "tool": _TEXT_OR_NULL, "failed": {"type": "boolean"}, "item": _ITEM},
    ),
    "handoff": (
        "The conversation was handed off to another agent.",
        {"from": _TEXT, "to": _TEXT, "item": {**_ITEM, "description": "The output of the handoff call."}},
    ),
    "guardrail": (
        "A guardrail finished its check.",
        {
            "agent": _TEXT,
            "stage": {
                "enum": ["input", "output", "tool_input", "tool_output"],
                "description": "The checked value: the input or final output of the run, or that of a tool.",
            },
            "name": _TEXT,
            "tripwire_triggered": {"type": "boolean", "description": "Whether it stops the run."},
        },
    ),
    "approval.required": (
        "A tool call needs approval; `tool.output` or `run.finished` shows the outcome.",
        {"agent": _TEXT, "tool": _TEXT, "call_id": _TEXT, "item": _ITEM},
    ),
    "retry": (
        "A model call failed and will be retried after a delay.",
        {
            "attempt": {"type": "integer", "minimum": 1},
            "max_retries": _COUNT,
            "delay": {**_SECONDS, "description": "Seconds to wait."},
            "error": {"$ref": "#/$defs/error"},
        },
    ),
    "warning": ("A problem that does not stop the run.", {"message": _TEXT}),
    "run.finished": ("The run ended, successfully or not: always exactly one, and the last event.", FINISHED),
}
"""Event type -> (description, fields besides those that all events have)."""


def schema() -> dict[str, JSONValue]:
    """Return the schema of one machine document: an event or the final document. Unknown fields are allowed."""
    document: Fields = {"schema_version": {"const": SCHEMA_VERSION}, "run_id": _TEXT, **FINISHED}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Machine output of agentctl",
        "description": "One line of `--format jsonl` (an event), or the document of `--format json`.",
        "schema_version": SCHEMA_VERSION,
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in ("document", *EVENTS)],
        "$defs": {
            "document": {
                **_object(document),
                "description": "The outcome of a run.",
                "not": {"required": ["type"]},
            },
            **{name: _event(name) for name in EVENTS},
            "error": _ERROR,
            "usage": _USAGE,
        },
    }


def _event(name: str) -> dict[str, JSONValue]:
    description, fields = EVENTS[name]
    common: Fields = {
        "type": {"const": name},
        "schema_version": {"const": SCHEMA_VERSION},
        "seq": {**_COUNT, "description": "The number of the event in the run, from 0."},
        "time": {"type": "string", "format": "date-time", "description": "UTC."},
        "run_id": _TEXT,
    }
    return {"description": description, **_object(common | fields)}


def _object(fields: Fields) -> dict[str, JSONValue]:
    return {"type": "object", "properties": fields, "required": list(fields)}
