"""Settings of runs, and tracing, as users of the Agents SDK write them."""

from __future__ import annotations

from typing import Any

from agentctl import (
    RunConfig,
    ToolErrorFormatterArgs,
    ToolExecutionConfig,
    TracingProcessor,
    add_trace_processor,
    agent_span,
    flush_traces,
    function_span,
    gen_trace_id,
    get_current_span,
    get_current_trace,
    set_trace_processors,
    set_tracing_disabled,
    set_tracing_export_api_key,
    trace,
)
from agentctl.tracing import Span, Trace


def worded(args: ToolErrorFormatterArgs[Any]) -> str | None:
    return f"{args.tool_name}: {args.default_message}" if args.kind == "tool_not_found" else None


configs = [
    RunConfig(model="gpt-5-mini", tool_error_formatter=worded, tool_not_found_behavior="return_error_to_model"),
    RunConfig(tool_execution=ToolExecutionConfig(max_function_tool_concurrency=2), tool_name_collision_policy="error"),
    RunConfig(
        workflow_name="w", trace_id=gen_trace_id(), group_id="g", trace_metadata={"a": "b"}, tracing_disabled=True
    ),
    RunConfig(tracing={"api_key": "sk-none"}, trace_include_sensitive_data=False),
]


class Printer(TracingProcessor):
    def on_trace_start(self, trace: Trace) -> None:
        print(trace.trace_id, trace.name)

    def on_trace_end(self, trace: Trace) -> None:
        print(trace.export())

    def on_span_start(self, span: Span[Any]) -> None:
        print(span.span_id, span.parent_id)

    def on_span_end(self, span: Span[Any]) -> None:
        print(span.span_data.type, span.error)

    def shutdown(self) -> None: ...

    def force_flush(self) -> None: ...


def set_up() -> None:
    add_trace_processor(Printer())
    set_trace_processors([Printer()])
    set_tracing_export_api_key("sk-none")
    set_tracing_disabled(True)
    with trace("workflow") as whole, agent_span("a", tools=["t"]), function_span("step", input="x") as span:
        span.set_error({"message": "no", "data": None})
        span.span_data.output = "y"
        print(whole.trace_id, get_current_span(), get_current_trace())
    flush_traces()
