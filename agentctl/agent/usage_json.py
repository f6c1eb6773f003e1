"""Usage as JSON, and the parts of it that spans have, under the names of the Agents SDK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from .usage import InputTokensDetails, OutputTokensDetails, RequestUsage, Usage
from .wire import JSONValue


def serialize_usage(usage: Usage) -> dict[str, JSONValue]:
    """Return usage as JSON, with an entry for each request; `deserialize_usage` reads it."""
    totals = model_usage_to_span_usage(usage)
    entries: list[JSONValue] = [
        {
            "input_tokens": entry.input_tokens,
            "output_tokens": entry.output_tokens,
            "total_tokens": entry.total_tokens,
            "input_tokens_details": asdict(entry.input_tokens_details),
            "output_tokens_details": asdict(entry.output_tokens_details),
        }
        for entry in usage.request_usage_entries
    ]
    return {
        **totals,
        "input_tokens_details": [totals["input_tokens_details"]],
        "output_tokens_details": [totals["output_tokens_details"]],
        "request_usage_entries": entries,
    }


def deserialize_usage(usage_data: Mapping[str, Any]) -> Usage:
    """Return the usage of `serialize_usage`; what is missing counts as 0."""
    return Usage(
        requests=usage_data.get("requests") or 0,
        **_tokens(usage_data),
        request_usage_entries=[RequestUsage(**_tokens(one)) for one in usage_data.get("request_usage_entries") or ()],
    )


def model_usage_to_span_usage(usage: Usage) -> dict[str, JSONValue]:
    """Return the usage of a model call for its span."""
    wire = usage.to_wire()
    wire.pop("transport", None)
    return wire


def turn_usage_to_span_data(usage: Usage) -> dict[str, int]:
    """Return the usage of a turn for its span."""
    details = usage.input_tokens_details
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_input_tokens": details.cached_tokens,
        "cache_write_input_tokens": details.cache_write_tokens,
    }


def task_usage_to_span_data(usage: Usage) -> dict[str, int]:
    """Return the usage of a run for its span."""
    return {**turn_usage_to_span_data(usage), "requests": usage.requests, "total_tokens": usage.total_tokens}


def total_usage_to_span_metadata(usage: Usage) -> dict[str, int]:
    """Return the usage of a run for the metadata of a span."""
    return task_usage_to_span_data(usage)


def _tokens(data: Mapping[str, Any]) -> dict[str, Any]:
    read, written = _details(data.get("input_tokens_details")), _details(data.get("output_tokens_details"))
    return {
        "input_tokens": data.get("input_tokens") or 0,
        "output_tokens": data.get("output_tokens") or 0,
        "total_tokens": data.get("total_tokens") or 0,
        "input_tokens_details": InputTokensDetails(read.get("cached_tokens") or 0, read.get("cache_write_tokens") or 0),
        "output_tokens_details": OutputTokensDetails(written.get("reasoning_tokens") or 0),
    }


def _details(data: Any) -> Mapping[str, Any]:
    if isinstance(data, list):
        data = data[0] if data else None
    return data if isinstance(data, Mapping) else {}
