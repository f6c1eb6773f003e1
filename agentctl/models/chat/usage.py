"""The usage of a chat completion as the usage of a response; pure."""

from __future__ import annotations

from typing import Any

from agentctl.agent.wire import JSONValue


def response_usage(usage: dict[str, Any]) -> dict[str, JSONValue]:
    """Return the counts under their names in the Responses API; a missing one is 0."""
    read, written = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    cached = _count(usage.get("prompt_tokens_details"), "cached_tokens")
    thought = _count(usage.get("completion_tokens_details"), "reasoning_tokens")
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": _count(usage, "total_tokens") or read + written,
    }


def _count(fields: JSONValue, name: str) -> int:
    value = fields.get(name) if isinstance(fields, dict) else None
    return value if isinstance(value, int) else 0
