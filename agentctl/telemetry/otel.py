"""Our spans as those of the OpenTelemetry SDK, with its resource, sampler, limits, metrics and exporters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import trace as otel_trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from agentctl.tracing.traceparent import TraceParent, span_digits, trace_digits
from agentctl.version import __version__

from . import conventions as names
from .facts import SpanFacts

_SCOPE = "agentctl"
_SERVICE = "agentctl"
_NEVER = 86_400_000
"""Milliseconds between two exports of metrics, which are exported at the end."""
_CLOSE = 1_500
"""Milliseconds that the last export of metrics may take."""


class OtelSpans:
    """Makes spans of the SDK, with ids derived from ours."""

    def __init__(self, parent: TraceParent | None) -> None:
        self._parent = parent
        self._ids = _Ids()
        self._ended = _Collector()
        self._provider = TracerProvider(id_generator=self._ids, shutdown_on_exit=False, resource=_resource())
        self._provider.add_span_processor(self._ended)
        self._tracer = self._provider.get_tracer(_SCOPE, __version__, schema_url=names.SCHEMA_URL)

    def make(self, spans: Sequence[SpanFacts]) -> list[ReadableSpan]:
        """Return the spans of the SDK; those of traces that its sampler drops are left out."""
        for facts in spans:
            self._make_one(facts)
        return self._ended.take()

    def _make_one(self, facts: SpanFacts) -> None:
        parent = self._parent
        trace_id = int(trace_digits(facts.trace_id) if parent is None else parent.trace_id, 16)
        above = span_digits(facts.parent_id) if facts.parent_id else None if parent is None else parent.span_id
        context = None
        if above is not None:
            if parent is None and not self._is_sampled(trace_id, facts):
                return
            is_sampled = parent is None or parent.is_sampled
            flags = TraceFlags(TraceFlags.SAMPLED if is_sampled else TraceFlags.DEFAULT)
            remote = SpanContext(trace_id, int(above, 16), is_remote=facts.parent_id is None, trace_flags=flags)
            context = otel_trace.set_span_in_context(NonRecordingSpan(remote))
        self._ids.trace_id, self._ids.span_id = trace_id, int(span_digits(facts.id), 16)
        span = self._tracer.start_span(
            facts.title,
            context=context if context is not None else otel_trace.set_span_in_context(otel_trace.INVALID_SPAN),
            kind=SpanKind.CLIENT if facts.kind == "model" else SpanKind.INTERNAL,
            attributes=facts.attributes(),
            start_time=int(facts.started * 1e9),
        )
        if facts.error is not None:
            span.set_status(Status(StatusCode.ERROR, str(facts.error.get("message"))))
        span.end(int(facts.ended * 1e9))

    def _is_sampled(self, trace_id: int, facts: SpanFacts) -> bool:
        result = self._provider.sampler.should_sample(None, trace_id, facts.title)
        return result.decision is Decision.RECORD_AND_SAMPLE


class OtelPipeline:
    """Exports spans and metrics."""

    def __init__(self, environ: Mapping[str, str], parent: TraceParent | None) -> None:
        self._spans = OtelSpans(parent)
        self._exporter = None if environ.get("OTEL_TRACES_EXPORTER") == "none" else OTLPSpanExporter()
        self._metrics = None if environ.get("OTEL_METRICS_EXPORTER") == "none" else _Metrics()

    def export(self, spans: Sequence[SpanFacts]) -> None:
        """Export spans, and count their tokens and durations.

        Raises:
            OSError: the receiver did not accept them.
        """
        if self._metrics is not None:
            for facts in spans:
                if facts.kind == "model":
                    self._metrics.record(facts)
        made = self._spans.make(spans)
        if self._exporter is not None and made and self._exporter.export(made) is not SpanExportResult.SUCCESS:
            raise OSError("the OTLP receiver did not accept them")

    def close(self) -> None:
        """Export the metrics, and close the connections."""
        if self._metrics is not None:
            self._metrics.close()
        if self._exporter is not None:
            self._exporter.shutdown()  # type: ignore[no-untyped-call]


class _Metrics:
    """The metrics of model calls."""

    def __init__(self) -> None:
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=_NEVER)
        self._provider = MeterProvider([reader], shutdown_on_exit=False, resource=_resource())
        meter = self._provider.get_meter(_SCOPE, __version__, schema_url=names.SCHEMA_URL)
        self._tokens = meter.create_histogram(
            names.CLIENT_TOKEN_USAGE,
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=names.TOKEN_BUCKETS,
        )
        self._durations = meter.create_histogram(
            names.CLIENT_OPERATION_DURATION,
            unit="s",
            description="GenAI operation duration.",
            explicit_bucket_boundaries_advisory=names.DURATION_BUCKETS,
        )

    def record(self, facts: SpanFacts) -> None:
        """Count a model call."""
        attributes = facts.metric_attributes()
        self._durations.record(facts.ended - facts.started, attributes)
        for kind, count in facts.tokens().items():
            self._tokens.record(count, {**attributes, names.TOKEN_TYPE: kind})

    def close(self) -> None:
        """Export what was counted."""
        self._provider.shutdown(timeout_millis=_CLOSE)


class _Ids(IdGenerator):
    """Gives the ids that were set."""

    trace_id = 0
    span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class _Collector(SpanProcessor):
    """Collects the spans that have ended."""

    def __init__(self) -> None:
        self._spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self._spans.append(span)

    def take(self) -> list[ReadableSpan]:
        """Return the spans, and forget them."""
        taken, self._spans = self._spans, []
        return taken


def _resource() -> Any:
    """Return the resource of the environment; without a name, the service is agentctl."""
    import os

    from opentelemetry.sdk.resources import Resource

    is_named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return Resource.create({} if is_named else {"service.name": _SERVICE})
