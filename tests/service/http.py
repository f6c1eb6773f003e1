"""The fake service over HTTP/1.1: keep-alive, chunked event streams, and the control door of the tests."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from tests.service import answers, checks
from tests.service.sse import Dress

Wire = dict[str, Any]
_STREAM = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store"}
_MODELS = ["gpt-5", "gpt-5-mini", "gpt-5-nano"]
_WRITE_SIZE = 64 * 1024


class Hangup(Exception):
    """The service drops the connection here."""


class Reader(asyncio.StreamReader):
    """A stream reader that tells when the client has hung up."""

    def __init__(self) -> None:
        super().__init__(limit=64 * 1024 * 1024)
        self.hung_up = asyncio.Event()

    def feed_eof(self) -> None:
        """Note the end of what the client sends."""
        super().feed_eof()
        self.hung_up.set()

    def set_exception(self, exc: Exception) -> None:
        """Note a connection that broke."""
        super().set_exception(exc)
        self.hung_up.set()


@dataclass(slots=True, kw_only=True)
class Request:
    """A request as it came, and whether its client hung up before the answer was whole."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    closed_early: bool = False

    def to_json(self) -> Wire:
        """Return what the tests see of it."""
        seen = {"method": self.method, "path": self.path, "headers": self.headers, "body": self.body}
        return {**seen, "closed_early": self.closed_early}


@dataclass(slots=True, kw_only=True)
class State:
    """What one test sees: the script, the requests so far, and which keys and models are good."""

    script: list[Wire] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    ids: answers.Ids = field(default_factory=answers.Ids)
    stored: dict[str, list[Wire]] = field(default_factory=dict)
    key: str | None = None
    models: list[str] | None = None
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)


class Server:
    """All connections of the service, and the state that they share."""

    def __init__(self) -> None:
        self.state = State()
        self._big_texts: dict[tuple[int, str], bytes] = {}

    async def listen(self) -> int:
        """Listen on a free loopback port and return it."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: asyncio.StreamReaderProtocol(Reader(), self._connection), "127.0.0.1", 0, backlog=1024
        )
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(reader, Reader)
        try:
            while (request := await _read_request(reader)) is not None:
                await self._serve(request, reader, writer)
        except (Hangup, ConnectionError, asyncio.IncompleteReadError):
            pass  # The client left, or a step says that we leave.
        finally:
            writer.close()

    async def _serve(self, request: Request, reader: Reader, writer: asyncio.StreamWriter) -> None:
        if request.path.startswith("/_control/"):
            await self._control(request, writer)
            return
        state = self.state
        state.requests.append(request)
        await _notify(state)
        answer = asyncio.ensure_future(self._answer(request, writer))
        gone = asyncio.ensure_future(reader.hung_up.wait())
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not answer.done() or isinstance(answer.exception(), ConnectionError):
            answer.cancel()
            request.closed_early = True
            await _notify(state)
            raise Hangup
        answer.result()

    async def _control(self, request: Request, writer: asyncio.StreamWriter) -> None:
        state = self.state
        match request.path.removeprefix("/_control/"):
            case "script":
                state.script.extend(request.body)
            case "settings":
                state.key, state.models = request.body["key"], request.body["models"]
            case "reset":
                self.state = State()
            case "wait":
                await _wait(state, count=request.body["count"], closed_early=request.body["closed_early"])
        seen = [one.to_json() for one in state.requests]
        await _send(writer, 200, {"content-type": "application/json"}, json.dumps(seen).encode())

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        state = self.state
        refusal = checks.check_key(request.headers.get("authorization"), state.key)
        path = request.path.partition("?")[0]
        if refusal is None and (request.method, path) == ("GET", "/v1/models"):
            models = [{"id": name, "object": "model", "created": 0, "owned_by": "openai"} for name in _known(state)]
            await self._send_json(writer, 200, {"object": "list", "data": models})
            return
        if refusal is None and (request.method, path) != ("POST", "/v1/responses"):
            refusal = checks.Refusal(status=404, message=f"Invalid URL ({request.method} {path})")
        refusal = refusal or checks.check_request(request.body, state.models, state.stored)
        if refusal is not None:
            await self._send_json(writer, refusal.status, refusal.body())
            return
        step = state.script.pop(0) if state.script else _default()
        await self._play(step, request, writer)

    async def _play(self, step: Wire, request: Request, writer: asyncio.StreamWriter) -> None:
        match step["answer"]:
            case "drop":
                raise Hangup
            case "hang":
                await asyncio.Event().wait()
            case "http":
                await _send(writer, step["status"], {**self._identity(), **step["headers"]}, step["body"].encode())
            case "raw":
                await self._send_raw(step, writer)
            case "big_text":
                await self._send_big_text(step, request.body, writer)
            case _ if request.body.get("stream"):
                await self._stream(step, request.body, writer)
            case _:
                await self._send_whole(step, request.body, writer)

    async def _stream(self, step: Wire, body: Wire, writer: asyncio.StreamWriter) -> None:
        dress = Dress(step.get("frame", {}))
        stop = step.get("stop") or {"after": -1}
        inserted = step.get("inserted") or {"at": -1}
        send = await _open_stream(writer, self._identity(), dress.bytes_per_write)
        number = 0
        async for event in self._events(step, body):
            if number == stop["after"]:
                break
            if number == inserted["at"]:
                await send(base64.b64decode(inserted["data"]))
            if step["delay"] and event["type"].endswith(".delta"):
                await asyncio.sleep(step["delay"])
            await send(dress.frame(event, first=number == 0))
            number += 1
        if number == stop["after"]:
            await _stop(stop["how"])
        else:
            await send(base64.b64decode(inserted["data"]) if number == inserted["at"] else b"")
            await send(dress.ending())
        await _close_stream(writer)

    async def _events(self, step: Wire, body: Wire) -> AsyncIterator[Wire]:
        """Yield the events of a response, and keep what a later request may build on."""
        for event in answers.events(step, body, self.state.ids):
            if event["type"] == "response.completed":
                self._store(event["response"], body)
            yield event

    def _store(self, response: Wire, body: Wire) -> None:
        if body.get("store") is not False:
            state = self.state
            state.stored[response["id"]] = [*checks.history(body, state.stored), *response["output"]]

    async def _send_whole(self, step: Wire, body: Wire, writer: asyncio.StreamWriter) -> None:
        """Send the response as one JSON object, for a request that does not ask for a stream."""
        stop = step.get("stop")
        if stop is not None and stop["how"] == "hang":
            await asyncio.Event().wait()
        last: Wire = {}
        async for event in self._events(step, body):
            last = event
        if last["type"] == "error":
            end = step["end"]
            error = {"message": end["message"], "type": end["kind"], "param": None, "code": end["code"]}
            await self._send_json(writer, end["status"], {"error": error})
            return
        if stop is not None:
            writer.write(_head(200, {"content-type": "application/json", "content-length": "100000"}) + b'{"id": "resp')
            await writer.drain()
            raise Hangup
        await self._send_json(writer, 200, last["response"])

    async def _send_raw(self, step: Wire, writer: asyncio.StreamWriter) -> None:
        send = await _open_stream(writer, self._identity(), 0)
        for chunk in step["chunks"]:
            await send(base64.b64decode(chunk))
            await asyncio.sleep(0)
        if not step["end"]:
            raise Hangup
        await _close_stream(writer)

    async def _send_big_text(self, step: Wire, body: Wire, writer: asyncio.StreamWriter) -> None:
        n_deltas, delta = step["n_deltas"], step["delta"]
        short = {**_default(), "items": [{"kind": "text", "deltas": [delta * n_deltas]}]}
        dress = Dress({})
        send = await _open_stream(writer, self._identity(), 0)
        for event in answers.events(short, body, self.state.ids):
            if event["type"] == "response.output_text.delta":
                await send(self._deltas(n_deltas, event, delta))
            else:
                await send(dress.frame(event))
        await _close_stream(writer)

    def _deltas(self, n_deltas: int, event: Wire, delta: str) -> bytes:
        """Return the frames of all deltas, encoded once for each size; their item's id is not looked at by anybody."""
        key = (n_deltas, delta)
        if key not in self._big_texts:
            frame = Dress({}).frame({**event, "delta": delta, "sequence_number": "NUMBER"}).decode()
            before, after = frame.split('"NUMBER"')
            self._big_texts[key] = "".join(f"{before}{4 + n}{after}" for n in range(n_deltas)).encode()
        return self._big_texts[key]

    async def _send_json(self, writer: asyncio.StreamWriter, status: int, body: Wire) -> None:
        headers = {**self._identity(), "content-type": "application/json"}
        await _send(writer, status, headers, json.dumps(body).encode())

    def _identity(self) -> dict[str, str]:
        return {"x-request-id": self.state.ids.new("req"), "openai-version": "2020-10-01"}


async def _stop(how: str) -> None:
    """Stop in the middle of a response: fall silent, drop the connection, or (`end`) go on as if it were whole."""
    if how == "hang":
        await asyncio.Event().wait()
    if how == "close":
        raise Hangup


def _default() -> Wire:
    items = [{"kind": "text", "deltas": ["ok"]}]
    return {"answer": "response", "items": items, "end": {"type": "completed"}, "delay": 0}


def _known(state: State) -> list[str]:
    return _MODELS if state.models is None else state.models


async def _notify(state: State) -> None:
    async with state.changed:
        state.changed.notify_all()


async def _wait(state: State, *, count: int, closed_early: int) -> None:
    """Return when that many requests came and that many clients hung up, or after ten seconds."""

    def reached() -> bool:
        gone = sum(one.closed_early for one in state.requests)
        return len(state.requests) >= count and gone >= closed_early

    try:
        async with asyncio.timeout(10), state.changed:
            await state.changed.wait_for(reached)
    except TimeoutError:
        pass  # The test sees what there is, and fails with it.


async def _read_request(reader: Reader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, path, _ = first.split(" ", 2)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    raw = await _read_body(reader, headers)
    try:
        body = json.loads(raw) if raw else None
    except ValueError:
        body = raw.decode("utf-8", "replace")
    return Request(method=method, path=path, headers=headers, body=body)


async def _read_body(reader: Reader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return body


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _send(writer: asyncio.StreamWriter, status: int, headers: dict[str, str], body: bytes) -> None:
    writer.write(_head(status, {**headers, "content-length": str(len(body))}) + body)
    await writer.drain()


async def _open_stream(
    writer: asyncio.StreamWriter, identity: dict[str, str], bytes_per_write: int
) -> Callable[[bytes], Awaitable[None]]:
    """Send the headers of an event stream and return what sends the next bytes of it."""
    writer.write(_head(200, {**identity, **_STREAM, "transfer-encoding": "chunked"}))

    async def send(data: bytes) -> None:
        size = bytes_per_write or _WRITE_SIZE
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()

    await writer.drain()
    return send


async def _close_stream(writer: asyncio.StreamWriter) -> None:
    writer.write(b"0\r\n\r\n")
    await writer.drain()
