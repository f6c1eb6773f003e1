"""The JSON Schema of the machine output: of each event of `--format jsonl`, and of the document of `--format json`."""

from __future__ import annotations

from typing import TypeAlias

from agentctl.agent.wire import JSONValue
from agentctl.errors import EXITS
from agentctl.version import SCHEMA_VERSION

Fields: TypeAlias = dict[str, JSONValue]

_TEXT: JSONValue = {"type": "string"}
_TEXT_OR_NULL: JSONValue = {"type": ["string", "null"]}
_COUNT: JSONValue = {"type": "integer", "minimum": 0}
_SECONDS: JSONValue = {"type": "number", "minimum": 0}
_ITEM: JSONValue = {"type": "object", "description": "An item as the Responses API gives it.", "required": ["type"]}

_ERROR: JSONValue = {
    "type": "object",
    "properties": {
        "type": _TEXT,
        "message": _TEXT,
        "status": {"type": ["integer", "null"], "description": "The HTTP status, where there was one."},
        "code": _TEXT_OR_NULL,
        "request_id": _TEXT_OR_NULL,
        "retry_after": {"type": ["number", "null"], "description": "Seconds, where the service said."},
    },
    "required": ["type", "message", "status", "code", "request_id", "retry_after"],
}

_USAGE: JSONValue = {
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
            "description": "What went over WebSockets; absent where nothing did.",
            "properties": {
                "full": {**_COUNT, "description": "Requests with the whole input."},
                "delta": {**_COUNT, "description": "Requests with only what the service did not have."},
                "opened": {**_COUNT, "description": "Sockets opened."},
                "reused": {**_COUNT, "description": "Times that an open socket was at hand."},
                "recovered": {**_COUNT, "description": "Times that a loss was made up for by the whole input."},
                "bytes_sent": {**_COUNT, "description": "Bytes of all requests, as JSON."},
            },
        },
    },
    "required": ["requests", "input_tokens", "output_tokens", "total_tokens"],
}

FINISHED: Fields = {
    "outcome": {"enum": sorted({row.outcome.value for row in EXITS})},
    "exit_code": {"enum": [row.code for row in EXITS]},
    "final_output": {"description": "Text, or JSON where the agent has an output type; null where there is none."},
    "agent": {**_TEXT_OR_NULL, "description": "The agent that had the last word."},
    "model": {**_TEXT_OR_NULL, "description": "The model that was asked last."},
    "usage": {"$ref": "#/$defs/usage"},
    "response_id": _TEXT_OR_NULL,
    "ticket": {**_TEXT_OR_NULL, "description": "What a suspended run goes on from: an id or a file; else null."},
    "session_id": {**_TEXT_OR_NULL, "description": "The session in which the run is kept; null where it is not."},
    "error": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/error"}]},
}
"""How a run ended: what `run.finished` and the document of `--format json` share."""

EVENTS: dict[str, tuple[str, Fields]] = {
    "run.started": (
        "The run began.",
        {"agent": _TEXT, "max_turns": {"type": ["integer", "null"], "description": "The turn limit; null is none."}},
    ),
    "agent.started": ("An agent took over: the first one at the start.", {"agent": _TEXT}),
    "model.requested": (
        "A model call is about to be made.",
        {"agent": _TEXT, "model": _TEXT, "turn": {"type": "integer", "minimum": 1}},
    ),
    "text.delta": ("A piece of the text of a message.", {"item_id": _TEXT_OR_NULL, "delta": _TEXT}),
    "reasoning.delta": ("A piece of the model's reasoning.", {"item_id": _TEXT_OR_NULL, "delta": _TEXT}),
    "message": ("A whole message of the model.", {"agent": _TEXT, "item": _ITEM}),
    "tool.called": (
        "The model called a tool, or asked for a handoff, which is called as one.",
        {"agent": _TEXT, "tool": _TEXT, "item": _ITEM},
    ),
    "tool.output": (
        "A tool gave its output, or what the model is told of its failure.",
        {"agent": _TEXT, "tool": _TEXT_OR_NULL, "failed": {"type": "boolean"}, "item": _ITEM},
    ),
    "handoff": (
        "The conversation went from one agent to another.",
        {"from": _TEXT, "to": _TEXT, "item": {**_ITEM, "description": "The output of the call that asked for it."}},
    ),
    "guardrail": (
        "A guardrail came to its verdict.",
        {
            "agent": _TEXT,
            "stage": {
                "enum": ["input", "output", "tool_input", "tool_output"],
                "description": "What it checked: the run's input or final output, or what goes into or out of a tool.",
            },
            "name": _TEXT,
            "tripwire_triggered": {"type": "boolean", "description": "Whether it stops the run."},
        },
    ),
    "approval.required": (
        "A call waits for somebody's yes; whether it gets one, `tool.output` or `run.finished` says.",
        {"agent": _TEXT, "tool": _TEXT, "call_id": _TEXT, "item": _ITEM},
    ),
    "retry": (
        "A model call failed, and is made again after a wait.",
        {
            "attempt": {"type": "integer", "minimum": 1},
            "max_retries": _COUNT,
            "delay": {**_SECONDS, "description": "Seconds to wait."},
            "error": {"$ref": "#/$defs/error"},
        },
    ),
    "warning": ("Something to know that does not stop the run.", {"message": _TEXT}),
    "run.finished": ("The run ended, in whatever way: always the last event, and exactly one.", FINISHED),
}
"""Event type -> (what it says, the fields that it has beside those of every event)."""


def schema() -> dict[str, JSONValue]:
    """Return the schema of one machine document: an event, or the document at the end. Unknown fields are allowed."""
    version = {"const": SCHEMA_VERSION}
    document = {"schema_version": version, "run_id": _TEXT, **FINISHED}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Machine output of agentctl",
        "description": "One line of `--format jsonl` (an event), or the document of `--format json`.",
        "schema_version": SCHEMA_VERSION,
        "anyOf": [{"$ref": "#/$defs/document"}, *({"$ref": f"#/$defs/{name}"} for name in EVENTS)],
        "$defs": {
            "document": {
                **_object(document),
                "description": "How a run ended.",
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
        "seq": {**_COUNT, "description": "Counts the events of the run from 0."},
        "time": {"type": "string", "format": "date-time", "description": "UTC."},
        "run_id": _TEXT,
    }
    return {"description": description, **_object(common | fields)}


def _object(fields: Fields) -> dict[str, JSONValue]:
    return {"type": "object", "properties": fields, "required": list(fields)}
