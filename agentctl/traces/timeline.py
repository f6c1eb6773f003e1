"""The timeline of a trace in a terminal: a tree of spans, each with a bar to scale, its time, tokens and cost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from agentctl.agent.wire import JSONValue
from agentctl.prices.cost import PriceSource
from agentctl.redaction import redact_text
from agentctl.render.escape import columns, escape, one_line, shorten
from agentctl.render.json_value import to_json
from agentctl.render.notes import format_usd

from .stored import StoredSpan, StoredTrace

_DURATION = 8
"""Columns of a duration."""
_WIDE = 80
"""The width from which tokens and costs have a column."""
_NARROW = 60
"""Below this width the tree is indented less."""
_USAGE = 24
_DEEPEST = 12
"""Deeper spans are not indented further."""
_SHOWN = 2000
"""Characters of an input or output with `full`."""


def timeline(trace: StoredTrace, prices: PriceSource, *, width: int, full: bool = False) -> Iterator[str]:
    """Yield the lines of a trace, at most `width` columns wide, with inputs and outputs if `full`."""
    for parts in _head(trace, prices):
        yield from _wrap([one_line(redact_text(part)) for part in parts], width)
    yield ""
    layout = _Layout(trace, width)
    for root in trace.roots:
        yield from _lines(root, "", "", layout, prices, full=full)
    if not trace.roots:
        yield "no span was written"


def format_seconds(seconds: float) -> str:
    """Return a duration with about three digits."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms" if seconds < 0.9995 else "1.00 s"
    if seconds < 60:
        return f"{seconds:.3g} s" if seconds >= 10 else f"{seconds:.2f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)}m {int(seconds % 60):02d}s"
    return f"{int(seconds // 3600)}h {int(seconds % 3600 // 60):02d}m"


class _Layout:
    """The columns of a timeline."""

    def __init__(self, trace: StoredTrace, width: int) -> None:
        self.width = width
        self.start, self.end = trace.started, trace.end
        self.usage = _USAGE if width >= _WIDE else 0
        rest = max(width - _DURATION - self.usage - 2, 12)
        self.bar = max(min(rest // 2, 48), 6) if self.usage else max(rest // 3, 6)
        self.label = rest - self.bar
        is_narrow = width < _NARROW
        self.fork, self.last = ("├ ", "└ ") if is_narrow else ("├─ ", "└─ ")
        self.trunk, self.gap = ("│ ", "  ") if is_narrow else ("│  ", "   ")

    def row(self, label: str, span: StoredSpan, usage: str) -> str:
        """Return the row of a span."""
        label = shorten(label, self.label)
        label += " " * (self.label - columns(label))
        seconds = "…" if span.ended is None else format_seconds(span.ended - span.started)
        row = f"{label} {self._bar(span)} {seconds:>{_DURATION}}"
        return f"{row} {shorten(usage, self.usage - 1)}".rstrip() if self.usage else row

    def _bar(self, span: StoredSpan) -> str:
        total = self.end - self.start or 1.0
        end = self.end if span.ended is None else span.ended
        first = min(max(int((span.started - self.start) / total * self.bar), 0), self.bar - 1)
        last = min(max(int((end - self.start) / total * self.bar + 0.5), first + 1), self.bar)
        mark = "╌" if span.ended is None else "━"
        return f"{' ' * first}{mark * (last - first)}{' ' * (self.bar - last)}"


def _wrap(parts: list[str], width: int) -> Iterator[str]:
    """Yield parts as lines, several on one as far as they fit."""
    line = parts[0]
    for part in parts[1:]:
        if columns(line) + columns(part) + 3 > width:
            yield shorten(line, width)
            line = part
        else:
            line = f"{line} · {part}"
    yield shorten(line, width)


def _head(trace: StoredTrace, prices: PriceSource) -> Iterator[list[str]]:
    usage, cost, calls = trace.usage, trace.cost(prices), trace.model_calls
    tools = sum(span.kind == "tool" for _, span in trace.walk())
    yield [trace.id]
    yield [trace.agent or trace.name, trace.outcome, format_time(trace.started)]
    parts = [_count(len(calls), "model call"), _count(tools, "tool call")]
    parts.append(f"{usage.input_tokens:,} in, {usage.output_tokens:,} out")
    parts += [] if cost.usd is None else [format_usd(cost.usd)]
    yield [*parts, format_seconds(trace.end - trace.started)]
    if cost.usd is None and cost.basis:
        yield [f"cost not known: {cost.basis}"]
    if trace.session_id:
        yield [f"session {trace.session_id}"]


def _lines(
    root: StoredSpan, lead: str, below: str, layout: _Layout, prices: PriceSource, *, full: bool
) -> Iterator[str]:
    stack = [(root, lead, below, 0)]
    while stack:
        span, lead, below, depth = stack.pop()
        yield layout.row(f"{lead}{label_of(span)}", span, _usage(span, prices))
        inner = f"{below}{layout.trunk if span.children and depth < _DEEPEST else layout.gap}"
        for mark, text in _remarks(span, full=full):
            for line in text.splitlines():
                yield shorten(f"{inner}{mark} {escape(line)}", layout.width)
                mark = " " * len(mark)
        for index, child in reversed(list(enumerate(span.children))):
            is_last = index == len(span.children) - 1
            if depth < _DEEPEST:
                fork, trunk = (layout.last, layout.gap) if is_last else (layout.fork, layout.trunk)
                stack.append((child, f"{below}{fork}", f"{below}{trunk}", depth + 1))
            else:
                stack.append((child, lead, below, depth + 1))


def label_of(span: StoredSpan) -> str:
    """Return the label of a span: its kind and its name, on one line."""
    label = one_line(redact_text(f"{span.kind} {span.name}".strip()))
    return f"{label} (cut)" if span.ended is None else label


def _remarks(span: StoredSpan, *, full: bool) -> Iterator[tuple[str, str]]:
    """Yield what stands below a span, each with its mark."""
    if span.error is not None:
        data = span.error.get("data")
        reason = data.get("error") if isinstance(data, dict) else None
        message = str(span.error.get("message"))
        yield "✗", redact_text(one_line(f"{message}: {reason}" if reason else message))
    for retry in span.details.get("retries", ()):
        yield "↻", f"retry {retry.get('attempt')} after {retry.get('delay', 0):.3g} s: {retry.get('error')}"
    if span.kind == "guardrail" and span.data.get("triggered"):
        yield "✗", "tripwire triggered"
    if span.kind == "approval" and span.details.get("approved") is not None:
        yield "?", "approved" if span.details["approved"] else "rejected"
    if full:
        if facts := call_facts(span):
            yield "·", facts
        for mark, name in (("→", "input"), ("←", "output")):
            value = span.data.get(name)
            if value not in (None, "", []):
                yield mark, _excerpt(value)


def call_facts(span: StoredSpan) -> str:
    """Return how a model was called: endpoint, transport, first token."""
    details = span.details
    facts = [str(details[name]) for name in ("endpoint", "transport") if details.get(name)]
    socket = details.get("websocket")
    if isinstance(socket, dict):
        facts.append(", ".join(name for name in ("full", "delta", "opened", "reused", "recovered") if socket.get(name)))
    if isinstance(details.get("first_token_seconds"), float):
        facts.append(f"first token after {format_seconds(details['first_token_seconds'])}")
    return " · ".join(facts)


def _excerpt(value: JSONValue) -> str:
    text = redact_text(value if isinstance(value, str) else to_json(value, indent=2))
    rest = len(text) - _SHOWN
    return text if rest <= 0 else f"{text[:_SHOWN]}\n[{rest:,} more characters]"


def _usage(span: StoredSpan, prices: PriceSource) -> str:
    if not span.has_usage:
        return ""
    usage, cost = span.usage, span.cost(prices)
    price = "" if cost is None or cost.usd is None else f" {format_usd(cost.usd)}"
    return f"{usage.input_tokens:,}→{usage.output_tokens:,}{price}"


def format_time(seconds: float) -> str:
    """Return a time in UTC, to the second."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
