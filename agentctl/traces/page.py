"""Traces as one HTML page: no network, no build step, every text is data, and its policy allows nothing else.

Texts are rendered here: Markdown without HTML and without remote images, everything else as text or as JSON.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentctl.agent.wire import JSONValue
from agentctl.grammar import count
from agentctl.prices.cost import PriceSource
from agentctl.redaction import redact_data
from agentctl.render.escape import escape, one_line
from agentctl.render.notes import format_usd
from agentctl.tracing.ingest import as_json

from .markdown import MarkdownPage
from .stored import StoredSpan, StoredTrace, iso
from .timeline import call_facts, format_seconds

_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp|avif);base64,[A-Za-z0-9+/=]+")

_BODY = """<header>
<h1 id="title">Trace</h1>
<p id="facts"></p>
<div class="bar" role="search">
<input type="search" id="search" placeholder="Search" aria-label="Search spans" autocomplete="off">
<label>Kind <select id="kind"><option value="">all</option></select></label>
<label><input type="checkbox" id="errors"> errors only</label>
<button type="button" id="in" aria-label="Zoom in">+</button>
<button type="button" id="out" aria-label="Zoom out">-</button>
<button type="button" id="fit">Fit</button>
<span id="count" class="hint"></span>
<span class="hint">j k ← → move and fold · / search · + - z 0 zoom · Esc reset</span>
</div>
</header>
<main>
<section id="left" aria-label="Spans">
<div id="ruler" aria-hidden="true"></div>
<div id="tree" role="tree" aria-label="Spans of the trace" tabindex="0"><div id="rows" role="presentation"></div></div>
</section>
<section id="panel" aria-label="Selected span" aria-live="polite" tabindex="0"></section>
</main>
<div id="status" role="status"></div>
<noscript>This page shows a trace by its own script, which is disabled here.</noscript>
"""


def trace_page(traces: Sequence[StoredTrace], prices: PriceSource) -> str:
    """Return the page of one or more traces."""
    style, script = (_asset(name) for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    data = as_json(_PageData(prices).build(traces))
    # Neither the end of the element nor a comment can begin in it.
    data = data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>Trace</title>\n'
        f"<style>{style}</style>\n</head>\n<body>\n{_BODY}"
        f'<script type="application/json" id="data">{data}</script>\n<script>{script}</script>\n</body>\n</html>\n'
    )


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


class _PageData:
    """Builds the data of a page; an item that several model calls were given is in it once."""

    def __init__(self, prices: PriceSource) -> None:
        self._prices = prices
        self._markdown = MarkdownPage()
        self._items: list[list[dict[str, JSONValue]]] = []
        self._known: dict[str, int] = {}

    def build(self, traces: Sequence[StoredTrace]) -> dict[str, Any]:
        spans: list[dict[str, Any]] = []
        roots: list[int] = []
        for trace in traces:
            places: dict[int, int] = {}
            for depth, span in trace.walk():
                if depth == 0:
                    roots.append(len(spans))
                spans.append(self._span(span, trace, depth, places.get(depth - 1)))
                places[depth] = len(spans) - 1
        first = traces[0]
        title = first.id if len(traces) == 1 else f"{count(len(traces), 'trace')}"
        return {
            "title": escape(title),
            "facts": escape(self._facts(first)) if len(traces) == 1 else "",
            "spans": spans,
            "roots": roots,
            "items": self._items,
        }

    def _facts(self, trace: StoredTrace) -> str:
        usage, cost = trace.usage, trace.cost(self._prices)
        parts = [trace.agent or trace.name, trace.outcome, iso(trace.started)]
        parts += [f"{usage.input_tokens:,} in, {usage.output_tokens:,} out"]
        parts += [] if cost.usd is None else [f"{format_usd(cost.usd)} ({cost.basis})" if cost.basis else "$0.00"]
        return one_line(" · ".join([*parts, format_seconds(trace.end - trace.started)]))

    def _span(self, span: StoredSpan, trace: StoredTrace, depth: int, parent: int | None) -> dict[str, Any]:
        end = trace.end if span.ended is None else span.ended
        return {
            "id": escape(span.id),
            "parent": parent,
            "depth": depth,
            "kind": re.sub(r"[^a-z_]", "", span.kind) or "other",
            "name": one_line(self._mask(span.name)),
            "start": max(span.started - trace.started, 0),
            "end": max(end - trace.started, 0),
            "cut": span.ended is None,
            "error": self._error(span),
            "facts": [[name, escape(self._mask(value))] for name, value in self._span_facts(span)],
            "input": self._parts(span.data.get("input"), span),
            "output": self._parts(span.data.get("output"), span),
        }

    def _span_facts(self, span: StoredSpan) -> list[tuple[str, str]]:
        facts = [("started", iso(span.started))]
        if span.ended is not None:
            facts.append(("duration", format_seconds(span.ended - span.started)))
        if call := call_facts(span):
            facts.append(("call", call))
        if span.has_usage:
            usage, cost = span.usage, span.cost(self._prices)
            read = usage.input_tokens_details
            facts.append(("input tokens", f"{usage.input_tokens:,}"))
            facts += [("cached", f"{read.cached_tokens:,}")] if read.cached_tokens else []
            facts += [("written to the cache", f"{read.cache_write_tokens:,}")] if read.cache_write_tokens else []
            reasoning = usage.output_tokens_details.reasoning_tokens
            facts.append(("output tokens", f"{usage.output_tokens:,}"))
            facts += [("reasoning", f"{reasoning:,}")] if reasoning else []
            if cost is not None:
                price = "not known" if cost.usd is None else format_usd(cost.usd)
                facts.append(("cost", f"{price} ({cost.basis})" if cost.basis else price))
        for retry in span.details.get("retries", ()):
            facts.append(
                (f"retry {retry.get('attempt')}", f"{retry.get('error')}, after {retry.get('delay', 0):.3g} s")
            )
        known = {"input", "output", "usage", "type", "name", "data", "model", "sdk_span_type"}
        inner = span.data.get("data")
        rest = {**span.data, **(inner if isinstance(inner, dict) else {})}
        facts += [
            (name, value if isinstance(value, str) else as_json(value))
            for name, value in rest.items()
            if name not in known and value not in (None, [], {})
        ]
        if span.details.get("approved") is not None:
            facts.append(("approved", "yes" if span.details["approved"] else "no"))
        return [(one_line(str(name)), value) for name, value in [*facts, ("span", span.id)]]

    def _error(self, span: StoredSpan) -> str | None:
        if span.error is None:
            return "tripwire triggered" if span.kind == "guardrail" and span.data.get("triggered") else None
        data = span.error.get("data")
        message = str(span.error.get("message"))
        reason = "" if not data else f": {data.get('error') if isinstance(data, dict) and 'error' in data else data}"
        return escape(self._mask(f"{message}{reason}"))

    def _parts(self, value: Any, span: StoredSpan) -> list[int]:
        """Return the numbers of the items that an input or output consists of."""
        if value in (None, "", []):
            return []
        if not span.is_model_call:
            return [self._number([self._value("", value)], value)]
        items = value if isinstance(value, list) else [{"role": "user", "content": value}]
        return [self._number(None, item) for item in items]

    def _number(self, parts: list[dict[str, JSONValue]] | None, value: Any) -> int:
        key = f"{'item' if parts is None else 'value'} {as_json(value)}"
        if key not in self._known:
            self._known[key] = len(self._items)
            self._items.append(self._item(value) if parts is None else parts)
        return self._known[key]

    def _item(self, item: Any) -> list[dict[str, JSONValue]]:
        """Return an item of a conversation as parts: who, and Markdown, an image, text or JSON."""
        if not isinstance(item, dict):
            return [self._value("", item)]
        if "role" in item:
            who, content = str(item["role"]), item.get("content")
            if isinstance(content, list) and content:
                return [self._content(who if index == 0 else "", part) for index, part in enumerate(content)]
            return [self._markdown_part(who, content)] if isinstance(content, str) else [self._value(who, item)]
        kind = str(item.get("type"))
        if kind == "function_call":
            return [self._value(f"calls {item.get('name')}", item.get("arguments"))]
        if kind == "function_call_output":
            output = item.get("output")
            if isinstance(output, list) and output:
                return [self._content(f"output of {item.get('call_id')}", part) for part in output]
            return [self._value(f"output of {item.get('call_id')}", output)]
        return [self._value(kind, item)]

    def _content(self, who: str, part: Any) -> dict[str, JSONValue]:
        if isinstance(part, dict):
            text = part.get("text") or part.get("refusal")
            if isinstance(text, str):
                return self._markdown_part(who, text)
            url = part.get("image_url")
            url = url.get("url") if isinstance(url, dict) else url
            if isinstance(url, str) and _IMAGE.fullmatch(url):
                return {"who": self._label(who), "image": url}
        return self._value(who, part)

    def _markdown_part(self, who: str, text: str) -> dict[str, JSONValue]:
        return {"who": self._label(who), "html": self._markdown.render(escape(self._mask(text)))}

    def _value(self, who: str, value: Any) -> dict[str, JSONValue]:
        """Return a value as JSON to fold, or as a text that is none."""
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                return {"who": self._label(who), "text": escape(self._mask(value))}
            if not isinstance(value, dict | list):
                return {"who": self._label(who), "text": escape(self._mask(str(value)))}
        return {"who": self._label(who), "json": _escape_all(redact_data(value))}

    def _label(self, who: str) -> str:
        return one_line(self._mask(who))

    def _mask(self, text: str) -> str:
        masked = redact_data(text)
        assert isinstance(masked, str)
        return masked


def _escape_all(value: Any) -> Any:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, dict):
        return {escape(str(name)): _escape_all(inner) for name, inner in value.items()}
    return [_escape_all(inner) for inner in value] if isinstance(value, list) else value
