"""The body of an HTTP response as events: an event stream, or a single JSON object."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.errors import ModelBehaviorError
from agentctl.redaction import excerpt

from .sse import MAX_EVENT_BYTES, SSESplitter, decode_event

_TAIL_SECONDS = 0.25
"""Seconds to wait for the end of the body after the last event, so that the connection can be reused."""


@dataclass(slots=True)
class ResponseHead:
    """The headers of the response, recorded on arrival; after several requests those of the last."""

    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class OpenBody:
    """A body that is ready to be read."""

    content_type: str
    chunks: AsyncGenerator[bytes]


async def response_events(
    opened: AbstractAsyncContextManager[OpenBody], *, service: str
) -> AsyncGenerator[list[dict[str, Any]]]:
    """Yield the events of a body in batches, as they arrive; it is opened first, and closed at the end.

    A single JSON object instead of a stream is yielded as it is.

    Raises:
        ModelBehaviorError: the body is neither.
    """
    async with opened as body, aclosing(body.chunks) as chunks:
        kind = body.content_type.partition(";")[0].strip().lower()
        if kind not in ("text/event-stream", ""):
            yield [_parse_object(await read_body(chunks, MAX_EVENT_BYTES), kind, service)]
            return
        splitter = SSESplitter()
        async for chunk in chunks:
            batch: list[dict[str, Any]] = []
            failure: ModelBehaviorError | None = None
            is_over = False
            try:
                for data in splitter.feed(chunk):
                    if (event := decode_event(data)) is None:
                        is_over = True
                        break
                    batch.append(event)
            except ModelBehaviorError as error:
                failure = error  # The events before it are valid, and are yielded first.
            if batch:
                yield batch
            if failure is not None:
                raise failure
            if is_over:
                await _read_tail(chunks)
                return


async def read_body(chunks: AsyncGenerator[bytes], limit: int) -> bytes:
    """Return up to `limit` bytes of the body, and close it."""
    body = bytearray()
    async with aclosing(chunks):
        async for chunk in chunks:
            body += chunk
            if len(body) >= limit:
                break
    return bytes(body[:limit])


async def _read_tail(chunks: AsyncGenerator[bytes]) -> None:
    # The stream is complete; an error at the end of its connection does not matter.
    with suppress(Exception):
        async with asyncio.timeout(_TAIL_SECONDS):
            async for _ in chunks:
                pass


def _parse_object(body: bytes, content_type: str, service: str) -> dict[str, Any]:
    try:
        value = json.loads(body) if content_type == "application/json" else None
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return value
    raise ModelBehaviorError(
        f"{service} sent {content_type} instead of an event stream: "
        f"{excerpt(body.decode('utf-8', 'replace'))!r}; a proxy or sign-in page may have intercepted the request, or "
        "the endpoint does not support this API"
    )
