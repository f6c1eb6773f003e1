"""Machine output: `--format jsonl`, one event per line, and `--format json`, one document at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from agentctl.agent.events import (
    AgentUpdatedStreamEvent,
    ApprovalRequired,
    GuardrailChecked,
    ModelRequested,
    ModelResponded,
    RawResponsesStreamEvent,
    RetryScheduled,
    RunEvent,
    RunFinished,
    RunItemStreamEvent,
    RunStarted,
    ToolFinished,
    ToolProgressed,
    ToolStarted,
    Warned,
)
from agentctl.agent.items.run_items import (
    HandoffCallItem,
    HandoffOutputItem,
    MessageOutputItem,
    ToolApprovalItem,
    ToolCallItem,
    ToolCallOutputItem,
)
from agentctl.agent.wire import JSONValue
from agentctl.errors import (
    AgentsException,
    ApprovalMissing,
    CassetteDrift,
    ModelBehaviorError,
    RunSuspended,
    ServiceError,
    exit_for,
)
from agentctl.redaction import RedactedStream, redact, redact_data, redact_id
from agentctl.version import SCHEMA_VERSION, __version__

from .chunks import ARGUMENTS, REASONING, TEXT, Chunk, Out
from .json_value import to_json, to_json_value
from .text_stream import SurrogateJoiner
from .tools import ToolNames, failed_output

if TYPE_CHECKING:
    from agentctl.prices.cost import Cost

    from .notes import CostOf, Notes

_DELTAS = REASONING | ARGUMENTS | {TEXT}
_ITEM_ADDED = "response.output_item.added"


def error_body(error: Exception) -> dict[str, JSONValue]:
    """Return an exception as the `error` object of a machine document, with secrets redacted."""
    body: dict[str, JSONValue] = {
        "type": type(error).__name__,
        "message": redact(error.description if isinstance(error, AgentsException) else str(error))
        or type(error).__name__,
        "status": None,
        "code": None,
        "request_id": None,
        "retry_after": None,
    }
    if isinstance(error, ServiceError):
        body |= {
            "status": error.status,
            "code": None if error.code is None else redact(error.code),
            "request_id": None if error.request_id is None else redact_id(error.request_id),
            "retry_after": error.retry_after,
        }
    elif isinstance(error, ApprovalMissing):
        body |= {
            "calls": [_call_body(item) for item in error.calls],
            "unmatched": [redact(rule) for rule in error.unmatched],
            "allow": [redact(rule) for rule in error.allow],
        }
    elif isinstance(error, CassetteDrift):
        body |= {
            "message": redact("; ".join((error.message, *getattr(error, "__notes__", ())))),
            "differences": [
                {
                    "part": each.part,
                    "place": redact(each.place),
                    "recorded": None if each.recorded is None else redact(each.recorded),
                    "replayed": None if each.replayed is None else redact(each.replayed),
                }
                for each in error.differences
            ],
        }
    elif isinstance(error, ModelBehaviorError) and error.reply is not None:
        body["reply"] = redact_data(error.reply, str)
    return body


def _call_body(item: ToolApprovalItem) -> dict[str, JSONValue]:
    """Return a call that needs approval as a JSON object."""
    return {
        "agent": redact(item.agent.name),
        "tool": item.name,
        "call_id": item.call_id,
        "item": redact_data(item.wire),
    }


def finished_body(event: RunFinished, *, model: str | None, cost: Cost, failed_calls: int = 0) -> dict[str, JSONValue]:
    """Return the outcome of a run: the fields that `run.finished` and the document of `--format json` share.

    `model` is the last model requested, None if the run failed before any request; `failed_calls` the number of tool
    calls that failed.
    """
    row = exit_for(event.error)
    return {
        "outcome": row.outcome.value,
        "exit_code": row.code,
        "final_output": to_json_value(event.final_output),
        "agent": redact(event.agent.name) if event.agent else None,
        "model": None if model is None else redact(model),
        "failed_calls": failed_calls,
        "usage": event.usage.to_wire(),
        **_cost_body(cost),
        "response_id": None if event.response_id is None else redact_id(event.response_id),
        "session_id": None if event.session_id is None else redact(event.session_id),
        "trace_id": None if event.trace_id is None else redact(event.trace_id),
        "ticket": event.error.ticket if isinstance(event.error, RunSuspended) else None,
        "error": error_body(event.error) if event.error else None,
    }


def _cost_body(cost: Cost) -> dict[str, JSONValue]:
    return {"cost_usd": cost.usd, "cost_basis": None if cost.basis is None else redact(cost.basis)}


def timestamp(seconds: float) -> str:
    """Return a Unix time as RFC 3339 text in UTC, with milliseconds."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{_whole_second(whole)}.{milliseconds:03d}Z"


@lru_cache(maxsize=1)
def _whole_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class JsonDocument:
    """The renderer of `--format json`: one document at the end; notes go to stderr immediately."""

    def __init__(self, *, run_id: str, notes: Notes, cost_of: CostOf) -> None:
        self._run_id = run_id
        self._notes = notes
        self._cost_of = cost_of
        self._model: str | None = None
        self._failed_calls = 0

    def feed(self, event: RunEvent) -> list[Chunk]:
        """Return the output for an event."""
        chunks = self._notes.feed(event)
        if isinstance(event, ModelRequested):
            self._model = event.model
        elif failed_output(event) is not None:
            self._failed_calls += 1
        elif isinstance(event, RunFinished):
            head = {"schema_version": SCHEMA_VERSION, "run_id": self._run_id}
            body = finished_body(
                event, model=self._model, cost=self._cost_of(event.usage), failed_calls=self._failed_calls
            )
            chunks.append(Out(to_json(head | body) + "\n"))
        return chunks

    def close(self) -> list[Chunk]:
        """Return nothing: the document has it all."""
        return []


class JsonLines:
    """The renderer of `--format jsonl`: one event per line, numbered and timed; notes go to stderr immediately."""

    def __init__(self, *, run_id: str, notes: Notes, now: Callable[[], float], cost_of: CostOf) -> None:
        self._run_id = to_json(run_id)
        self._notes = notes
        self._cost_of = cost_of
        self._now = now
        self._seq = 0
        self._model: str | None = None
        self._failed_calls = 0
        self._tools = ToolNames()
        self._joiner = SurrogateJoiner()
        self._attempt = 1
        self._item_id: tuple[JSONValue, JSONValue] = (None, None)
        """The id in the last delta, and how it is shown."""
        self._calls: dict[JSONValue, tuple[JSONValue, JSONValue]] = {}
        """The tool and the id of each call that the model is writing, by the id of its item."""
        self._masked: tuple[tuple[str, JSONValue], dict[str, JSONValue], RedactedStream] | None = None
        """The text that arrives and is masked: its event and item, the fields beside the delta, and the stream."""

    def feed(self, event: RunEvent) -> list[Chunk]:
        """Return the output for an event."""
        if isinstance(event, RawResponsesStreamEvent):
            lines = self._delta(event.wire)
            return [*self._notes.clear_status(), *lines] if lines else []
        rest = self._close_masked()
        chunks = [*self._notes.clear_status(), *rest] if rest else []
        chunks += self._notes.feed(event)
        self._failed_calls += failed_output(event) is not None
        line = self._event(event)
        if line is not None:
            chunks.append(line)
        return chunks

    def close(self) -> list[Chunk]:
        """Return nothing: the last event has it all."""
        return []

    def _delta(self, wire: dict[str, Any]) -> list[Out]:
        kind = wire.get("type")
        if kind not in _DELTAS:
            if kind == _ITEM_ADDED:
                self._remember_call(wire.get("item"))
            return []
        delta = str(wire.get("delta") or "")
        text = self._joiner.feed(delta)
        if delta and not text:
            return []  # Half a character.
        item_id = self._id_of(wire)
        if kind == TEXT:
            return [*self._close_masked(), self._line("text.delta", {"item_id": item_id, "delta": text})]
        if kind in REASONING:
            return self._masked_lines("reasoning.delta", {"item_id": item_id}, text)
        tool, call_id = self._calls.get(wire.get("item_id"), (None, None))
        return self._masked_lines("arguments.delta", {"tool": tool, "call_id": call_id, "item_id": item_id}, text)

    def _remember_call(self, item: Any) -> None:
        if isinstance(item, dict) and "call" in str(item.get("type")):
            name, call_id = (
                item.get("name") or str(item["type"]).removesuffix("_call"),
                item.get("call_id") or item.get("id"),
            )
            self._calls[item.get("id")] = (redact(str(name)), redact_id(call_id) if isinstance(call_id, str) else None)

    def _masked_lines(self, kind: str, fields: dict[str, JSONValue], delta: str) -> list[Out]:
        """Return the lines for more of a text that is masked; what may begin a secret waits for the rest."""
        key = (kind, fields["item_id"])
        rest = self._close_masked() if self._masked is not None and self._masked[0] != key else []
        if self._masked is None:
            self._masked = (key, fields, RedactedStream())
        shown = self._masked[2].feed(delta)
        return [*rest, self._line(kind, {**fields, "delta": shown})] if shown else rest

    def _close_masked(self) -> list[Out]:
        """Return the line for masked text that waits."""
        if self._masked is None:
            return []
        ((kind, _), fields, stream), self._masked = self._masked, None
        rest = stream.close()
        return [self._line(kind, {**fields, "delta": rest})] if rest else []

    def _id_of(self, wire: dict[str, Any]) -> JSONValue:
        """Return the id of the item that a delta belongs to."""
        item_id = wire.get("item_id")
        if item_id != self._item_id[0]:
            self._item_id = (item_id, redact_id(item_id) if isinstance(item_id, str) else item_id)
        return self._item_id[1]

    def _event(self, event: RunEvent) -> Out | None:
        body: dict[str, JSONValue]
        match event:
            case RunStarted(agent=agent, max_turns=max_turns, calls=calls):
                self._tools.remember(calls)
                body = {"agent": agent.name, "max_turns": max_turns, "agentctl_version": __version__}
                return self._line("run.started", body)
            case AgentUpdatedStreamEvent(new_agent=agent):
                return self._line("agent.started", {"agent": agent.name})
            case ModelRequested(agent=agent, model=model, turn=turn):
                self._model, self._attempt = model, 1
                self._joiner = SurrogateJoiner()
                self._calls.clear()
                return self._line("model.requested", {"agent": agent.name, "model": model, "turn": turn})
            case ModelResponded():
                return self._line("model.responded", self._response_body(event))
            case ToolStarted(agent=agent, tool=tool, call_id=call_id):
                return self._masked_line("tool.started", {"agent": agent.name, "tool": tool, "call_id": call_id})
            case ToolProgressed(agent=agent, tool=tool, call_id=call_id, progress=done, total=total, message=message):
                body = {"agent": agent.name, "tool": tool, "call_id": call_id}
                body |= {"progress": done, "total": total, "message": message}
                return self._masked_line("tool.progress", body)
            case ToolFinished(agent=agent, tool=tool, call_id=call_id, failed=failed, seconds=seconds):
                body = {"agent": agent.name, "tool": tool, "call_id": call_id}
                return self._masked_line("tool.finished", body | {"failed": failed, "seconds": round(seconds, 3)})
            case RunItemStreamEvent():
                return self._item(event)
            case GuardrailChecked(stage=stage, name=name, tripwire_triggered=triggered, agent=agent):
                body = {"agent": agent.name, "stage": stage, "name": name, "tripwire_triggered": triggered}
                return self._line("guardrail", body)
            case ApprovalRequired(item=item):
                return self._line("approval.required", _call_body(item))
            case RetryScheduled(attempt=attempt, max_retries=max_retries, delay=delay, error=error):
                self._attempt += 1
                body = {"attempt": attempt, "max_retries": max_retries, "delay_seconds": delay}
                return self._line("retry", body | {"error": error_body(error)})
            case Warned(message=message):
                return self._line("warning", {"message": redact(message)})
            case RunFinished():
                body = finished_body(
                    event, model=self._model, cost=self._cost_of(event.usage), failed_calls=self._failed_calls
                )
                return self._line("run.finished", body)
            case _:
                return None

    def _response_body(self, event: ModelResponded) -> dict[str, JSONValue]:
        cost, response_id = self._cost_of(event.usage), event.response.response_id
        return {
            "agent": event.agent.name,
            "model": event.model,
            "turn": event.turn,
            "attempt": self._attempt,
            "response_id": None if response_id is None else redact_id(response_id),
            "usage": event.usage.to_wire(),
            **_cost_body(cost),
        }

    def _item(self, event: RunItemStreamEvent) -> Out | None:
        item = event.item
        body: dict[str, JSONValue] = {"agent": item.agent.name}
        match item:
            case MessageOutputItem():
                return self._line("message", body | {"item": redact_data(item.wire, str)})
            case ToolCallItem() | HandoffCallItem():
                call: dict[str, JSONValue] = {
                    "tool": self._tools.call_name(item),
                    "call_id": item.call_id,
                    "item": item.wire,
                }
                return self._masked_line("tool.called", body | call)
            case ToolCallOutputItem():
                result: dict[str, JSONValue] = {
                    "tool": self._tools.output_name(item),
                    "call_id": item.call_id,
                    "failed": item.failed,
                    "denied": item.denied,
                    "item": item.wire,
                }
                return self._masked_line("tool.output", body | result)
            case HandoffOutputItem(source_agent=source, target_agent=target):
                ends: dict[str, JSONValue] = {
                    "from_agent": source.name,
                    "to_agent": target.name,
                    "call_id": item.call_id,
                    "item": item.wire,
                }
                return self._masked_line("handoff", ends)
            case _:
                return None

    def _masked_line(self, kind: str, body: dict[str, JSONValue]) -> Out:
        masked = redact_data(body)
        assert isinstance(masked, dict)
        return self._line(kind, masked)

    def _line(self, kind: str, body: dict[str, JSONValue]) -> Out:
        head = (
            f'{{"type": "{kind}", "schema_version": {SCHEMA_VERSION}, "seq": {self._seq}, '
            f'"time": "{timestamp(self._now())}", "run_id": {self._run_id}, '
        )
        self._seq += 1
        return Out(f"{head}{to_json(body)[1:]}\n")
