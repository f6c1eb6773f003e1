"""The conversations API of OpenAI, spoken through the user's own client or our HTTP pipe."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from agentctl.agent.wire import JSONValue, WireItem
from agentctl.errors import ModelBehaviorError, ServiceError
from agentctl.net.defaults import get_defaults
from agentctl.net.openai_endpoint import EndpointOptions, http_endpoint
from agentctl.net.options import HttpOptions
from agentctl.net.retry import Retries

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from agentctl.net.http import HttpPipe

_MOST_ADDED = 20
"""How many items the service takes at a time."""

_LONGEST_PAGE = 100


class Calls(Protocol):
    """Makes requests of the API."""

    async def __call__(
        self, method: str, path: str, *, body: JSONValue = None, query: Mapping[str, object] | None = None
    ) -> JSONValue:
        """Return the JSON that is answered.

        Raises:
            ServiceError: as its subclasses say, from our own pipe.
            openai.OpenAIError: from the user's client.
        """
        ...


def default_calls(client: AsyncOpenAI | None) -> Calls:
    """Return what makes requests: this client, else the default one, else our pipe to where models are asked."""
    client = client or get_defaults().openai_client
    if client is not None:
        return ClientCalls(client)
    # 20 ms that only a run with such a session pays.
    from agentctl.net.http import HttpPipe

    return PipeCalls(HttpPipe(http_endpoint(EndpointOptions(), get_defaults()), HttpOptions()))


class ClientCalls:
    """Makes requests through a client of the user: its address, auth, retries and HTTP options hold."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client = client

    async def __call__(
        self, method: str, path: str, *, body: JSONValue = None, query: Mapping[str, object] | None = None
    ) -> JSONValue:
        """Return the JSON that is answered."""
        client, path = self._client, f"/{path}"
        match method:
            case "GET":
                return await client.get(path, cast_to=object, options={"params": dict(query or {})})
            case "DELETE":
                return await client.delete(path, cast_to=object)
            case _:
                return await client.post(path, cast_to=object, body=body)


class PipeCalls:
    """Makes requests through a pipe of ours, and again where that does no harm."""

    def __init__(self, pipe: HttpPipe) -> None:
        self._pipe = pipe

    async def __call__(
        self, method: str, path: str, *, body: JSONValue = None, query: Mapping[str, object] | None = None
    ) -> JSONValue:
        """Return the JSON that is answered."""
        from agentctl.net.http import HttpCall

        content = None if body is None else json.dumps(body).encode()
        call = HttpCall(path=path, body=content, method=method, query=query)
        # What was appended twice would be said twice.
        retries = Retries(max_retries=self._pipe.options.max_retries, is_replayable=method != "POST")
        while True:
            try:
                return await self._pipe.json(call)
            except ServiceError as error:
                delay = retries.delay(error, random.random())  # noqa: S311  # spreads waits, and keeps nothing secret
                if delay is None:
                    raise
                retries = retries.after(error)
            await asyncio.sleep(delay)


class Conversations:
    """What a session asks of the API."""

    def __init__(self, call: Calls) -> None:
        self._call = call

    async def create(self) -> str:
        """Make a conversation and return its id."""
        return _field(await self._call("POST", "conversations", body={"items": []}), "id")

    async def add(self, conversation_id: str, items: list[WireItem]) -> None:
        """Append items, the output of a tool call always together with the call, whatever ends us in between."""
        for part in parts_of(items):
            await self._call("POST", _items(conversation_id), body={"items": part})

    async def newest(self, conversation_id: str, most: int | None) -> list[WireItem]:
        """Return so many of the newest items, the oldest of them first; None is all."""
        found: list[WireItem] = []
        after: str | None = None
        while most is None or len(found) < most:
            asked = _LONGEST_PAGE if most is None else min(most - len(found), _LONGEST_PAGE)
            query: dict[str, object] = {"order": "asc" if most is None else "desc", "limit": asked}
            page = await self._call("GET", _items(conversation_id), query=query | ({"after": after} if after else {}))
            items = page.get("data") if isinstance(page, dict) else None
            if not isinstance(items, list):
                raise ModelBehaviorError("the service answered with a list of items that is none")
            found += [item for item in items if isinstance(item, dict)]
            if not page.get("has_more") or not items:
                break
            after = _field(page, "last_id")
        return found if most is None else found[::-1]

    async def delete_item(self, conversation_id: str, item_id: str) -> None:
        """Take an item away."""
        await self._call("DELETE", f"{_items(conversation_id)}/{quote(item_id, safe='')}")

    async def delete(self, conversation_id: str) -> None:
        """Take a conversation away."""
        await self._call("DELETE", f"conversations/{quote(conversation_id, safe='')}")


def parts_of(items: list[WireItem]) -> Iterator[list[WireItem]]:
    """Yield items as many at a time as the service takes, none without what it cannot be without.

    An output is where its call is, and reasoning where that is to which it led; within a part the order stays.
    """
    part: list[int] = []
    for unit in _units(items):
        if len(part) + len(unit) > _MOST_ADDED:
            yield [items[place] for place in sorted(part)]
            part = []
        part += unit
    if part:
        yield [items[place] for place in sorted(part)]


def _units(items: list[WireItem]) -> list[list[int]]:
    """Return the places of the items that belong together, none more than the service takes at a time."""
    units: list[list[int]] = []
    calls: dict[str, list[int]] = {}
    is_led_to = False
    for place, item in enumerate(items):
        kind, call_id = str(item.get("type")), str(item.get("call_id"))
        unit = calls.pop(call_id, None) if kind.endswith("_output") else None
        if unit is None and is_led_to:
            unit = units[-1]
        if unit is None:
            unit = []
            units.append(unit)
        unit.append(place)
        if "call_id" in item and not kind.endswith("_output"):
            calls[call_id] = unit
        is_led_to = kind == "reasoning" and len(unit) < _MOST_ADDED - 1
    return units


def _items(conversation_id: str) -> str:
    return f"conversations/{quote(conversation_id, safe='')}/items"


def _field(answer: JSONValue, name: str) -> str:
    value: Any = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(value, str) or not value:
        raise ModelBehaviorError(f"the service answered about a conversation without {name!r}")
    return value
