"""A model request as JSON, whatever transport it is sent over: the one that is recorded and compared."""

from __future__ import annotations

from typing import Any

from agentctl.agent.ports import ModelRequest
from agentctl.models.responses.request import build_request

_CACHE_KEY = "prompt_cache_key"
_OWN_CACHE_KEY = "agents-sdk:"
"""The beginning of the cache keys that the engine makes, each run its own."""


def request_json(request: ModelRequest, model: str) -> dict[str, Any]:
    """Return a request as the Responses API takes it, with the settings that other APIs have.

    Raises:
        UserError: the request cannot be built.
    """
    body: dict[str, Any] = build_request(request, model)
    settings = request.model_settings
    if str(body.get(_CACHE_KEY, "")).startswith(_OWN_CACHE_KEY):
        del body[_CACHE_KEY]
    for name in ("frequency_penalty", "presence_penalty", "extra_query"):
        if (value := getattr(settings, name)) is not None:
            body[name] = value
    if settings.extra_headers:
        body["extra_headers"] = sorted(settings.extra_headers)  # Their values may be keys.
    return body


def split_request(body: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """Return the fields of a request without its input, and the input."""
    given = body.get("input")
    items = given if isinstance(given, list) else [] if given is None else [given]
    return {name: value for name, value in body.items() if name != "input"}, items
