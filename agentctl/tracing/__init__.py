"""Tracing: runs as trees of spans, delivered to processors as they happen: a lazy facade."""

from typing import TYPE_CHECKING

from agentctl._lazy import lazy_names

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
    from .local import LocalTraceProcessor as LocalTraceProcessor
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
    from .spans import Trace as Trace
    from .spans import TracingConfig as TracingConfig

__getattr__, __dir__ = lazy_names(__name__)
