"""The exporter of spans and metrics by OTLP over HTTP; the standard OTEL_* variables configure it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agentctl.errors import ConfigurationError
from agentctl.packages import OTEL, install_command
from agentctl.redaction import register_secret
from agentctl.tracing.batch import BatchTraceProcessor
from agentctl.tracing.processor_interface import TracingExporter
from agentctl.tracing.spans import Span
from agentctl.tracing.traceparent import TraceParent

from .facts import facts_of

if TYPE_CHECKING:
    from agentctl.tracing.spans import Trace

    from .otel import OtelPipeline

_DELAY = 1.0
"""Seconds until the first export: the import of the SDK does not disturb the start of a run."""


def otel_processor(environ: Mapping[str, str], parent: TraceParent | None) -> BatchTraceProcessor:
    """Return the processor that exports every span, below the parent, if there is one.

    Raises:
        ConfigurationError: the extra `otel` is not installed.
    """
    check_installed()
    register_headers(environ)
    return BatchTraceProcessor(_OtelExporter(environ, parent), schedule_delay=_DELAY)


def check_installed() -> None:
    """Raise `ConfigurationError`, which names the packages, unless it is installed; imports nothing of it."""
    from importlib.util import find_spec

    for name in ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
        try:
            found = find_spec(name)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise ConfigurationError(f"OpenTelemetry is not installed: {install_command(*OTEL)}", key="trace.otel")


def register_headers(environ: Mapping[str, str]) -> None:
    """Register the values of the OTLP headers as secrets."""
    from urllib.parse import unquote

    for name, text in environ.items():
        if name.startswith("OTEL_EXPORTER_OTLP_") and name.endswith("HEADERS"):
            for header in text.split(","):
                value = header.partition("=")[2].strip()
                register_secret(value)
                register_secret(unquote(value))


class _OtelExporter(TracingExporter):
    """Exports spans in batches, in the thread of a batch processor, which no run waits for."""

    def __init__(self, environ: Mapping[str, str], parent: TraceParent | None) -> None:
        self._environ = environ
        self._parent = parent
        self._pipeline: OtelPipeline | None = None

    def export(self, items: Sequence[Trace | Span[Any]]) -> None:
        """Export the spans.

        Raises:
            OSError: the receiver did not accept them.
        """
        spans: Iterable[Span[Any]] = [item for item in items if isinstance(item, Span)]
        if not spans:
            return
        if self._pipeline is None:
            quiet = logging.getLogger("opentelemetry")
            quiet.addHandler(logging.NullHandler())
            quiet.propagate = False  # A failure is one warning of ours.
            # 300 ms.
            from .otel import OtelPipeline

            self._pipeline = OtelPipeline(self._environ, self._parent)
        self._pipeline.export([facts_of(span) for span in spans])

    def close(self) -> None:
        """Export the metrics, and close the connection."""
        if self._pipeline is not None:
            self._pipeline.close()
