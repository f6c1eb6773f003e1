"""The trace provider of this process, created on first use, so that tracing costs nothing before."""

from __future__ import annotations

import atexit
import os
import threading
from typing import TYPE_CHECKING

from agentctl.net.defaults import tracing_export_key

from .environment import ENDPOINT, is_disabled_by

if TYPE_CHECKING:
    from .processor_interface import TracingProcessor
    from .provider import DefaultProcessor, TraceProvider


class _ExportToOpenAI:
    """The default of the library, as in the SDK: traces are exported to OpenAI if there is a key."""

    def is_wanted(self) -> bool:
        return tracing_export_key(ENDPOINT, os.environ) is not None

    def make(self) -> TracingProcessor:
        # 5 ms, spent only if something is traced.
        from .processors import default_processor

        return default_processor()


_lock = threading.Lock()
_provider: TraceProvider | None = None
_default: DefaultProcessor | None = _ExportToOpenAI()
_is_disabled: bool | None = None


def is_tracing_active(api_key: str | None = None) -> bool:
    """Return whether a trace would have any processor; if not, the engine creates none.

    `api_key` is the trace's own export key.
    """
    if _provider is not None:
        return _provider.is_heard(api_key)
    has_processor = _default is not None and (api_key is not None or _default.is_wanted())
    return has_processor and not is_tracing_disabled()


def is_tracing_disabled() -> bool:
    """Return whether tracing is disabled in this process."""
    return is_disabled_by(os.environ) if _is_disabled is None else _is_disabled


def get_trace_provider() -> TraceProvider:
    """Return the provider of the process."""
    global _provider
    if _provider is None:
        with _lock:
            _provider = _provider or _default_provider()
    return _provider


def set_trace_provider(provider: TraceProvider) -> None:
    """Set the provider of the process."""
    global _provider
    with _lock:
        _provider = provider


def set_default_processor(default: DefaultProcessor | None) -> None:
    """Set the default processor of the process, before anything is traced."""
    global _default
    _default = default


def add_trace_processor(span_processor: TracingProcessor) -> None:
    """Add a processor for every trace and span to the existing ones."""
    get_trace_provider().register_processor(span_processor)


def set_trace_processors(processors: list[TracingProcessor]) -> None:
    """Replace the processors for every trace and span."""
    get_trace_provider().set_processors(processors)


def set_tracing_disabled(disabled: bool) -> None:
    """Disable or enable tracing in this process, overriding OPENAI_AGENTS_DISABLE_TRACING."""
    global _is_disabled
    _is_disabled = disabled
    if _provider is not None:
        _provider.set_disabled(disabled)


def flush_traces() -> None:
    """Flush every processor, and wait for it."""
    if _provider is not None:
        _provider.force_flush()


@atexit.register
def end_tracing() -> None:
    """Shut down every processor when the process exits, within two seconds."""
    if _provider is not None:
        _provider.shutdown()


def _default_provider() -> TraceProvider:
    # 5 ms, spent only if something is traced.
    from .provider import DefaultTraceProvider

    return DefaultTraceProvider(_default, disabled=_is_disabled)
