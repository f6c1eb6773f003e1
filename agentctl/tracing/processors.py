"""Processors and exporters that ship, under the SDK's path, and the one that a process has from the start."""

from __future__ import annotations

from functools import cache

from .batch import BatchTraceProcessor
from .export import BackendSpanExporter, ConsoleSpanExporter
from .processor_interface import TracingExporter, TracingProcessor

__all__ = [
    "BackendSpanExporter",
    "BatchTraceProcessor",
    "ConsoleSpanExporter",
    "TracingExporter",
    "TracingProcessor",
    "default_exporter",
    "default_processor",
]


@cache
def default_exporter() -> BackendSpanExporter:
    """Return the exporter of `default_processor`, which sends to OpenAI with the process's key for traces."""
    return BackendSpanExporter()


@cache
def default_processor() -> BatchTraceProcessor:
    """Return the processor that hears of every trace where `set_trace_processors` was not called."""
    return BatchTraceProcessor(default_exporter())
