"""The body of an answer as events: a stream of them, or the one object that a service sends instead."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.errors import ModelBehaviorError
from agentctl.redaction import excerpt

from .sse import MAX_EVENT_BYTES, SSESplitter, decode_event

_TAIL_SECONDS = 0.25
"""How long the end of the body is waited for after the end of the stream: with it the connection can be used again."""


@dataclass(slots=True)
class ResponseHead:
    """What the head of an answer told, noted when it has come: the newest, where more than one request was needed."""

    request_id: str | None = None


async def response_events(
    content_type: str, chunks: AsyncGenerator[bytes], *, service: str
) -> AsyncGenerator[list[dict[str, Any]]]:
    """Yield the events in a body, as many at a time as have come; the `chunks` are closed with it.

    A service that answers with one JSON object instead of a stream gives that object.

    Raises:
        ModelBehaviorError: it is neither.
    """
    kind = content_type.partition(";")[0].strip().lower()
    async with aclosing(chunks):
        if kind not in ("text/event-stream", ""):
            yield [_parse_object(await read_body(chunks, MAX_EVENT_BYTES), kind, service)]
            return
        splitter = SSESplitter()
        async for chunk in chunks:
            batch: list[dict[str, Any]] = []
            broken: ModelBehaviorError | None = None
            is_over = False
            try:
                for data in splitter.feed(chunk):
                    if (event := decode_event(data)) is None:
                        is_over = True
                        break
                    batch.append(event)
            except ModelBehaviorError as error:
                broken = error  # What came before it is whole, and comes out first.
            if batch:
                yield batch
            if broken is not None:
                raise broken
            if is_over:
                await _read_tail(chunks)
                return


async def read_body(chunks: AsyncGenerator[bytes], limit: int) -> bytes:
    """Return the body as far as `limit`, and close it; more is not fetched."""
    body = bytearray()
    async with aclosing(chunks):
        async for chunk in chunks:
            body += chunk
            if len(body) >= limit:
                break
    return bytes(body[:limit])


async def _read_tail(chunks: AsyncGenerator[bytes]) -> None:
    # The stream is whole; how its connection ends is no failure of it.
    with suppress(Exception):
        async with asyncio.timeout(_TAIL_SECONDS):
            async for _ in chunks:
                pass


def _parse_object(body: bytes, content_type: str, service: str) -> dict[str, Any]:
    try:
        answer = json.loads(body) if content_type == "application/json" else None
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        return answer
    raise ModelBehaviorError(
        f"{service} answered with {content_type} instead of a stream of events: "
        f"{excerpt(body.decode('utf-8', 'replace'))!r}; a proxy or sign-in page may be in the way, or the endpoint "
        "does not speak this API"
    )
