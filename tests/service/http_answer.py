"""Plays steps over HTTP: event streams in chunks, whole answers, refusals, and bytes as they are."""

import asyncio
import base64
import json
from http import HTTPStatus
from typing import Any

from tests.service import answers, chat
from tests.service.endpoints import Endpoint
from tests.service.play import is_delta, play
from tests.service.sse import Dress, encode
from tests.service.state import Hangup, State

Wire = dict[str, Any]
_STREAM = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store"}
_CHUNKED = {"transfer-encoding": "chunked"}
_WRITE_SIZE = 64 * 1024
_BIG_TEXTS: dict[tuple[int, str, bool], bytes] = {}


class Answer:
    """The answer to one request."""

    def __init__(self, writer: asyncio.StreamWriter, state: State) -> None:
        self._writer = writer
        self._state = state

    async def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Send a whole answer."""
        length = {"content-length": str(len(body))}
        self._writer.write(head(status, {**_identity(self._state), **headers, **length}) + body)
        await self._writer.drain()

    async def send_json(self, status: int, body: Wire) -> None:
        """Send a whole answer of JSON."""
        await self.send(status, json.dumps(body).encode(), {"content-type": "application/json"})

    async def play(self, step: Wire, endpoint: Endpoint, body: Wire) -> None:
        """Execute the step."""
        match step["answer"]:
            case "drop":
                raise Hangup
            case "hang":
                await asyncio.Event().wait()
            case "http":
                await self.send(step["status"], step["body"].encode(), step["headers"])
            case "raw":
                await self._send_raw(step)
            case "big_text":
                await self._send_big_text(step, endpoint, body)
            case _ if endpoint.streams(step, body):
                stream = await self._open_stream(endpoint.dress(step))
                await play(step, endpoint.events(step, body, self._state), stream)
            case _:
                await self._send_whole(step, endpoint, body)

    async def _open_stream(self, dress: Dress) -> "EventStream":
        self._writer.write(head(200, {**_identity(self._state), **_STREAM, **_CHUNKED}))
        await self._writer.drain()
        return EventStream(self._writer, dress)

    async def _send_whole(self, step: Wire, endpoint: Endpoint, body: Wire) -> None:
        stop = step.get("stop")
        if stop is not None and stop["how"] in {"hang", "deaf"}:
            await asyncio.Event().wait()
        status, whole = endpoint.whole(step, body, self._state)
        if stop is not None:
            headers = {"content-type": "application/json", "content-length": "100000"}
            self._writer.write(head(200, headers) + b'{"id": "resp')
            await self._writer.drain()
            raise Hangup
        await self.send_json(status, whole)

    async def _send_raw(self, step: Wire) -> None:
        stream = await self._open_stream(Dress({}))
        for chunk in step["chunks"]:
            await stream.send(base64.b64decode(chunk))
            await asyncio.sleep(0)
        if not step["end"]:
            raise Hangup
        await stream.end()

    async def _send_big_text(self, step: Wire, endpoint: Endpoint, body: Wire) -> None:
        dress = endpoint.dress({})
        stream = await self._open_stream(dress)
        for event in endpoint.events(shortened(step), body, self._state):
            if is_delta(event):
                await stream.send(_deltas(step, event, dress))
            else:
                await stream.event(event)
        await stream.end()


class EventStream:
    """A body of server-sent events."""

    def __init__(self, writer: asyncio.StreamWriter, dress: Dress) -> None:
        self._writer = writer
        self._dress = dress
        self._begun = False

    async def send(self, data: bytes) -> None:
        """Send bytes in chunks of at most the size that the dress says."""
        size = self._dress.bytes_per_write or _WRITE_SIZE
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            self._writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await self._writer.drain()

    async def event(self, event: Wire) -> None:
        """Send an event."""
        await self.send(self._dress.frame(event, first=not self._begun))
        self._begun = True

    async def frames(self, frames: list[Wire]) -> None:
        """Send unknown events, or bytes as they are."""
        for frame in frames:
            event = f"data: {encode(frame['event'])}\n\n".encode() if "event" in frame else b""
            await self.send(event or base64.b64decode(frame["bytes"]))

    async def ping(self) -> None:
        """Send a comment."""
        await self.send(b": ping\n\n")

    async def flush(self) -> None:
        """Return at once: every write was waited for."""

    async def stop(self, stop: Wire) -> None:
        """Fall silent, drop the connection, or end the body as if it were whole."""
        match stop["how"]:
            case "hang" | "deaf":
                await asyncio.Event().wait()
            case "close":
                raise Hangup
            case _:
                await self._close()

    async def end(self) -> None:
        """End the events as the dress says, and the body."""
        await self.send(self._dress.ending())
        await self._close()

    async def _close(self) -> None:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()


def shortened(step: Wire) -> Wire:
    """Return the step that says a big text in one delta."""
    items = [{"kind": "text", "deltas": [step["delta"] * step["n_deltas"]]}]
    return {"answer": "response", "items": items, "end": {"type": "completed"}, "delay": 0}


def head(status: int, headers: dict[str, str]) -> bytes:
    """Return the head of an HTTP response."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _identity(state: State) -> dict[str, str]:
    return {"x-request-id": state.ids.request(), "openai-version": "2020-10-01"}


def _deltas(step: Wire, event: Wire, dress: Dress) -> bytes:
    """Return the frames of all deltas, encoded once for each size; no test reads the ids in them."""
    n_deltas, delta = step["n_deltas"], step["delta"]
    key = (n_deltas, delta, "type" in event)
    if key not in _BIG_TEXTS:
        event = answers.with_delta(event, delta) if "type" in event else chat.with_delta(event, delta)
        before, number, after = dress.frame(event).decode().partition('"NUMBER"')
        numbers = range(4, 4 + n_deltas)
        _BIG_TEXTS[key] = "".join(f"{before}{n if number else ''}{after}" for n in numbers).encode()
    return _BIG_TEXTS[key]
