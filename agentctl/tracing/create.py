"""Functions that create traces and spans: `with trace("my workflow"):`, `with custom_span("my work"):`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from agentctl.log import tracing_logger as logger

from .process import get_trace_provider
from .span_data import (
    AgentSpanData,
    CustomSpanData,
    FunctionSpanData,
    GenerationSpanData,
    GuardrailSpanData,
    HandoffSpanData,
    MCPListToolsSpanData,
    ResponseSpanData,
    SpeechGroupSpanData,
    SpeechSpanData,
    TaskSpanData,
    TranscriptionSpanData,
    TurnSpanData,
)
from .spans import Span, Trace, TracingConfig

if TYPE_CHECKING:
    from openai.types.responses import Response


def trace(
    workflow_name: str,
    trace_id: str | None = None,
    group_id: str | None = None,
    metadata: dict[str, Any] | None = None,
    tracing: TracingConfig | None = None,
    disabled: bool = False,
) -> Trace:
    """Return a new trace, for use in a `with` statement or with explicit `start` and `finish`.

    `group_id` is shared by related traces, for instance those of one conversation.
    """
    provider = get_trace_provider()
    if provider.get_current_trace() is not None:
        logger.warning("trace %r starts inside another trace; use a span to structure a trace", workflow_name)
    return provider.create_trace(workflow_name, trace_id, group_id, metadata, disabled, tracing)


class TraceCtxManager:
    """A context manager that starts a new trace unless there is a current one; every run uses it."""

    def __init__(
        self,
        workflow_name: str,
        trace_id: str | None,
        group_id: str | None,
        metadata: dict[str, Any] | None,
        tracing: TracingConfig | None,
        disabled: bool,
    ) -> None:
        self._arguments = (workflow_name, trace_id, group_id, metadata, disabled, tracing)
        self._trace: Trace | None = None

    def __enter__(self) -> Self:
        provider = get_trace_provider()
        if provider.get_current_trace() is None:
            self._trace = provider.create_trace(*self._arguments)
            self._trace.start(mark_as_current=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._trace is not None:
            self._trace.finish(reset_current=True)


def agent_span(
    name: str,
    handoffs: list[str] | None = None,
    tools: list[str] | None = None,
    output_type: str | None = None,
    span_id: str | None = None,
    parent: Trace | Span[Any] | None = None,
    disabled: bool = False,
) -> Span[AgentSpanData]:
    """Return a new span for an agent."""
    data = AgentSpanData(name, handoffs, tools, output_type)
    return get_trace_provider().create_span(data, span_id, parent, disabled)


def function_span(
    name: str,
    input: str | None = None,
    output: str | None = None,
    span_id: str | None = None,
    parent: Trace | Span[Any] | None = None,
    disabled: bool = False,
) -> Span[FunctionSpanData]:
    """Return a new span for a tool call."""
    return get_trace_provider().create_span(FunctionSpanData(name, input, output), span_id, parent, disabled)


def generation_span(
    input: Sequence[Mapping[str, Any]] | None = None,
    output: Sequence[Mapping[str, Any]] | None = None,
    model: str | None = None,
    model_config: Mapping[str, Any] | None = None,
    usage: dict[str, Any] | None = None,
    span_id: str | None = None,
    parent: Trace | Span[Any] | None = None,
    disabled: bool = False,
) -> Span[GenerationSpanData]:
    """Return a new span for a model call."""
    data = GenerationSpanData(input, output, model, model_config, usage)
    return get_trace_provider().create_span(data, span_id, parent, disabled)


def response_span(
    response: Response | None = None,
    span_id: str | None = None,
    parent: Trace | Span[Any] | None = None,
    disabled: bool = False,
) -> Span[ResponseSpanData]:
    """Return a new span for a model call to the Responses API."""
    return get_trace_provider().create_span(ResponseSpanData(response), span_id, parent, disabled)


def handoff_span(
    from_agent: str | None = None,
    to_agent: str | None = None,
    span_id: str | None = None,
    parent: Trace | Span[Any] | None = None,
    disabled: bool = False,
) -> Span[HandoffSpanData]:
    """Return a new span for a handoff."""
    return get_trace_provider().create_span(HandoffSpanData(from_agent, to_agent), span_id, parent, disabled)


def guardrail_span(
    name: str,
    triggered: bool = False,
    span_id: str | None = None,
    parent: Trace | Span[Any] | None = None,
    disabled: bool = False,
) -> Span[GuardrailSpanData]:
    """Return a new span for a guardrail."""
    return get_trace_provider().create_span(GuardrailSpanData(name, triggered), span_id, parent, disabled)


def custom_span(
    name: str,
    data: dict[str, Any] | None = None,
    span_id: str | None = None,
    parent: Trace | Span[Any] | None = None,
    disabled: bool = False,
) -> Span[CustomSpanData]:
    """Return a new span for custom work."""
    return get_trace_provider().create_span(CustomSpanData(name, data or {}), span_id, parent, disabled)


def mcp_tools_span(
    server: str | None = None,
    result: list[str] | None = None,
    span_id: str | None = None,
    parent: Trace | Span[Any] | None = None,
    disabled: bool = False,
) -> Span[MCPListToolsSpanData]:
    """Return a new span for listing the tools of an MCP server."""
    return get_trace_provider().create_span(MCPListToolsSpanData(server, result), span_id, parent, disabled)


def speech_span(
    model: str | None = None,
    input: str | None = None,
    output: str | None = None,
    output_format: str | None = "pcm",
    model_config: Mapping[str, Any] | None = None,
    first_content_at: str | None = None,
    span_id: str | None = None,
    parent: Trace | Span[Any] | None = None,
    disabled: bool = False,
) -> Span[SpeechSpanData]:
    """Return a new span for text-to-speech."""
    data = SpeechSpanData(input, output, output_format, model, model_config, first_content_at)
    return get_trace_provider().create_span(data, span_id, parent, disabled)


def speech_group_span(
    input: str | None = None,
    span_id: str | None = None,
    parent: Trace | Span[Any] | None = None,
    disabled: bool = False,
) -> Span[SpeechGroupSpanData]:
    """Return a new span that groups spans of speech."""
    return get_trace_provider().create_span(SpeechGroupSpanData(input), span_id, parent, disabled)


def transcription_span(
    model: str | None = None,
    input: str | None = None,
    input_format: str | None = "pcm",
    output: str | None = None,
    model_config: Mapping[str, Any] | None = None,
    span_id: str | None = None,
    parent: Trace | Span[Any] | None = None,
    disabled: bool = False,
) -> Span[TranscriptionSpanData]:
    """Return a new span for speech-to-text."""
    data = TranscriptionSpanData(input, input_format, output, model, model_config)
    return get_trace_provider().create_span(data, span_id, parent, disabled)


def turn_span(
    turn: int,
    agent_name: str,
    span_id: str | None = None,
    parent: Trace | Span[Any] | None = None,
    disabled: bool = False,
) -> Span[TurnSpanData]:
    """Return a new span for a turn."""
    return get_trace_provider().create_span(TurnSpanData(turn, agent_name), span_id, parent, disabled)


def task_span(
    name: str, span_id: str | None = None, parent: Trace | Span[Any] | None = None, disabled: bool = False
) -> Span[TaskSpanData]:
    """Return a new span for a run."""
    return get_trace_provider().create_span(TaskSpanData(name), span_id, parent, disabled)


def gen_trace_id() -> str:
    """Return a new trace id."""
    return get_trace_provider().gen_trace_id()


def gen_span_id() -> str:
    """Return a new span id."""
    return get_trace_provider().gen_span_id()


def gen_group_id() -> str:
    """Return a new id for traces that belong together."""
    # 5 ms, saved for programs that group no traces.
    import secrets

    return f"group_{secrets.token_hex(12)}"


def time_iso() -> str:
    """Return the current time in UTC, as spans have it."""
    return datetime.now(UTC).isoformat()
