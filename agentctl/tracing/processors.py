"""Processors and exporters that ship, under the SDK's path, and the one that a process has from the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from agentctl.net.options import HttpOptions

from .batch import BatchTraceProcessor
from .export import PATIENCE, BackendSpanExporter, ConsoleSpanExporter
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

_SOON = 1.0
"""Seconds after which a run is exported for the first time, so that its connection stands when the process ends."""


@cache
def default_exporter() -> BackendSpanExporter:
    """Return the exporter of `default_processor`, which sends to OpenAI with the process's key for traces."""
    return BackendSpanExporter()


@cache
def default_processor() -> BatchTraceProcessor:
    """Return the processor that hears of every trace where `set_trace_processors` was not called."""
    return BatchTraceProcessor(default_exporter())


def openai_processor(
    key: Callable[[], str | None], *, organization: str | None, project: str | None, ca_file: Path | None
) -> BatchTraceProcessor:
    """Return a processor that exports to OpenAI with the key that there is at the time, and no other."""
    options = replace(PATIENCE, ca_file=ca_file)
    exporter = _ExporterWithKey(key, organization=organization, project=project, options=options)
    return BatchTraceProcessor(exporter, schedule_delay=_SOON)


class _ExporterWithKey(BackendSpanExporter):
    def __init__(
        self, key: Callable[[], str | None], *, organization: str | None, project: str | None, options: HttpOptions
    ) -> None:
        super().__init__(organization=organization, project=project, options=options)
        self._key = key

    @property
    def api_key(self) -> str | None:
        return self._key()
