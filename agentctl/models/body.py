"""Request bodies: removes unset fields, adds the user's extra fields, and encodes the result as JSON; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.wire import JSONValue
from agentctl.errors import UserError


def with_extras(fields: Mapping[str, JSONValue], settings: ModelSettings) -> dict[str, JSONValue]:
    """Return the fields that are set, together with the user's extra fields.

    `extra_args` are added to the fields, and may not repeat one; `extra_body` overrides everything.

    Raises:
        UserError: `extra_args` repeats a field.
    """
    body = {name: value for name, value in fields.items() if value is not None}
    if repeated := sorted(body.keys() & (settings.extra_args or {}).keys()):
        raise UserError(
            f"ModelSettings.extra_args repeats {', '.join(map(repr, repeated))}, which the request already has: set it "
            "in one place (extra_body overrides it)"
        )
    return {**body, **(settings.extra_args or {}), **(settings.extra_body or {})}


def encode_json(value: JSONValue, field: str) -> bytes:
    """Return a value as JSON; `field` is its name in the request, for messages.

    Raises:
        UserError: the value cannot be encoded as JSON.
    """
    try:
        text = _ENCODER.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{field} of the request cannot be encoded as JSON: {error}") from error
    try:
        return text.encode()
    except UnicodeEncodeError:  # A half of a character, which a model may have cut.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _as_json(value: Any) -> object:
    """Return an `openai` object in a user's input as JSON."""
    dump = getattr(value, "model_dump", None)
    if dump is None:
        raise TypeError(f"{type(value).__name__} has no JSON form")
    return dump(mode="json", exclude_unset=True)


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_as_json)
