"""Tracing: what a run did, as a tree of spans, told to processors as it happens: a lazy facade."""

from typing import TYPE_CHECKING

from agentctl._lazy import exporter

if TYPE_CHECKING:
    from .create import TraceCtxManager as TraceCtxManager
    from .create import agent_span as agent_span
    from .create import custom_span as custom_span
    from .create import function_span as function_span
    from .create import gen_span_id as gen_span_id
    from .create import gen_trace_id as gen_trace_id
    from .create import generation_span as generation_span
    from .create import guardrail_span as guardrail_span
    from .create import handoff_span as handoff_span
    from .create import mcp_tools_span as mcp_tools_span
    from .create import response_span as response_span
    from .create import speech_group_span as speech_group_span
    from .create import speech_span as speech_span
    from .create import task_span as task_span
    from .create import trace as trace
    from .create import transcription_span as transcription_span
    from .create import turn_span as turn_span
    from .current import get_current_span as get_current_span
    from .current import get_current_trace as get_current_trace
    from .process import add_trace_processor as add_trace_processor
    from .process import flush_traces as flush_traces
    from .process import get_trace_provider as get_trace_provider
    from .process import set_trace_processors as set_trace_processors
    from .process import set_trace_provider as set_trace_provider
    from .process import set_tracing_disabled as set_tracing_disabled
    from .processor_interface import TracingExporter as TracingExporter
    from .processor_interface import TracingProcessor as TracingProcessor
    from .provider import TraceProvider as TraceProvider
    from .span_data import AgentSpanData as AgentSpanData
    from .span_data import CustomSpanData as CustomSpanData
    from .span_data import FunctionSpanData as FunctionSpanData
    from .span_data import GenerationSpanData as GenerationSpanData
    from .span_data import GuardrailSpanData as GuardrailSpanData
    from .span_data import HandoffSpanData as HandoffSpanData
    from .span_data import MCPListToolsSpanData as MCPListToolsSpanData
    from .span_data import ResponseSpanData as ResponseSpanData
    from .span_data import SpanData as SpanData
    from .span_data import SpeechGroupSpanData as SpeechGroupSpanData
    from .span_data import SpeechSpanData as SpeechSpanData
    from .span_data import TaskSpanData as TaskSpanData
    from .span_data import TranscriptionSpanData as TranscriptionSpanData
    from .span_data import TurnSpanData as TurnSpanData
    from .spans import Span as Span
    from .spans import SpanError as SpanError
    from .traces import Trace as Trace
    from .traces import TracingConfig as TracingConfig

__getattr__, __dir__, __all__ = exporter(
    __name__,
    {
        "AgentSpanData": "agentctl.tracing.span_data",
        "CustomSpanData": "agentctl.tracing.span_data",
        "FunctionSpanData": "agentctl.tracing.span_data",
        "GenerationSpanData": "agentctl.tracing.span_data",
        "GuardrailSpanData": "agentctl.tracing.span_data",
        "HandoffSpanData": "agentctl.tracing.span_data",
        "MCPListToolsSpanData": "agentctl.tracing.span_data",
        "ResponseSpanData": "agentctl.tracing.span_data",
        "Span": "agentctl.tracing.spans",
        "SpanData": "agentctl.tracing.span_data",
        "SpanError": "agentctl.tracing.spans",
        "SpeechGroupSpanData": "agentctl.tracing.span_data",
        "SpeechSpanData": "agentctl.tracing.span_data",
        "TaskSpanData": "agentctl.tracing.span_data",
        "Trace": "agentctl.tracing.traces",
        "TraceCtxManager": "agentctl.tracing.create",
        "TraceProvider": "agentctl.tracing.provider",
        "TracingConfig": "agentctl.tracing.traces",
        "TracingExporter": "agentctl.tracing.processor_interface",
        "TracingProcessor": "agentctl.tracing.processor_interface",
        "TranscriptionSpanData": "agentctl.tracing.span_data",
        "TurnSpanData": "agentctl.tracing.span_data",
        "add_trace_processor": "agentctl.tracing.process",
        "agent_span": "agentctl.tracing.create",
        "custom_span": "agentctl.tracing.create",
        "flush_traces": "agentctl.tracing.process",
        "function_span": "agentctl.tracing.create",
        "gen_span_id": "agentctl.tracing.create",
        "gen_trace_id": "agentctl.tracing.create",
        "generation_span": "agentctl.tracing.create",
        "get_current_span": "agentctl.tracing.current",
        "get_current_trace": "agentctl.tracing.current",
        "get_trace_provider": "agentctl.tracing.process",
        "guardrail_span": "agentctl.tracing.create",
        "handoff_span": "agentctl.tracing.create",
        "mcp_tools_span": "agentctl.tracing.create",
        "response_span": "agentctl.tracing.create",
        "set_trace_processors": "agentctl.tracing.process",
        "set_trace_provider": "agentctl.tracing.process",
        "set_tracing_disabled": "agentctl.tracing.process",
        "speech_group_span": "agentctl.tracing.create",
        "speech_span": "agentctl.tracing.create",
        "task_span": "agentctl.tracing.create",
        "trace": "agentctl.tracing.create",
        "transcription_span": "agentctl.tracing.create",
        "turn_span": "agentctl.tracing.create",
    },
)
