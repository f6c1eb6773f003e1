"""The provider of traces that this process uses: made when first asked for, so that until then tracing is free."""

from __future__ import annotations

import atexit
import threading
from typing import TYPE_CHECKING

from agentctl._lazy import exporter

if TYPE_CHECKING:
    from .processor_interface import TracingProcessor
    from .provider import TraceProvider

# 5 ms that a process which traces nothing does not pay.
_load = exporter(__name__, {"DefaultTraceProvider": "agentctl.tracing.provider"})[0]

_lock = threading.Lock()
_provider: TraceProvider | None = None


def is_tracing_heard() -> bool:
    """Return whether anybody would be told of a trace: where nobody would, the engine makes none."""
    return _provider is not None and _provider.is_heard


def get_trace_provider() -> TraceProvider:
    """Return the provider that the process uses."""
    global _provider
    if _provider is None:
        with _lock:
            _provider = _provider or _default_provider()
    return _provider


def set_trace_provider(provider: TraceProvider) -> None:
    """Use this provider from now on."""
    global _provider
    with _lock:
        _provider = provider


def add_trace_processor(span_processor: TracingProcessor) -> None:
    """Tell this processor of every trace and span, beside those there are."""
    get_trace_provider().register_processor(span_processor)


def set_trace_processors(processors: list[TracingProcessor]) -> None:
    """Tell these processors of every trace and span, in place of those there are."""
    get_trace_provider().set_processors(processors)


def set_tracing_disabled(disabled: bool) -> None:
    """Stop tracing in this process, or begin again; until this is called OPENAI_AGENTS_DISABLE_TRACING decides."""
    get_trace_provider().set_disabled(disabled)


def flush_traces() -> None:
    """Have every processor pass on what it keeps."""
    get_trace_provider().force_flush()


def _default_provider() -> TraceProvider:
    make = _load("DefaultTraceProvider")
    assert callable(make)
    provider: TraceProvider = make()
    return provider


@atexit.register
def _shut_down() -> None:
    if _provider is not None:
        _provider.shutdown()
