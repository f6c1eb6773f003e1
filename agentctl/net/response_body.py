"""The body of an HTTP response as events: an event stream, or a single JSON object."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from enum import Enum
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.errors import ModelBehaviorError, ServiceUnavailableError
from agentctl.redaction import excerpt

from .options import MAX_EVENT_BYTES
from .sse import SSESplitter, decode_event
from .unreachable import CONNECTION_LOST, too_large_error

_TAIL_SECONDS = 0.25
"""Seconds to wait for the end of the body after the last event, so that the connection can be reused."""


@dataclass(slots=True)
class ResponseHead:
    """The headers of the response, recorded on arrival; after several requests those of the last."""

    request_id: str | None = None
    has_end_mark: bool = False
    """Whether the stream ended with `[DONE]`."""


@dataclass(frozen=True, slots=True)
class OpenBody:
    """A body that is ready to be read."""

    content_type: str
    chunks: AsyncGenerator[bytes]
    status: int = 200
    max_event: int = MAX_EVENT_BYTES
    """The size limit of an event, in bytes."""


class _Form(Enum):
    """The form of a body, whatever its content type says."""

    STREAM = "an event stream"
    OBJECT = "JSON"
    OTHER = "neither"


_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")
"""The beginnings of the lines of an event stream."""
_EVENT_STREAM = "text/event-stream"
_STREAM_TYPES = (_EVENT_STREAM, "")
_KEEP_ALIVE = re.compile(r"[^{}\[\]\"<>]{0,200}")
"""A text that some services send as an event, to keep the connection open."""


async def response_events(
    opened: AbstractAsyncContextManager[OpenBody], *, service: str, head: ResponseHead | None = None
) -> AsyncGenerator[list[dict[str, Any]]]:
    """Yield the events of a body in batches, as they arrive; it is opened first, and closed at the end.

    A single JSON object instead of a stream is yielded as it is. `head` records how the stream ended.

    Raises:
        ModelBehaviorError: the body is neither, or an event is not JSON.
        ServiceUnavailableError: the body is empty though it is no event stream, or an event is too long.
    """
    async with opened as body, aclosing(body.chunks) as chunks:
        kind = body.content_type.partition(";")[0].strip().lower()
        form, beginning = None, b""
        async for chunk in chunks:
            beginning += chunk
            if (form := _form(beginning, kind)) is not None:
                break
        if form is None and not beginning.strip():
            if kind == _EVENT_STREAM and body.status != 204:
                return  # A stream that ended before its first event.
            raise _empty_error(body.status, service)
        if form is not _Form.STREAM:
            rest = await read_body(chunks, body.max_event - len(beginning))
            yield [_parse_object(beginning + rest, kind, service, max_size=body.max_event)]
            return
        decoder = _StreamDecoder(SSESplitter(service, max_event=body.max_event))
        data: bytes | None = beginning
        while data is not None:
            if batch := decoder.feed(data):
                yield batch
            if decoder.failure is not None:
                raise decoder.failure
            if decoder.is_over:
                if head is not None:
                    head.has_end_mark = True
                await _read_tail(chunks)
                return
            data = await anext(chunks, None)
        if decoder.last_words is not None:
            raise decoder.last_words


class _StreamDecoder:
    """Decodes an event stream, fed in arbitrary chunks."""

    def __init__(self, splitter: SSESplitter) -> None:
        self._splitter = splitter
        self.is_over = False
        """Whether `[DONE]` was read."""
        self.failure: ModelBehaviorError | ServiceUnavailableError | None = None
        """The failure after the events that were returned."""
        self.last_words: ModelBehaviorError | None = None
        """The error for a text after the last event: at the end of the stream it may tell why it ended."""

    def feed(self, chunk: bytes) -> list[dict[str, Any]]:
        """Return the events that `chunk` completes, up to the end or a failure."""
        batch: list[dict[str, Any]] = []
        try:
            for data in self._splitter.feed(chunk):
                event = self._decode(data)
                if self.is_over:
                    break
                if event is not None:
                    batch.append(event)
        except (ModelBehaviorError, ServiceUnavailableError) as error:
            self.failure = error
        return batch

    def _decode(self, data: str) -> dict[str, Any] | None:
        try:
            event = decode_event(data)
        except ModelBehaviorError as error:
            if not is_keep_alive(data):
                raise
            self.last_words = error
            return None
        self.is_over = event is None
        self.last_words = None
        return event


def is_keep_alive(data: str) -> bool:
    """Return whether the data of an event that is not JSON is a text without meaning, such as `ping`."""
    return _KEEP_ALIVE.fullmatch(data.strip()) is not None


def _form(beginning: bytes, content_type: str) -> _Form | None:
    """Return the form of a body that begins like this, or None if more of it is needed."""
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        return None
    if text.startswith(b"{"):
        return _Form.OBJECT
    if text.startswith(_FIELDS):
        return _Form.STREAM
    if any(field.startswith(text) for field in _FIELDS):
        return None
    return _Form.STREAM if content_type in _STREAM_TYPES else _Form.OTHER


def _empty_error(status: int, service: str) -> ModelBehaviorError | ServiceUnavailableError:
    if status == 204:
        return ModelBehaviorError(
            f"{service} sent no content (204) instead of a response; the endpoint may not support this API"
        )
    return ServiceUnavailableError(f"{service} sent an empty response ({status}); try again", code=CONNECTION_LOST)


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


def _parse_object(body: bytes, content_type: str, service: str, *, max_size: int) -> dict[str, Any]:
    if len(body) >= max_size:
        raise too_large_error(service, max_size)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return value
    raise ModelBehaviorError(
        f"{service} sent {content_type or 'text'} instead of an event stream: "
        f"{excerpt(body.decode('utf-8', 'replace'))!r}; a proxy or sign-in page may have intercepted the request, or "
        "the endpoint does not support this API"
    )


_DECODED = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
_MODULES = {"br": ("brotli", "brotlicffi"), "zstd": ("backports.zstd", "compression.zstd")}


def check_encoding(encoding: str, service: str) -> None:
    """Raise `ModelBehaviorError` if a body is compressed in a way that cannot be decoded."""
    for name in (part.strip().lower() for part in encoding.split(",")):
        if name not in _DECODED and not any(map(_can_import, _MODULES.get(name, ()))):
            raise ModelBehaviorError(
                f"{service} compressed its response with {excerpt(name)}, which was not asked for and cannot be "
                "decoded; turn the compression off at the service or its proxy"
            )


def _can_import(module: str) -> bool:
    # 3 ms, only for a service that compresses without being asked.
    from importlib.util import find_spec

    try:
        return find_spec(module) is not None
    except ImportError:
        return False
