"""How every request body ends: unset fields left out, the user's further fields put in, and all of it as JSON; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.wire import JSONValue
from agentctl.errors import UserError


def with_extras(fields: Mapping[str, JSONValue], settings: ModelSettings) -> dict[str, JSONValue]:
    """Return the fields that are set, with the user's further ones.

    `extra_args` come beside the fields of the settings, and may not repeat one; `extra_body` goes over everything.

    Raises:
        UserError: `extra_args` repeats a field.
    """
    body = {name: value for name, value in fields.items() if value is not None}
    if repeated := sorted(body.keys() & (settings.extra_args or {}).keys()):
        raise UserError(
            f"ModelSettings.extra_args repeats {', '.join(map(repr, repeated))}, which the request has already: set it "
            "in one place (extra_body goes over it)"
        )
    return {**body, **(settings.extra_args or {}), **(settings.extra_body or {})}


def encode_json(value: JSONValue, field: str) -> bytes:
    """Return a value as JSON; `field` is its place in the request, for messages.

    Raises:
        UserError: it holds what JSON cannot say.
    """
    try:
        return _ENCODER.encode(value).encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{field} of the request holds half of a surrogate pair, which is no Unicode text") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{field} of the request is not JSON: {error}") from error


def _as_json(value: Any) -> JSONValue:
    """Return an `openai` object in a user's input as JSON."""
    dump = getattr(value, "model_dump", None)
    if dump is None:
        raise TypeError(f"{type(value).__name__} has no form in JSON")
    return dump(mode="json", exclude_unset=True)


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_as_json)
