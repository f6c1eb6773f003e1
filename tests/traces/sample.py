"""Traces for tests, written by the processor itself."""

import time
from pathlib import Path
from typing import Any

from agentctl.traces.store import LocalTraces
from agentctl.tracing.local import LocalTraceProcessor
from agentctl.tracing.provider import DefaultTraceProvider
from agentctl.tracing.span_data import (
    AgentSpanData,
    CustomSpanData,
    FunctionSpanData,
    GuardrailSpanData,
    HandoffSpanData,
    ResponseSpanData,
    TaskSpanData,
    TurnSpanData,
)
from agentctl.tracing.spans import SpanError

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
USAGE = {
    "input_tokens": 1012,
    "input_tokens_details": {"cached_tokens": 512, "cache_write_tokens": 100},
    "output_tokens": 48,
    "output_tokens_details": {"reasoning_tokens": 16},
    "total_tokens": 1060,
}


class Writer:
    """Writes one trace at times of its own."""

    def __init__(self, folder: Path, name: str = "Agent workflow", trace_id: str | None = None) -> None:
        self.processor = LocalTraceProcessor(folder)
        self.provider = DefaultTraceProvider(None, disabled=False)
        self.provider.set_processors([self.processor])
        self.trace = self.provider.create_trace(name, trace_id)
        self.start = time.time()
        self.trace.start()

    def span(self, data: Any, start: float, end: float | None, parent: Any = None, **details: Any) -> Any:
        """Write a span, at seconds after the start; without an end it is left open."""
        error = details.pop("error", None)
        span = self.provider.create_span(data, parent=parent or self.trace)
        span._clock = lambda: self.start + (end or start)
        span.start(at=self.start + start)
        span.details = details or None
        if error is not None:
            span.set_error(error)
        if end is not None:
            span.finish()
        return span

    def close(self, outcome: str | None = "completed") -> str:
        """End the trace, and return its id."""
        self.trace.finish()
        if outcome is not None:
            fields = {"outcome": outcome, "exit_code": 0, "agent": "weather", "session_id": "trip", "error": None}
            self.processor.record_outcome(self.trace.trace_id, fields)
        self.processor.shutdown()
        return self.trace.trace_id


def write_sample(folder: Path, text: str = "It is **sunny** in Oslo.", name: str = "get_weather") -> str:
    """Write a trace of every kind of span, and return its id."""
    writer = Writer(folder)
    run = writer.span(TaskSpanData("Agent workflow"), 0, 4.0)
    agent = writer.span(AgentSpanData(name, tools=[name], output_type="str"), 0, 2.4, run)
    writer.span(GuardrailSpanData("polite"), 0, 0.1, agent)
    turn = writer.span(TurnSpanData(1, name), 0.1, 2.2, agent)
    question = {
        "role": "user",
        "content": [{"type": "input_text", "text": text}, {"type": "input_image", "image_url": PIXEL}],
    }
    call = {"type": "function_call", "call_id": "c1", "name": name, "arguments": '{"city": "Oslo", "days": [1, 2]}'}
    first = ResponseSpanData({"id": "resp_1", "output": [call]}, [question], USAGE)
    writer.span(
        first, 0.1, 1.3, turn, model="gpt-5-mini", endpoint="https://api.openai.com/v1", transport="websocket",
        first_token_seconds=0.4, websocket={"full": 1, "opened": 1, "delta": 0},
        retries=[{"attempt": 1, "delay": 0.5, "error": "ServiceUnavailableError"}],
    )  # fmt: skip
    tool = writer.span(FunctionSpanData(name, '{"city": "Oslo"}', text), 1.3, 2.1, turn)
    writer.span(CustomSpanData("process", {"pid": 7, "exit_code": 0}), 1.4, 2.0, tool)
    writer.span(CustomSpanData("approval", {"tool": name, "call_id": "c1"}), 2.1, 2.15, agent, approved=True)
    writer.span(HandoffSpanData("weather", name), 2.2, 2.21, agent)
    second = writer.span(AgentSpanData("closer"), 2.4, 4.0, run)
    output = {"type": "function_call_output", "call_id": "c1", "output": text}
    answer = {"role": "assistant", "content": [{"type": "output_text", "text": text}]}
    turn = writer.span(TurnSpanData(2, "closer"), 2.4, 4.0, second)
    last = ResponseSpanData({"id": "resp_2", "output": [answer]}, [question, call, output], USAGE)
    writer.span(last, 2.4, 3.6, turn, model="gpt-5-mini", endpoint="https://api.openai.com/v1", transport="websocket")
    error = SpanError(message="ValueError", data={"error": text})
    writer.span(FunctionSpanData("broken", None, None), 3.6, 3.9, turn, error=error)
    return writer.close()


def read_only(folder: Path) -> Any:
    """Return the newest trace in a folder."""
    traces = LocalTraces(folder)
    return traces.read(traces.last())
