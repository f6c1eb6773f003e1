"""A stored trace, as read from its files: a tree of spans, of which a killed process has finished only some."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.agent.usage import RequestUsage, Usage
from agentctl.agent.wire import JSONValue
from agentctl.prices.cost import FREE, Cost, cost_of, cost_of_call
from agentctl.tracing.trace_files import VERSION

if TYPE_CHECKING:
    from agentctl.prices.cost import PriceSource

CUT = "cut"
"""The outcome of a trace whose process was killed."""
RUNNING = "running"

_KINDS = {"task": "run", "response": "model", "generation": "model", "function": "tool", "mcp_tools": "mcp"}
_NAMED_CUSTOM = frozenset({"approval", "process", "compaction", "retry"})
_MODEL = "model"


class UnreadableTraceError(Exception):
    """A file is no trace, or one that this version cannot read."""


@dataclass(slots=True, kw_only=True)
class StoredSpan:
    """A span; one that has not finished has no end."""

    id: str
    parent_id: str | None
    kind: str
    """run, agent, turn, model, tool, mcp, handoff, guardrail, approval, process, compaction, custom or another one."""
    name: str
    started: float
    ended: float | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """As in the traces API; the input of a model call is complete."""
    details: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    children: list[StoredSpan] = field(default_factory=list)

    @property
    def is_model_call(self) -> bool:
        """Return whether it is a call of a model."""
        return self.kind == _MODEL

    @property
    def has_usage(self) -> bool:
        """Return whether it is a model call whose tokens are known: not if it failed before the service counted any."""
        usage = self.data.get("usage") if self.is_model_call else None
        return usage is not None and not (self.error is not None and self.usage.total_tokens == 0)

    @property
    def usage(self) -> RequestUsage:
        """The tokens of a model call."""
        read = Usage.from_wire(self.data.get("usage"))
        return RequestUsage(
            input_tokens=read.input_tokens,
            output_tokens=read.output_tokens,
            total_tokens=read.total_tokens,
            input_tokens_details=read.input_tokens_details,  # type: ignore[arg-type]  # ours, since read from JSON
            output_tokens_details=read.output_tokens_details,  # type: ignore[arg-type]
            model=self.details.get("model") or self.data.get("model"),
            endpoint_url=self.details.get("endpoint"),
        )

    def cost(self, prices: PriceSource) -> Cost | None:
        """Return the cost of a model call that has finished; None for any other span."""
        if self.ended is None or not self.has_usage:
            return None
        return cost_of_call(self.usage, prices)

    def walk(self, depth: int = 0) -> Iterator[tuple[int, StoredSpan]]:
        """Yield the span and all below it, each with its depth."""
        stack = [(depth, self)]
        while stack:
            level, span = stack.pop()
            yield level, span
            stack += [(level + 1, child) for child in reversed(span.children)]


@dataclass(slots=True, kw_only=True)
class StoredTrace:
    """A trace with all its spans."""

    id: str
    name: str
    group_id: str | None
    metadata: Mapping[str, Any] | None
    started: float
    ended: float | None
    outcome: str
    """As `run.finished` names it, or `cut` or `running`."""
    agent: str | None
    session_id: str | None
    roots: list[StoredSpan]

    def walk(self) -> Iterator[tuple[int, StoredSpan]]:
        """Yield all spans in the order of the tree, each with its depth."""
        for root in self.roots:
            yield from root.walk()

    @property
    def end(self) -> float:
        """The end, or the last thing that is known to have happened."""
        times = [time for _, span in self.walk() for time in (span.started, span.ended) if time is not None]
        return max([self.ended or self.started, *times])

    @property
    def model_calls(self) -> list[StoredSpan]:
        """Its model calls."""
        return [span for _, span in self.walk() if span.is_model_call]

    @property
    def usage(self) -> Usage:
        """The tokens of its model calls."""
        entries = [span.usage for span in self.model_calls if span.has_usage]
        return Usage(
            requests=len(entries),
            input_tokens=sum(entry.input_tokens for entry in entries),
            output_tokens=sum(entry.output_tokens for entry in entries),
            total_tokens=sum(entry.total_tokens for entry in entries),
            request_usage_entries=entries,
        )

    def cost(self, prices: PriceSource) -> Cost:
        """Return the cost of its model calls at the prices of today."""
        usage = self.usage
        return cost_of(usage, prices) if usage.requests else FREE

    def to_json(self, prices: PriceSource) -> dict[str, JSONValue]:
        """Return the trace as a document; spans are in the order of the tree."""
        cost, usage = self.cost(prices), self.usage
        return {
            "id": self.id,
            "name": self.name,
            "group_id": self.group_id,
            "metadata": None if self.metadata is None else dict(self.metadata),
            "started_at": iso(self.started),
            "ended_at": None if self.ended is None else iso(self.ended),
            "outcome": self.outcome,
            "agent": self.agent,
            "session_id": self.session_id,
            "usage": {name: value for name, value in usage.to_wire().items() if not name.endswith("_details")},
            "cost_usd": cost.usd,
            "cost_basis": cost.basis,
            "spans": [span_json(span, prices) for _, span in self.walk()],
        }


def span_json(span: StoredSpan, prices: PriceSource) -> dict[str, JSONValue]:
    """Return a span as JSON."""
    cost = span.cost(prices)
    return {
        "id": span.id,
        "parent_id": span.parent_id,
        "kind": span.kind,
        "name": span.name,
        "started_at": iso(span.started),
        "ended_at": None if span.ended is None else iso(span.ended),
        "data": dict(span.data),
        "details": dict(span.details),
        "error": None if span.error is None else dict(span.error),
        **({} if cost is None else {"cost_usd": cost.usd, "cost_basis": cost.basis}),
    }


def iso(seconds: float) -> str:
    """Return a time in UTC as RFC 3339 text, with microseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_lines(text: bytes, *, source: str) -> Iterator[dict[str, Any]]:
    """Yield the lines of a file; the last one may be incomplete.

    Raises:
        UnreadableTraceError: it is no trace, or one of a newer version.
    """
    lines = text.split(b"\n")
    head = parse_line(lines[0])
    if head is None or head.get("type") != "trace" or not isinstance(head.get("version"), int):
        raise UnreadableTraceError(f"{source} is damaged; remove it with `agentctl trace clear`")
    if head["version"] > VERSION:
        by = f" {head['by']}" if isinstance(head.get("by"), str) else ""
        raise UnreadableTraceError(f"{source} was written by a newer agentctl{by} (format {head['version']}); upgrade")
    yield head
    for line in lines[1:]:
        if (parsed := parse_line(line)) is not None:
            yield parsed


def parse_line(line: bytes) -> dict[str, Any] | None:
    """Return a line as an object; None if it is incomplete or damaged."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def build_trace(lines: list[dict[str, Any]], *, is_running: bool) -> StoredTrace:
    """Return the trace that the lines of its files describe, the oldest file first."""
    head = lines[0]
    spans: dict[str, StoredSpan] = {}
    inputs: dict[str, list[Any]] = {}
    end: dict[str, Any] | None = None
    run: dict[str, Any] | None = None
    for line in lines:
        match line.get("type"):
            case "start" | "span" if isinstance(line.get("id"), str):
                span = _span(line, inputs)
                if span.ended is not None or span.id not in spans:
                    spans[span.id] = span
            case "trace":
                end = None
            case "end":
                end = line
            case "run":
                run = line
    roots: list[StoredSpan] = []
    for span in sorted(spans.values(), key=lambda each: (each.started, each.id)):
        parent = spans.get(span.parent_id or "")
        # A parent is missing where a process was killed before its start was written.
        (roots if parent is None or parent is span else parent.children).append(span)
    agents = [span.name for span in spans.values() if span.kind == "agent"]
    return StoredTrace(
        id=str(head.get("id")),
        name=str(head.get("name")),
        group_id=_text(head.get("group_id")),
        metadata=head["metadata"] if isinstance(head.get("metadata"), dict) else None,
        started=_seconds(head.get("at")),
        ended=None if end is None else _seconds(end.get("at")),
        outcome=outcome_of(end, run, is_running=is_running),
        agent=_text((run or {}).get("agent")) or _text((end or {}).get("agent")) or next(iter(agents), None),
        session_id=_text((run or {}).get("session_id")),
        roots=roots,
    )


def outcome_of(end: Mapping[str, Any] | None, run: Mapping[str, Any] | None, *, is_running: bool) -> str:
    """Return the outcome of a trace from its last lines."""
    if run is not None and end is not None:
        return str(run.get("outcome"))
    if end is not None:
        return "failed" if end.get("error") else "completed"
    return RUNNING if is_running else CUT


def _span(line: Mapping[str, Any], inputs: dict[str, list[Any]]) -> StoredSpan:
    kind, data = str(line.get("kind")), line.get("data")
    data = dict(data) if isinstance(data, dict) else {}
    given = data.get("input")
    if isinstance(given, dict) and "shared" in given:
        earlier = inputs.get(str(given.get("after")), [])
        given = [*earlier[: int(given["shared"])], *given.get("items", [])]
        data["input"] = given
    if isinstance(given, list):
        inputs[str(line["id"])] = given
    name = _text(data.get("name")) or ""
    if kind == "custom":
        kind, name = (name, _custom_name(name, data)) if name in _NAMED_CUSTOM else (kind, name)
    if kind in ("turn", "task"):
        inner = data.get("data")
        inner = inner if isinstance(inner, dict) else {}
        name = str(inner.get("turn", "")) if kind == "turn" else str(inner.get("name", ""))
        data = inner
    details = line.get("details")
    details = details if isinstance(details, dict) else {}
    match _KINDS.get(kind, kind):
        case "model":
            name = str(details.get("model") or data.get("model") or "")
        case "handoff":
            name = f"{data.get('from_agent')} → {data.get('to_agent')}"
        case "mcp":
            name = str(data.get("server") or "")
    error, ended = line.get("error"), line.get("end")
    return StoredSpan(
        id=str(line["id"]),
        parent_id=_text(line.get("parent")),
        kind=_KINDS.get(kind, kind),
        name=name,
        started=_time(line.get("start")),
        ended=None if ended is None else _time(ended),
        data=data,
        details=details,
        error=error if isinstance(error, dict) else None,
    )


def _custom_name(name: str, data: Mapping[str, Any]) -> str:
    inner = data.get("data")
    if not isinstance(inner, dict):
        return ""
    match name:
        case "approval":
            return str(inner.get("tool", ""))
        case "retry":
            return f"after {inner.get('error')}"
        case _:
            return ""


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _time(value: object) -> float:
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        return 0.0
