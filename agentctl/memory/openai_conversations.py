"""A client for OpenAI's conversations API, over the user's own `openai` client or our HTTP pipe."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from agentctl.agent.wire import WireItem
from agentctl.errors import ModelBehaviorError, ServiceError
from agentctl.net.defaults import get_defaults
from agentctl.net.openai_endpoint import EndpointOptions, http_endpoint
from agentctl.net.options import HttpOptions
from agentctl.net.retry import Retries

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from agentctl.net.http import HttpPipe

_MAX_ITEMS_PER_REQUEST = 20
"""Maximum number of items that the service accepts per request."""

_MAX_PAGE_SIZE = 100


class Requester(Protocol):
    """Sends requests to the API."""

    async def __call__(
        self, method: str, path: str, *, body: object = None, query: Mapping[str, object] | None = None
    ) -> object:
        """Send a request and return the JSON of the response.

        Raises:
            ServiceError: one of its subclasses, from our own pipe.
            openai.OpenAIError: from the user's client.
        """
        ...


def default_requester(client: AsyncOpenAI | None) -> Requester:
    """Return a requester over this client, else the default client, else our pipe to the model endpoint."""
    client = client or get_defaults().openai_client
    if client is not None:
        return ClientRequester(client)
    # 20 ms, spent only for runs with such a session.
    from agentctl.net.http import HttpPipe

    return PipeRequester(HttpPipe(http_endpoint(EndpointOptions(), get_defaults()), HttpOptions()))


class ClientRequester:
    """Sends requests through a user's client, with its base URL, auth, retries and HTTP options."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client = client

    async def __call__(
        self, method: str, path: str, *, body: object = None, query: Mapping[str, object] | None = None
    ) -> object:
        """Send a request and return the JSON of the response."""
        client, path = self._client, f"/{path}"
        match method:
            case "GET":
                return await client.get(path, cast_to=object, options={"params": dict(query or {})})
            case "DELETE":
                return await client.delete(path, cast_to=object)
            case _:
                return await client.post(path, cast_to=object, body=body)


class PipeRequester:
    """Sends requests through our pipe, with retries if they are safe."""

    def __init__(self, pipe: HttpPipe) -> None:
        self._pipe = pipe

    async def __call__(
        self, method: str, path: str, *, body: object = None, query: Mapping[str, object] | None = None
    ) -> object:
        """Send a request and return the JSON of the response."""
        from agentctl.net.http import HttpCall

        content = None if body is None else json.dumps(body).encode()
        call = HttpCall(path=path, body=content, method=method, query=query)
        # A replayed POST would append its items twice.
        retries = Retries(max_retries=self._pipe.options.max_retries, is_replayable=method != "POST")
        while True:
            try:
                return await self._pipe.json(call)
            except ServiceError as error:
                delay = retries.delay(error, random.random())  # noqa: S311  # jitter, not a secret
                if delay is None:
                    raise
                retries = retries.after(error)
            await asyncio.sleep(delay)


class ConversationsApi:
    """The operations of the API that a session needs."""

    def __init__(self, send: Requester) -> None:
        self._send = send

    async def create(self) -> str:
        """Create a conversation and return its id."""
        return _field(await self._send("POST", "conversations", body={"items": []}), "id")

    async def add(self, conversation_id: str, items: list[WireItem]) -> None:
        """Append items in batches; a tool call and its output share a batch, so that no failure separates them."""
        for batch in batches(items):
            await self._send("POST", _items(conversation_id), body={"items": batch})

    async def newest(self, conversation_id: str, limit: int | None) -> list[WireItem]:
        """Return the most recent items, at most `limit`, oldest first; None is all."""
        found: list[WireItem] = []
        after: str | None = None
        while limit is None or len(found) < limit:
            page_size = _MAX_PAGE_SIZE if limit is None else min(limit - len(found), _MAX_PAGE_SIZE)
            query: dict[str, object] = {"order": "asc" if limit is None else "desc", "limit": page_size}
            page = await self._send("GET", _items(conversation_id), query=query | ({"after": after} if after else {}))
            if not isinstance(page, dict) or not isinstance(items := page.get("data"), list):
                raise ModelBehaviorError("the service returned an invalid list of conversation items")
            found += [item for item in items if isinstance(item, dict)]
            if not page.get("has_more") or not items:
                break
            after = _field(page, "last_id")
        return found if limit is None else found[::-1]

    async def delete_item(self, conversation_id: str, item_id: str) -> None:
        """Delete an item."""
        await self._send("DELETE", f"{_items(conversation_id)}/{quote(item_id, safe='')}")

    async def delete(self, conversation_id: str) -> None:
        """Delete a conversation."""
        await self._send("DELETE", f"conversations/{quote(conversation_id, safe='')}")


def batches(items: list[WireItem]) -> Iterator[list[WireItem]]:
    """Yield items in batches of the size that the service accepts, without splitting dependent items.

    An output is in the batch of its call, and reasoning in that of the item it precedes. Batches keep the order.
    """
    batch: list[int] = []
    for unit in _units(items):
        if len(batch) + len(unit) > _MAX_ITEMS_PER_REQUEST:
            yield [items[index] for index in sorted(batch)]
            batch = []
        batch += unit
    if batch:
        yield [items[index] for index in sorted(batch)]


def _units(items: list[WireItem]) -> list[list[int]]:
    """Return the indexes of dependent items as units, none larger than the service accepts."""
    units: list[list[int]] = []
    calls: dict[str, list[int]] = {}
    follows_reasoning = False
    for index, item in enumerate(items):
        kind, call_id = str(item.get("type")), str(item.get("call_id"))
        unit = calls.pop(call_id, None) if kind.endswith("_output") else None
        if unit is None and follows_reasoning:
            unit = units[-1]
        if unit is None:
            unit = []
            units.append(unit)
        unit.append(index)
        if "call_id" in item and not kind.endswith("_output"):
            calls[call_id] = unit
        follows_reasoning = kind == "reasoning" and len(unit) < _MAX_ITEMS_PER_REQUEST - 1
    return units


def _items(conversation_id: str) -> str:
    return f"conversations/{quote(conversation_id, safe='')}/items"


def _field(answer: object, name: str) -> str:
    value = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(value, str) or not value:
        raise ModelBehaviorError(f"the service returned a conversation without {name!r}")
    return value
