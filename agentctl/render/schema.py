"""The JSON Schema of machine output: the events of a run, and the documents of runs and of other commands.

`EVENTS`, and `DOCUMENTS` for other commands, are the registry: tests fail for an event, a document or a field that it
does not have, and for a table of docs/events.md that differs from it.
"""

from __future__ import annotations

from agentctl.agent.wire import JSONValue
from agentctl.errors import EXITS
from agentctl.version import SCHEMA_VERSION

from .documents import DOCUMENTS, PROGRESS
from .schema_fields import (
    Fields,
    amount,
    any_object,
    any_value,
    array,
    count,
    flag,
    item,
    nullable,
    object_of,
    open_enum,
    ordinal,
    reference,
    text,
    text_or_null,
    texts,
    time,
)

_AGENT = text("The name of the agent.")
_CALL_ID = text("The id of the call.")
_DELTA = text("The text; it continues the delta before it with the same `item_id`.")
_COST = nullable(amount("The cost in USD; null if it is not known."))
_COST_BASIS = text_or_null(
    "The source of the prices, or the reason why the cost is not known; null without a model call."
)

CALL: Fields = {
    "agent": _AGENT,
    "tool": text_or_null("The name of the tool."),
    "call_id": text_or_null("The id of the call."),
    "item": item("The call, as the Responses API returns it."),
}
"""A call that needs approval."""

DIFFERENCE: Fields = {
    "part": text("`instructions`, `tools`, `history`, `settings`, `model`, `agent` or `code`."),
    "place": text("The place in that part; empty for all of it."),
    "recorded": text_or_null("The recorded value, around the difference; null without one."),
    "replayed": text_or_null("The value of the replayed run, around the difference; null without one."),
}
"""A difference between a replayed run and its recording."""

ERROR: Fields = {
    "type": text("The name of the exception."),
    "message": text("What is wrong, and what to do."),
    "status": nullable(count("The HTTP status; null if there was no response.")),
    "code": text_or_null("The service's code of the error."),
    "request_id": text_or_null("The service's id of the request."),
    "retry_after": nullable(amount("Seconds to wait, as the service requested; else null.")),
    "calls?": array(object_of(CALL), "The calls that need approval, if the run was denied."),
    "unmatched?": texts("The rules of `--allow` that name the tool of such a call and do not match it."),
    "allow?": texts("Values of `--allow` that would allow these calls."),
    "reply?": text("The text of the model, if that is invalid."),
    "differences?": array(object_of(DIFFERENCE), "The differences between a replayed run and its recording."),
}
"""An error: what ended the run, or why a model call is retried."""

_TRANSPORT: Fields = {
    "full": count("Requests with the whole input."),
    "delta": count("Requests with only the new input."),
    "opened": count("Sockets opened."),
    "reused": count("Requests that used an open socket."),
    "recovered": count("Requests repeated with the whole input after lost server state."),
    "bytes_sent": count("Bytes of all requests, as JSON."),
}

USAGE: Fields = {
    "requests": count("Model calls."),
    "input_tokens": count("Tokens of the input, cached ones included."),
    "input_tokens_details": object_of(
        {
            "cached_tokens": count("Tokens that the service read from its cache."),
            "cache_write_tokens": count("Tokens that the service wrote to its cache."),
        }
    ),
    "output_tokens": count("Tokens of the output, reasoning included."),
    "output_tokens_details": object_of({"reasoning_tokens": count("Tokens of the reasoning.")}),
    "total_tokens": count("Input and output tokens."),
    "transport?": object_of(_TRANSPORT, "WebSocket statistics; absent if no WebSocket was used."),
}
"""The tokens of a run or of a model call."""

FINISHED: Fields = {
    "outcome": open_enum(
        sorted({row.outcome.value for row in EXITS}), "The way the run ended; each has its exit code."
    ),
    "exit_code": {"type": "integer", "minimum": 0, "maximum": 255, "description": "The exit code of the process."},
    "final_output": any_value("Text, or JSON if the agent has an output type; null if there is no output."),
    "agent": text_or_null("The agent that ran last; null if none did."),
    "model": text_or_null("The model of the last request; null if there was none."),
    "failed_calls": count("The number of tool calls that failed."),
    "usage": reference("usage", "The tokens of the whole run."),
    "cost_usd": _COST,
    "cost_basis": _COST_BASIS,
    "response_id": text_or_null("The service's id of the last response."),
    "ticket": text_or_null("The ticket from which a suspended run can be resumed: an id or a file; else null."),
    "session_id": text_or_null("The session in which the run is saved; null if it is not saved."),
    "trace_id": text_or_null("The trace of the run; null if it is not traced."),
    "error": {
        "anyOf": [{"type": "null"}, {"$ref": "#/$defs/error"}],
        "description": "The error that ended the run; null if it has a final output.",
    },
}
"""The outcome of a run: the fields that `run.finished` and the document of `--format json` share."""

HEAD: Fields = {
    "type": text("The type of the event. Later releases may add types; readers skip those that they do not know."),
    "schema_version": {"type": "integer", "const": SCHEMA_VERSION, "description": "The version of this schema."},
    "seq": count("The number of the event in the run, from 0, without gaps."),
    "time": time("The time in UTC, with milliseconds."),
    "run_id": text("The id of the run, or of the command of a batch; what is resumed has a new one."),
}
"""The fields of every event."""

ROW: Fields = {
    "id": text("The id of the row."),
    "row": any_object("The row of the input."),
    "outcome": FINISHED["outcome"],
    "exit_code": nullable(count("The exit code that a run of the row would have; null if it has not ended.")),
    "final_output": FINISHED["final_output"],
    "usage": {
        "anyOf": [{"type": "null"}, {"$ref": "#/$defs/usage"}],
        "description": "The tokens of the row; null if it has no result.",
    },
    "cost_usd": _COST,
    "attempts": count("How often it was begun."),
    "seconds": nullable(amount("How long it ran; null if it has no result.")),
    "trace_id": text_or_null("The trace of the row; null if it is not kept."),
    "error": FINISHED["error"],
    "ticket?": text("The ticket of a row that waits for approval."),
}
"""A row of a batch, and its result."""

EVENTS: dict[str, tuple[str, Fields]] = {
    "run.started": (
        "The run began.",
        {
            "agent": _AGENT,
            "max_turns": {"type": ["integer", "null"], "description": "The turn limit; null means no limit."},
            "agentctl_version": text("The version of agentctl."),
        },
    ),
    "agent.started": ("An agent took over; the first one does so when the run starts.", {"agent": _AGENT}),
    "model.requested": (
        "A model call is about to be made.",
        {"agent": _AGENT, "model": text("The name of the model."), "turn": ordinal("The turn, from 1.")},
    ),
    "text.delta": (
        "Part of the text of a message.",
        {"item_id": text_or_null("The id of the message; null if the service gives none."), "delta": _DELTA},
    ),
    "reasoning.delta": (
        "Part of the model's reasoning.",
        {"item_id": text_or_null("The id of the reasoning; null if the service gives none."), "delta": _DELTA},
    ),
    "arguments.delta": (
        "Part of the arguments of a tool call, as the model writes them.",
        {
            "tool": text_or_null("The name of the tool; null if the service has not named it yet."),
            "call_id": text_or_null("The id of the call; null if the service has not given it yet."),
            "item_id": text_or_null("The id of the item of the call; null if the service gives none."),
            "delta": _DELTA,
        },
    ),
    "model.responded": (
        "A model call succeeded: what it used, and what it cost.",
        {
            "agent": _AGENT,
            "model": text("The name of the model."),
            "turn": ordinal("The turn, from 1."),
            "attempt": ordinal("The number of the attempt that succeeded, from 1."),
            "response_id": text_or_null("The service's id of the response."),
            "usage": reference("usage", "The tokens of this call."),
            "cost_usd": _COST,
            "cost_basis": _COST_BASIS,
        },
    ),
    "message": (
        "A complete message from the model.",
        {"agent": _AGENT, "item": item("The message, as the Responses API returns it.")},
    ),
    "tool.called": (
        "The model called a tool, or requested a handoff, which is also a tool call.",
        {
            "agent": _AGENT,
            "tool": text("The name of the tool, or the type of a tool that the service runs."),
            "call_id": text_or_null("The id of the call; for a tool that the service runs, that of its item."),
            "item": item("The call, as the Responses API returns it."),
        },
    ),
    "tool.started": (
        "A tool call began to run, after it was approved if it needs that.",
        {"agent": _AGENT, "tool": text("The name of the tool."), "call_id": _CALL_ID},
    ),
    "tool.progress": (
        "A tool, or its MCP server, reported how far a call is.",
        {
            "agent": _AGENT,
            "tool": text("The name of the tool."),
            "call_id": _CALL_ID,
            "progress": {"type": ["number", "null"], "description": "How much is done; null if it was not said."},
            "total": {"type": ["number", "null"], "description": "How much there is to do; null if it was not said."},
            "message": text_or_null("A text for the user; null if there is none."),
        },
    ),
    "tool.finished": (
        "A tool call has run; its output follows once all calls of the turn have.",
        {
            "agent": _AGENT,
            "tool": text("The name of the tool."),
            "call_id": _CALL_ID,
            "failed": flag("Whether it failed."),
            "seconds": amount("How long it ran."),
        },
    ),
    "tool.output": (
        "A tool returned its output, or failed and returned the error text for the model.",
        {
            "agent": _AGENT,
            "tool": text_or_null("The name of the tool; null if its call is unknown."),
            "call_id": text_or_null("The id of the call; null if its output has none."),
            "failed": flag("Whether the call failed, or was denied."),
            "denied": flag("Whether the call was denied, and did not run."),
            "item": item("The output, as the Responses API takes it."),
        },
    ),
    "handoff": (
        "The conversation was handed off to another agent.",
        {
            "from_agent": text("The agent that ends its part."),
            "to_agent": text("The agent that continues."),
            "call_id": text_or_null("The id of the call that requested it."),
            "item": item("The output of the handoff call."),
        },
    ),
    "guardrail": (
        "A guardrail finished its check.",
        {
            "agent": _AGENT,
            "stage": open_enum(
                ["input", "output", "tool_input", "tool_output"],
                "The checked value: the input or final output of the run, or that of a tool.",
            ),
            "name": text("The name of the guardrail."),
            "tripwire_triggered": flag("Whether it stops the run."),
        },
    ),
    "approval.required": (
        "A tool call needs approval; `tool.output` or `run.finished` shows the outcome.",
        {**CALL, "tool": text("The name of the tool."), "call_id": _CALL_ID},
    ),
    "retry": (
        "A model call failed and will be retried after a delay.",
        {
            "attempt": ordinal("The number of the attempt that failed, from 1."),
            "max_retries": count("The most retries that are made."),
            "delay_seconds": amount("How long the next attempt waits."),
            "error": reference("error", "Why the attempt failed."),
        },
    ),
    "warning": ("A problem that does not stop the run.", {"message": text("The problem.")}),
    "run.finished": ("The run ended, successfully or not: always exactly one, and the last event.", FINISHED),
    "batch.started": (
        "A command of a batch began.",
        {"batch": PROGRESS["batch"], "total": PROGRESS["total"]},
    ),
    "row.finished": ("A row of a batch ended, or waits for approval; it comes again if it was retried.", ROW),
    "batch.progress": ("The progress of a batch, about once a second.", PROGRESS),
    "batch.finished": (
        "The command of a batch ended, and was not interrupted: the last event.",
        {"exit_code": FINISHED["exit_code"], **PROGRESS},
    ),
}
"""Event type -> (description, fields besides those that all events have)."""

DOCUMENT: Fields = {"schema_version": HEAD["schema_version"], "run_id": HEAD["run_id"], **FINISHED}
"""The document of `--format json`."""


def schema() -> dict[str, JSONValue]:
    """Return the schema of machine output.

    The root is that of one line of a stream, or of the document of a run; an event of an unknown type is valid, and so
    are unknown fields and values of open enumerations. `$defs` also has the documents of other commands.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Machine output of agentctl",
        "description": "One line of `--format jsonl` (an event), or the document of `--format json`.",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in ("document", *EVENTS, "other-event")],
        "$defs": {
            **run_definitions(),
            "trace-usage": object_of({name: USAGE[name] for name in USAGE if name.endswith(("_tokens", "requests"))}),
            "row": object_of(ROW, "A row of a batch, and its result."),
            **{document_name(command): _document(*entry) for command, entry in DOCUMENTS.items()},
        },
    }


def run_definitions() -> dict[str, JSONValue]:
    """Return the schemas of the events and of the document of a run, and what they refer to."""
    return {
        "document": {
            **object_of(DOCUMENT, "The outcome of a run."),
            "not": {"required": ["type"]},
        },
        **{name: _event(name) for name in EVENTS},
        "other-event": object_of(
            {**HEAD, "type": {"type": "string", "not": {"enum": [*EVENTS]}}},
            "An event that this version does not know; readers skip it.",
        ),
        "error": object_of(ERROR, "An error: what ended the run, or why a model call is retried."),
        "usage": object_of(USAGE, "The tokens of a run or of a model call."),
    }


def document_name(command: str) -> str:
    """Return the name of the schema of a command's document, such as `agentctl-sessions-list`."""
    return f"agentctl-{command.replace('/', '').replace(' ', '-')}"


def _document(description: str, fields: Fields) -> Fields:
    return object_of({"schema_version": HEAD["schema_version"], **fields}, description)


def _event(name: str) -> Fields:
    description, fields = EVENTS[name]
    return object_of({**HEAD, "type": {"const": name}, **fields}, description)
