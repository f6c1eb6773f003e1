"""Spans as a document of OTLP in JSON, as the OpenTelemetry collector reads it from a file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from agentctl.agent.wire import JSONValue

from .facts import SpanFacts


def otlp_document(spans: Sequence[SpanFacts]) -> dict[str, JSONValue]:
    """Return the spans as one export request.

    Raises:
        ConfigurationError: the extra `otel` is not installed.
    """
    from .export import check_installed

    check_installed()
    # 300 ms, only for this format.
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    from .otel import OtelSpans

    document: dict[str, JSONValue] = MessageToDict(
        encode_spans(OtelSpans(None).make(spans)), use_integers_for_enums=True
    )
    _write_ids_in_hex(document)
    return document


def _write_ids_in_hex(value: Any) -> None:
    """Write ids as OTLP has them: the JSON of protobuf has base64."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("traceId", "spanId", "parentSpanId"):
                value[name] = base64.b64decode(inner).hex()
            else:
                _write_ids_in_hex(inner)
    elif isinstance(value, list):
        for inner in value:
            _write_ids_in_hex(inner)
