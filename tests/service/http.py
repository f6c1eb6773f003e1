"""The fake service's connections: HTTP/1.1 with keep-alive, what is served where, and the upgrade to WebSocket."""

import asyncio
from typing import Any

from tests.service import checks, control
from tests.service.endpoints import Chat, Endpoint, Responses, compact
from tests.service.http_answer import Answer
from tests.service.reader import Reader, until_gone
from tests.service.state import Hangup, Request, State
from tests.service.upgrade import upgrade

_ENDPOINTS: dict[str, Endpoint] = {"/v1/responses": Responses(), "/v1/chat/completions": Chat()}
_MODELS = ["gpt-5", "gpt-5-mini", "gpt-5-nano"]


class Server:
    """All connections of the service, and the state that they share."""

    def __init__(self) -> None:
        self.state = State()

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
            while (head := await _read_head(reader)) is not None:
                request = await _read_request(head, reader)
                if request.headers.get("upgrade", "").lower() == "websocket":
                    await upgrade(request, head, reader, writer, self.state)
                else:
                    await self._serve(request, reader, writer)
        except (Hangup, ConnectionError, asyncio.IncompleteReadError):
            pass  # The client left, or a step says that we leave.
        finally:
            writer.close()

    async def _serve(self, request: Request, reader: Reader, writer: asyncio.StreamWriter) -> None:
        state = self.state
        if request.path.startswith("/_control/"):
            name = request.path.removeprefix("/_control/")
            if name == "reset":
                self.state = State()
            await Answer(writer, state).send(200, await control.answer(name, request.decode(), state), {})
            return
        state.requests.append(request)
        state.notify()
        try:
            await until_gone(reader, _answer(request, state, Answer(writer, state)))
        except ConnectionError:
            request.closed_early = True
            state.notify()
            raise


async def _answer(request: Request, state: State, answer: Answer) -> None:
    settings, path = state.settings, request.path.partition("?")[0]
    if refusal := checks.check_key(request.headers.get("authorization"), settings.key):
        await answer.send_json(refusal.status, refusal.body())
        return
    match request.method, path:
        case "GET", "/v1/models":
            names = _MODELS if settings.models is None else settings.models
            models = [{"id": name, "object": "model", "created": 0, "owned_by": "openai"} for name in names]
            await answer.send_json(200, {"object": "list", "data": models})
        case "POST", "/v1/responses/compact":
            await answer.send_json(200, compact(request.decode(), state))
        case "POST", "/v1/traces/ingest":
            await _ingest(request, state, answer)
        case "POST", path if path in _ENDPOINTS:
            await _take_step(_ENDPOINTS[path], request.decode(), state, answer)
        case method, path:
            refusal = checks.Refusal(status=404, message=f"Invalid URL ({method} {path})")
            await answer.send_json(404, refusal.body())


async def _ingest(request: Request, state: State, answer: Answer) -> None:
    if state.ingests:
        await answer.play(state.ingests.pop(0), _ENDPOINTS["/v1/responses"], {})
    elif refusal := checks.check_traces(request.headers, request.decode()):
        await answer.send_json(refusal.status, refusal.body())
    else:
        await answer.send(204, b"", {})


async def _take_step(endpoint: Endpoint, body: Any, state: State, answer: Answer) -> None:
    if refusal := endpoint.refusal(body, state):
        await answer.send_json(refusal.status, refusal.body())
    else:
        await answer.play(state.next_step(), endpoint, body)


async def _read_head(reader: Reader) -> bytes | None:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None


async def _read_request(head: bytes, reader: Reader) -> Request:
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, path, _ = first.split(" ", 2)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Request(method=method, path=path, headers=headers, raw=await _read_body(reader, headers))


async def _read_body(reader: Reader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return body
