"""The user's context as JSON and back: through functions of the user's, and never by the name of a class."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from agentctl.agent.context import RunContextWrapper
from agentctl.agent.wire import JSONValue
from agentctl.errors import UserError
from agentctl.log import logger

from .state_items import plain
from .state_reader import Fields

ContextSerializer: TypeAlias = Callable[[Any], Mapping[str, Any]]
"""Returns the user's context as JSON."""

ContextDeserializer: TypeAlias = Callable[[Mapping[str, Any]], Any]
"""Makes the user's context of what the serializer gave."""


def context_json(context: Any, serializer: ContextSerializer | None, *, strict: bool) -> JSONValue:
    """Return the user's context as JSON: what cannot be kept is left out with a warning, or refused.

    Raises:
        UserError: `strict`, and it is no JSON and has no serializer; the serializer gives no JSON.
    """
    if serializer is not None:
        kept: Any = serializer(context)
        if not isinstance(kept, Mapping):
            raise UserError(f"context_serializer gives a mapping, not a {type(kept).__name__}")
        try:
            return json.loads(json.dumps(dict(kept)))
        except (TypeError, ValueError, RecursionError) as error:
            raise UserError(f"what context_serializer gave is no JSON: {error}") from error
    try:
        return json.loads(json.dumps(context))
    except (TypeError, ValueError, RecursionError):
        kind = type(context).__name__
    if strict:
        raise UserError(f"the context of the run is a {kind}, which is no JSON: give to_json a context_serializer")
    kept = plain(context)
    if isinstance(kept, str):
        logger.warning("the context of the run, a %s, is left out of its state: it is no JSON", kind)
        return None
    logger.warning("the context of the run, a %s, is kept in its state as a dict of its fields", kind)
    return kept


def read_context(fields: Fields, override: Any, deserializer: ContextDeserializer | None, *, strict: bool) -> Any:
    """Return the user's context that was JSON, or what is given in its place.

    Raises:
        UserError: `strict`, and it was kept by a serializer and has no deserializer; the deserializer failed.
    """
    kept, is_serialized = fields.value("context"), fields.flag("context_is_serialized")
    if override is not None:
        return override.context if isinstance(override, RunContextWrapper) else override
    if deserializer is not None and kept is not None:
        if not isinstance(kept, dict):
            raise UserError(f"context_deserializer takes a mapping, and the context of the state is {kept!r}")
        return _deserialized(kept, deserializer)
    if strict and is_serialized:
        raise UserError("the context of the run was kept by a serializer: give from_json its context_deserializer")
    return kept


def _deserialized(kept: dict[str, JSONValue], deserializer: ContextDeserializer) -> Any:
    try:
        return deserializer(kept)
    except Exception as error:
        raise UserError(f"context_deserializer failed: {type(error).__name__}: {error}") from error
