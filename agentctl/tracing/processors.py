"""The built-in processors and exporters, under the SDK's path, and the default processor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from agentctl.net.options import HttpOptions

from .batch import BatchTraceProcessor
from .export import EXPORT_OPTIONS, BackendSpanExporter, ConsoleSpanExporter
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

_FIRST_EXPORT_DELAY = 1.0
"""Seconds until a run's first export, early enough to have a connection when the process exits."""


@cache
def default_exporter() -> BackendSpanExporter:
    """Return the exporter of `default_processor`, which sends to OpenAI with the process's tracing key."""
    return BackendSpanExporter()


@cache
def default_processor() -> BatchTraceProcessor:
    """Return the processor of every trace unless `set_trace_processors` was called."""
    return BatchTraceProcessor(default_exporter())


def openai_processor(
    key: Callable[[], str | None], *, organization: str | None, project: str | None, ca_file: Path | None
) -> BatchTraceProcessor:
    """Return a processor that exports to OpenAI with the current result of `key` only."""
    options = replace(EXPORT_OPTIONS, ca_file=ca_file)
    exporter = _ExporterWithKey(key, organization=organization, project=project, options=options)
    return BatchTraceProcessor(exporter, schedule_delay=_FIRST_EXPORT_DELAY)


class _ExporterWithKey(BackendSpanExporter):
    def __init__(
        self, key: Callable[[], str | None], *, organization: str | None, project: str | None, options: HttpOptions
    ) -> None:
        super().__init__(organization=organization, project=project, options=options)
        self._key = key

    @property
    def api_key(self) -> str | None:
        return self._key()
