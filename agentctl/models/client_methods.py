"""Model calls through the methods of a user's client: of one that stands in for `openai`'s, or replaces its methods."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from agentctl.agent.items.views import to_wire
from agentctl.agent.ports import ModelRequest
from agentctl.agent.wire import JSONValue, WireEvent
from agentctl.errors import UserError

from .call import extra_headers

Create: TypeAlias = Callable[..., Awaitable[Any]]
"""The method `create` of the client's responses, or of its chat completions."""

_DEEPEST = 12
"""The depth at which the attributes of an object are no longer read, since it may refer to itself."""


def find_create(client: object, path: str) -> Create | None:
    """Return the method that takes the requests to `path`, if it is not the one of `openai`.

    Raises:
        UserError: the client has neither such a method nor the raw requests of `openai`'s.
    """
    create: Any = client
    for name in (*path.split("/"), "create"):
        create = getattr(create, name, None)
    if create is None:
        if callable(getattr(client, "post", None)):
            return None
        raise UserError(
            f"a client must be an AsyncOpenAI or have {path.replace('/', '.')}.create; {type(client).__name__} has not"
        )
    return None if _is_of_openai(create) and callable(getattr(client, "post", None)) else create


async def call_create(
    create: Create, body: Mapping[str, JSONValue], request: ModelRequest
) -> AsyncGenerator[list[WireEvent]]:
    """Yield the events that the method returns, or its whole response, each in a batch of its own."""
    settings = request.model_settings
    extra_headers(settings)  # Checks them, and registers their values as secrets.
    extras = {
        "extra_headers": settings.extra_headers,
        "extra_query": settings.extra_query,
        "extra_body": settings.extra_body,
    }
    fields = {name: value for name, value in body.items() if name not in (settings.extra_body or {})}
    answer = await create(**fields, **{name: value for name, value in extras.items() if value})
    if not hasattr(type(answer), "__aiter__"):
        yield [_as_json(answer)]
        return
    try:
        async for event in answer:
            yield [_as_json(event)]
    finally:
        close = getattr(answer, "close", None) or getattr(answer, "aclose", None)
        if close is not None and inspect.isawaitable(closing := close()):
            await closing


def _is_of_openai(method: Any) -> bool:
    """Return whether the code of a bound method is in the package `openai`: no subclass, patch or tracer is around it.

    `openai` is imported already if the client is one of its own.
    """
    import openai

    code = getattr(getattr(method, "__func__", None), "__code__", None)
    return code is not None and Path(openai.__file__).parent in Path(code.co_filename).parents


def _as_json(answer: Any) -> WireEvent:
    """Return a response or an event as JSON, whether it is a dict, an object of `openai` or any other object."""
    json: WireEvent = to_wire(answer) if isinstance(answer, dict) or hasattr(answer, "model_dump") else _read(answer, 0)
    return json


def _read(value: Any, depth: int) -> Any:
    """Return a value as JSON; of an object that is not data, its public attributes, those of its class included."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, dict):
        return {str(name): _read(one, depth + 1) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_read(one, depth + 1) for one in value]
    if hasattr(value, "model_dump"):
        return to_wire(value)
    if depth > _DEEPEST:
        return None
    attributes = {name: getattr(value, name, None) for name in dir(value) if not name.startswith("_")}
    return {name: _read(one, depth + 1) for name, one in attributes.items() if not callable(one)}
