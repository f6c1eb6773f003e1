"""The provider of traces that this process uses: made when first asked for, so that until then tracing is free."""

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
    """The default of the library, as that of the SDK: traces go to OpenAI where there is a key for it."""

    def is_wanted(self) -> bool:
        return tracing_export_key(ENDPOINT, os.environ) is not None

    def make(self) -> TracingProcessor:
        # 5 ms that a process which traces nothing does not pay.
        from .processors import default_processor

        return default_processor()


_lock = threading.Lock()
_provider: TraceProvider | None = None
_default: DefaultProcessor | None = _ExportToOpenAI()
_is_disabled: bool | None = None


def is_tracing_heard(api_key: str | None = None) -> bool:
    """Return whether anybody would be told of a trace: where nobody would, the engine makes none.

    `api_key` is the one that the trace itself would be exported with.
    """
    if _provider is not None:
        return _provider.is_heard(api_key)
    has_hearer = _default is not None and (api_key is not None or _default.is_wanted())
    return has_hearer and not is_tracing_disabled()


def is_tracing_disabled() -> bool:
    """Return whether tracing is stopped in this process."""
    return is_disabled_by(os.environ) if _is_disabled is None else _is_disabled


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


def set_default_processor(default: DefaultProcessor | None) -> None:
    """Choose what the process tells of its traces where nobody said otherwise, before anything is traced."""
    global _default
    _default = default


def add_trace_processor(span_processor: TracingProcessor) -> None:
    """Tell this processor of every trace and span, beside those there are."""
    get_trace_provider().register_processor(span_processor)


def set_trace_processors(processors: list[TracingProcessor]) -> None:
    """Tell these processors of every trace and span, in place of those there are."""
    get_trace_provider().set_processors(processors)


def set_tracing_disabled(disabled: bool) -> None:
    """Stop tracing in this process, or begin again; until this is called OPENAI_AGENTS_DISABLE_TRACING decides."""
    global _is_disabled
    _is_disabled = disabled
    if _provider is not None:
        _provider.set_disabled(disabled)


def flush_traces() -> None:
    """Have every processor pass on what it keeps, and wait for it."""
    if _provider is not None:
        _provider.force_flush()


@atexit.register
def end_tracing() -> None:
    """Have every processor finish, for at most two seconds: the process ends."""
    if _provider is not None:
        _provider.shutdown()


def _default_provider() -> TraceProvider:
    # 5 ms that a process which traces nothing does not pay.
    from .provider import DefaultTraceProvider

    return DefaultTraceProvider(_default, disabled=_is_disabled)
