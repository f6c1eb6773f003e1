"""`--format json` and `jsonl`: golden documents, the schema that they keep to, and values that JSON does not know."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from agentctl.agent.events import RunEvent, RunFinished, Warned
from agentctl.agent.usage import Usage
from agentctl.errors import (
    EXITS,
    ConfigurationError,
    MaxTurnsExceeded,
    MissingKeyError,
    ModelBehaviorError,
    ModelRefusalError,
    RunInterrupted,
    RunTimeoutError,
)
from agentctl.redaction import register_secret
from agentctl.render.chunks import Err, Out, Status
from agentctl.render.json_value import to_json, to_json_value
from agentctl.render.schema import EVENTS, schema
from tests.render.runs import (
    WHOLE,
    checked,
    delta,
    err,
    finished,
    handed_over,
    out,
    shown,
    started,
    statuses,
    terminal,
    unavailable,
    waiting,
    writing,
)

HEAD = {"schema_version": 1, "time": "2025-10-09T08:53:20.123Z", "run_id": "run_1"}
USAGE = {
    "requests": 1,
    "input_tokens": 1012,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 48,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 1060,
}
RATE_LIMIT = {
    "type": "ServiceUnavailableError",
    "message": "too many requests",
    "status": 429,
    "code": "rate_limit_exceeded",
    "request_id": "req_1",
    "retry_after": 2.0,
}
ENDS: list[Exception | None] = [
    None,
    unavailable(),
    MissingKeyError("no key"),
    ConfigurationError("wrong", key="model"),
    ModelBehaviorError("no JSON"),
    ModelRefusalError("no"),
    MaxTurnsExceeded("10 turns"),
    RunTimeoutError(90),
    RunInterrupted(2),
    RunInterrupted(15),
    ValueError(""),
]


def lines(events: list[RunEvent], **options: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out(shown(events, format="jsonl", **options)).split("\n")[:-1]]


def document(events: list[RunEvent]) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(out(shown(events, format="json")))
    return value


def test_jsonl_is_one_event_a_line() -> None:
    events = lines(WHOLE)
    assert [event["type"] for event in events] == [
        "run.started",
        "agent.started",
        "model.requested",
        "retry",
        "reasoning.delta",
        "reasoning.delta",
        "arguments.delta",
        "arguments.delta",
        "model.responded",
        "tool.called",
        "tool.started",
        "tool.progress",
        "tool.finished",
        "tool.output",
        "model.requested",
        "text.delta",
        "text.delta",
        "model.responded",
        "message",
        "warning",
        "run.finished",
    ]
    assert events[3] == {
        "type": "retry",
        **HEAD,
        "seq": 3,
        "attempt": 1,
        "max_retries": 2,
        "delay_seconds": 2.0,
        "error": RATE_LIMIT,
    }
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "get_weather"}
    of_call = {"tool": "get_weather", "call_id": "call_1"}
    assert events[6:8] == [
        {"type": "arguments.delta", **HEAD, "seq": seq, **of_call, "item_id": "fc_1", "delta": part}
        for seq, part in ((6, '{"city":'), (7, ' "Oslo"}'))
    ]
    assert events[8] == {
        "type": "model.responded",
        **HEAD,
        "seq": 8,
        "agent": "Weather",
        "model": "gpt-5-mini",
        "turn": 1,
        "attempt": 2,
        "response_id": "resp_1",
        "usage": USAGE | {"input_tokens": 506, "output_tokens": 24, "total_tokens": 530},
        "cost_usd": 0.0021,
        "cost_basis": "prices",
    }
    assert events[9] == {
        "type": "tool.called",
        **HEAD,
        "seq": 9,
        "agent": "Weather",
        **of_call,
        "item": {**call, "arguments": '{"city": "Oslo"}'},
    }
    of_call = {"agent": "Weather", **of_call}
    assert events[10:13] == [
        {"type": "tool.started", **HEAD, "seq": 10, **of_call},
        {
            "type": "tool.progress",
            **HEAD,
            "seq": 11,
            **of_call,
            "progress": 1.0,
            "total": 2.0,
            "message": "asking the station",
        },
        {"type": "tool.finished", **HEAD, "seq": 12, **of_call, "failed": False, "seconds": 0.25},
    ]
    assert {name: events[13][name] for name in ("tool", "call_id", "failed", "denied")} == {
        "tool": "get_weather",
        "call_id": "call_1",
        "failed": False,
        "denied": False,
    }
    assert events[15] == {"type": "text.delta", **HEAD, "seq": 15, "item_id": "msg_1", "delta": "It is **sunny** "}
    assert events[17]["attempt"] == 1
    assert events[20] == {
        "type": "run.finished",
        **HEAD,
        "seq": 20,
        "outcome": "completed",
        "exit_code": 0,
        "final_output": "It is **sunny** in Oslo.",
        "agent": "Weather",
        "model": "gpt-5-mini",
        "failed_calls": 0,
        "trace_id": None,
        "usage": USAGE,
        "cost_usd": 0.0021,
        "cost_basis": "prices",
        "response_id": "resp_1",
        "session_id": None,
        "ticket": None,
        "error": None,
    }


def test_jsonl_begins_each_line_with_the_same_fields() -> None:
    for event in lines(WHOLE):
        assert list(event)[:5] == ["type", "schema_version", "seq", "time", "run_id"]


def test_run_and_stream_write_the_same_jsonl() -> None:
    assert shown(WHOLE, format="jsonl", command="run") == shown(WHOLE, format="jsonl", command="stream")


def test_json_is_one_document_at_the_end() -> None:
    chunks = shown(WHOLE, format="json", terminal=terminal(err=True))
    assert [chunk for chunk in chunks if isinstance(chunk, Out)] == [chunks[-1]]
    assert json.loads(out(chunks)) == {
        "schema_version": 1,
        "run_id": "run_1",
        "outcome": "completed",
        "exit_code": 0,
        "final_output": "It is **sunny** in Oslo.",
        "agent": "Weather",
        "model": "gpt-5-mini",
        "failed_calls": 0,
        "trace_id": None,
        "usage": USAGE,
        "cost_usd": 0.0021,
        "cost_basis": "prices",
        "response_id": "resp_1",
        "session_id": None,
        "ticket": None,
        "error": None,
    }


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_notes_go_to_stderr_beside_machine_output(format: Any) -> None:
    chunks = shown(WHOLE, format=format, terminal=terminal(err=True))
    assert "retrying" in err(chunks)
    assert "waiting for gpt-5-mini" in statuses(chunks)
    quiet = shown(WHOLE, format=format, terminal=terminal(err=True), quiet=True)
    assert not [chunk for chunk in quiet if isinstance(chunk, (Err, Status))]


def test_a_run_that_never_started_has_its_document_too() -> None:
    end = RunFinished(
        final_output=None, agent=None, usage=Usage(), response_id=None, error=MissingKeyError("there is no key")
    )
    body = document([end])
    assert body["outcome"] == "unauthorized"
    assert body["exit_code"] == 77
    assert body["agent"] is None
    assert body["error"]["message"] == "there is no key"
    assert [event["type"] for event in lines([end])] == ["run.finished"]


def test_every_outcome_keeps_to_the_schema() -> None:
    validator = Draft202012Validator(schema())
    for error in ENDS:
        for value in [*lines([*WHOLE[:-1], finished("x", error)]), document([*started(), finished("x", error)])]:
            validator.validate(value)


def test_the_verdict_of_a_guardrail_is_an_event() -> None:
    event = lines([checked(triggered=True)])[0]
    assert event == {
        "type": "guardrail",
        **HEAD,
        "seq": 0,
        "agent": "Weather",
        "stage": "input",
        "name": "on topic",
        "tripwire_triggered": True,
    }
    Draft202012Validator(schema()).validate(event)


def test_a_handoff_is_a_call_and_an_event_of_its_own() -> None:
    called, handoff, begun = lines(handed_over('{"reason": "late"}'))
    assert (called["type"], called["tool"], called["item"]["call_id"]) == ("tool.called", "transfer", "call_9")
    assert handoff == {
        "type": "handoff",
        **HEAD,
        "seq": 1,
        "from_agent": "Weather",
        "to_agent": "Refunds",
        "call_id": "call_9",
        "item": {"type": "function_call_output", "call_id": "call_9", "output": '{"assistant": "Refunds"}'},
    }
    assert (begun["type"], begun["agent"]) == ("agent.started", "Refunds")
    for event in (called, handoff, begun):
        Draft202012Validator(schema()).validate(event)


def test_the_schema_knows_every_event() -> None:
    Draft202012Validator.check_schema(schema())
    of_batches = {"batch.started", "row.finished", "batch.progress", "batch.finished"}
    shown = {event["type"] for event in lines([checked(), waiting(), *handed_over(), *WHOLE])}
    assert shown == set(EVENTS) - of_batches
    validator = Draft202012Validator(schema())
    assert not validator.is_valid({**lines(WHOLE)[0], "agent": None})
    assert not validator.is_valid({**document(WHOLE), "exit_code": "3"})


def test_what_a_later_version_adds_is_valid() -> None:
    validator = Draft202012Validator(schema())
    first, last = lines(WHOLE)[0], lines(WHOLE)[-1]
    for added in ({"a later field": 1}, {"type": "run.paused", "agent": None}):
        assert validator.is_valid(first | added)
    assert validator.is_valid(last | {"outcome": "drift", "exit_code": 86})
    assert not validator.is_valid({"type": "run.paused"})


def test_the_schema_takes_outcomes_from_the_one_table() -> None:
    fields = schema()["$defs"]["document"]["properties"]
    assert set(fields["outcome"]["anyOf"][0]["enum"]) == {row.outcome for row in EXITS}


def test_no_secret_is_in_an_error_or_a_warning() -> None:
    register_secret("sk-machine-test")
    text = out(
        shown(
            [Warned(message="sk-machine-test"), finished(error=ModelBehaviorError("key sk-machine-test"))],
            format="jsonl",
        )
    )
    assert "sk-machine-test" not in text
    assert text.count("[redacted]") == 2


def test_a_secret_in_arguments_is_masked_though_it_comes_in_parts() -> None:
    register_secret("sk-machine-test-arguments")
    events = lines([*writing('{"key": "sk-machine-test-arguments"}', name="store"), *started()])
    assert "".join(event["delta"] for event in events[:-2]) == '{"key": "[redacted]"}'


def test_a_text_with_line_separators_stays_on_one_line() -> None:
    text = out(shown([delta("a\nb\u2028c\u0085d\x00")], format="jsonl"))
    assert text.count("\n") == 1
    assert json.loads(text)["delta"] == "a\nb\u2028c\u0085d\x00"


class Color(Enum):
    RED = "red"


class City(BaseModel):
    name: str
    founded: date
    area: float = float("nan")


@dataclass
class Pair:
    left: City
    right: tuple[int, ...]


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, None),
        ([True, 1, 1.5, "ü"], [True, 1, 1.5, "ü"]),
        ([float("nan"), float("-inf")], [None, None]),
        ({1: (2,), Color.RED: Color.RED}, {"1": [2], "red": "red"}),
        (
            Pair(City(name="Oslo", founded=date(1048, 1, 1)), (1, 2)),
            {"left": {"name": "Oslo", "founded": "1048-01-01", "area": None}, "right": [1, 2]},
        ),
        (Path("/a"), "/a"),
        (date(2026, 1, 2), "2026-01-02"),
        (City, str(City)),
    ],
)
def test_any_value_becomes_json(value: Any, wanted: Any) -> None:
    assert to_json_value(value) == wanted
    assert json.loads(to_json(value)) == wanted
    assert json.loads(to_json({"deep": [value]}, indent=2)) == {"deep": [wanted]}


@pytest.mark.parametrize("dump", [to_json, lambda value: document([finished(value)])])
def test_the_strictest_reader_accepts_what_the_laxest_service_sends(dump: Callable[[Any], Any]) -> None:
    dump(json.loads('{"a": NaN, "b": [Infinity, "\\ud800"]}'))
