"""A processor that writes down what it is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agentctl.tracing import (
    CustomSpanData,
    Span,
    Trace,
    TracingProcessor,
    get_trace_provider,
    set_trace_processors,
    set_trace_provider,
)
from agentctl.tracing.provider import DefaultTraceProvider


class Recorder(TracingProcessor):
    """Keeps the news as texts, and every span that has ended."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.traces: list[Trace] = []
        self.spans: list[Span[Any]] = []

    def tell(self, news: str) -> None:
        self.heard.append(news)

    def on_trace_start(self, trace: Trace) -> None:
        self.tell(f"trace {trace.name} begins")

    def on_trace_end(self, trace: Trace) -> None:
        self.traces.append(trace)
        self.tell(f"trace {trace.name} ends")

    def on_span_start(self, span: Span[Any]) -> None:
        self.tell(f"{_name(span)} begins")

    def on_span_end(self, span: Span[Any]) -> None:
        self.spans.append(span)
        self.tell(f"{_name(span)} ends")

    def shutdown(self) -> None:
        self.tell("shutdown")

    def force_flush(self) -> None:
        self.tell("flush")


def _name(span: Span[Any]) -> str:
    data = span.span_data
    return data.name if isinstance(data, CustomSpanData) else str(data.type)


@contextmanager
def recording() -> Iterator[Recorder]:
    """Give a recorder that hears of everything, alone, from a provider that is gone afterwards."""
    before, recorder = get_trace_provider(), Recorder()
    set_trace_provider(DefaultTraceProvider())
    set_trace_processors([recorder])
    yield recorder
    set_trace_provider(before)
