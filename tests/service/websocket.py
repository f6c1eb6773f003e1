"""The fake service over WebSocket: lanes of responses that continue each other, and every way to leave."""

import asyncio
import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from tests.service import answers, checks
from tests.service.endpoints import ANSWERED, reads
from tests.service.history import Turn, after, new_items
from tests.service.http_answer import shortened
from tests.service.play import is_delta, play
from tests.service.reader import Reader
from tests.service.sse import encode
from tests.service.state import Connection, Hangup, Request, State, default_step

Wire = dict[str, Any]
_FIELDS = (checks.FIELDS | {"type", "generate", "stream_id"}) - {"background"}
_STREAM_ID = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_MOST_LANES = 32
_MOST_RESPONSES = 16
_WRITE_SIZE = 64 * 1024
_PONG = 0x8A
_BIG_TEXTS: dict[tuple[int, str], bytes] = {}


def handshake(head: bytes, step: Wire) -> tuple[ServerProtocol | None, bytes]:
    """Return the protocol of an accepted connection (None where the request is no good upgrade) and the answer."""
    deflate = [ServerPerMessageDeflateFactory()] if step.get("deflate", True) else None
    protocol = ServerProtocol(extensions=deflate, max_size=step.get("max_size"))
    protocol.receive_data(head)
    for request in protocol.events_received():
        assert isinstance(request, Handshake)
        response = protocol.accept(request)
        for name, value in step.get("headers", {}).items():
            response.headers[name] = value
        protocol.send_response(response)
    answer = b"".join(protocol.data_to_send())
    return (protocol if protocol.state is OPEN else None), answer


class Socket:
    """One connection."""

    def __init__(
        self,
        protocol: ServerProtocol,
        record: Connection,
        reader: Reader,
        writer: asyncio.StreamWriter,
        state: State,
        step: Wire,
    ) -> None:
        self.record = record
        self.state = state
        self.in_flight = asyncio.Semaphore(_MOST_RESPONSES)
        self._protocol = protocol
        self._reader = reader
        self._writer = writer
        self._step = step
        self._buffer: list[bytes] = []
        self._message = b""
        self._deaf = False
        self._dropped = False
        self._running: dict[asyncio.Task[None], Request | None] = {}
        self._last: dict[str | None, asyncio.Task[None]] = {}
        writer.transport.set_write_buffer_limits(0)  # A drain returns when all is sent, so that an abort loses nothing.

    async def run(self) -> None:
        """Serve until one side leaves."""
        try:
            async with asyncio.TaskGroup() as tasks:
                if stop := self._step.get("then"):
                    self._own(tasks.create_task(self.stop(stop)), None)
                await self._read(tasks)
                for task in self._running:
                    task.cancel()
        except* (Hangup, ConnectionError):
            self._dropped = not self._reader.hung_up.is_set()
        finally:
            self.record.ended = self._ending()

    @property
    def is_open(self) -> bool:
        """Whether neither side has started to close."""
        return self._protocol.state is OPEN

    @property
    def is_compressed(self) -> bool:
        """Whether frames cannot be encoded beforehand."""
        return bool(self._protocol.extensions)

    def send(self, data: bytes, opcode: Opcode = Opcode.TEXT) -> None:
        """Put a message on its way; it goes with the next flush."""
        if self.is_open:
            (self._protocol.send_text if opcode is Opcode.TEXT else self._protocol.send_binary)(data)
            self._take_out()

    def send_encoded(self, frames: bytes) -> None:
        """Put frames on their way as they are."""
        self._buffer.append(frames)

    async def ping(self) -> None:
        """Send a ping."""
        if self.is_open:
            self._protocol.send_ping(b"ping")
            await self.flush()

    async def flush(self) -> None:
        """Return when everything is sent."""
        self._take_out()
        data = b"".join(self._buffer)
        self._buffer.clear()
        if self._writer.is_closing():
            if self.is_open:
                raise ConnectionResetError
            return
        for start in range(0, len(data), _WRITE_SIZE):
            self._writer.write(data[start : start + _WRITE_SIZE])
            await self._writer.drain()

    async def stop(self, stop: Wire) -> None:
        """Close, drop the connection, or fall silent; `deaf` takes no notice of pings either."""
        await self.flush()
        match stop["how"]:
            case "hang":
                await asyncio.Event().wait()
            case "deaf":
                self._deaf = True
                await asyncio.Event().wait()
            case "close" if stop["code"] == 1006:
                raise Hangup
            case how:
                code = 1000 if how == "end" else stop["code"]
                if self.is_open:
                    self._protocol.send_close(None if code == 1005 else code, stop.get("reason", ""))
                await self.flush()

    async def _read(self, tasks: asyncio.TaskGroup) -> None:
        while data := await self._reader.read(_WRITE_SIZE):
            if self._deaf:
                continue
            self._protocol.receive_data(data)
            for frame in self._protocol.events_received():
                assert isinstance(frame, Frame)
                self._receive(frame, tasks)
            self._take_out()
            await self.flush()

    def _receive(self, frame: Frame, tasks: asyncio.TaskGroup) -> None:
        match frame.opcode:
            case Opcode.PING:
                self.record.pings += 1
            case Opcode.TEXT | Opcode.BINARY | Opcode.CONT:
                self._message += bytes(frame.data)
                if frame.fin:
                    raw, self._message = self._message, b""
                    self._begin(raw, tasks)
            case _:
                pass

    def _begin(self, raw: bytes, tasks: asyncio.TaskGroup) -> None:
        record = self.record
        request = Request(method="WS", path=record.path, headers=record.headers, raw=raw, connection=record.number)
        body = request.decode()
        self.state.requests.append(request)
        record.requests += 1
        self.state.notify()
        if "then" in self._step:
            return  # Also when the request arrived before the service could leave.
        lane = body.get("stream_id") if isinstance(body, dict) else None
        task = tasks.create_task(Response(self, lane, body).answer(after=self._last.get(lane)))
        self._last[lane] = task
        self._own(task, request)

    def _own(self, task: asyncio.Task[None], request: Request | None) -> None:
        self._running[task] = request
        task.add_done_callback(self._disown)

    def _disown(self, task: asyncio.Task[None]) -> None:
        request = self._running.pop(task)
        is_whole = not task.cancelled() and task.exception() is None
        if request is not None and not is_whole and self._reader.hung_up.is_set():
            request.closed_early = True

    def _take_out(self) -> None:
        """Move what the protocol wants to send to the buffer; empty data is the end of the connection."""
        for data in self._protocol.data_to_send():
            if data and not (data[0] == _PONG and not self._step.get("pongs", True)):
                self._buffer.append(data)
            elif not data:
                self._writer.write(b"".join(self._buffer))
                self._buffer.clear()
                self._writer.close()

    def _ending(self) -> Wire:
        sent, received = self._protocol.close_sent, self._protocol.close_rcvd
        if received is not None and (sent is None or self._protocol.close_rcvd_then_sent):
            return {"by": "client", "code": received.code, "reason": received.reason}
        if sent is not None:
            return {"by": "service", "code": sent.code, "reason": sent.reason}
        return {"by": "service" if self._dropped else "client", "code": 1006, "reason": ""}


class Response:
    """The answer to one message, in its lane."""

    def __init__(self, socket: Socket, lane: str | None, body: Any) -> None:
        self._socket = socket
        self._state = socket.state
        self._lanes = socket.record.lanes
        self._lane = lane
        self._body = body

    async def answer(self, *, after: asyncio.Task[None] | None) -> None:
        """Answer once the one before in the lane is answered."""
        if after is not None:
            await asyncio.wait({after})
        async with self._socket.in_flight:
            if not self._socket.is_open:
                return
            if refusal := self._refusal():
                self._evict()
                await self._send_error({"status": refusal.status, **refusal.body()})
            elif self._body.get("generate") is False and self._state.settings.warm_up == "accepted":
                known = reads(self._body) + self._known()
                await play(default_step(), self._kept(answers.warm_up(self._body, self._state.ids, known=known)), self)
            else:
                await self._play(self._state.next_step())
            await self._socket.flush()

    async def event(self, event: Wire) -> None:
        """Send an event of the response."""
        self._socket.send(encode(event).encode())

    async def frames(self, frames: list[Wire]) -> None:
        """Send unknown events, or binary frames."""
        for frame in frames:
            if "bytes" in frame:
                self._socket.send(base64.b64decode(frame["bytes"]), Opcode.BINARY)
            else:
                self._socket.send(encode(frame["event"]).encode())

    async def ping(self) -> None:
        """Send a ping."""
        await self._socket.ping()

    async def flush(self) -> None:
        """Return when everything is sent."""
        await self._socket.flush()

    async def stop(self, stop: Wire) -> None:
        """Leave as the step says."""
        await self._socket.stop(stop)

    async def end(self) -> None:
        """Do nothing: the last event is the end."""

    async def _play(self, step: Wire) -> None:
        match step["answer"]:
            case "drop":
                raise Hangup
            case "hang":
                await asyncio.Event().wait()
            case "http":
                self._evict()
                await self._send_error(_told(step))
            case "raw":
                for chunk in step["chunks"]:
                    self._socket.send(base64.b64decode(chunk))
                    await self._socket.flush()
                if not step["end"]:
                    raise Hangup
            case "big_text":
                await self._send_big_text(step)
            case _:
                await play(step, self._events(step), self)

    def _events(self, step: Wire) -> Iterator[Wire]:
        known = reads(self._body) + self._known()
        found = answers.events(step, self._body, self._state.ids, known=known)
        return self._kept(found, forgotten=bool(step.get("forgotten")))

    def _kept(self, events: Iterable[Wire], *, forgotten: bool = False) -> Iterator[Wire]:
        """Yield the events in the lane's name, storing the response before its terminal event."""
        parent = self._parent()
        output: list[Wire] = []
        for event in events:
            if event["type"] == "response.output_item.done":
                output.append(event["item"])
            elif event["type"] in ANSWERED and forgotten:
                self._lanes.pop(self._lane, None)
            elif event["type"] in ANSWERED:
                turn = after(parent, self._body, output)
                self._lanes[self._lane] = event["response"]["id"], turn
                self._state.keep(event["response"]["id"], turn, self._body)
            elif event["type"] in {"response.failed", "error"}:
                self._evict()
            yield event if self._lane is None else {**event, "stream_id": self._lane}

    def _parent(self) -> Turn | None:
        previous = self._body.get("previous_response_id")
        cached = [turn for response_id, turn in self._lanes.values() if response_id == previous]
        return cached[0] if cached else self._state.stored.get(previous)

    def _known(self) -> int:
        parent = self._parent()
        return 0 if parent is None else parent.characters

    def _evict(self) -> None:
        """Forget the lane's newest response if this request continued it; a failed fork keeps what it forked."""
        newest = self._lanes.get(self._lane)
        if newest is not None and isinstance(self._body, dict) and self._body.get("previous_response_id") == newest[0]:
            del self._lanes[self._lane]

    def _refusal(self) -> checks.Refusal | None:
        body, settings = self._body, self._state.settings
        if not isinstance(body, dict):
            return checks.Refusal(status=400, message="The message is no JSON object.", code="invalid_json")
        if (kind := body.get("type")) != "response.create":
            return checks.Refusal(status=400, message=f"Invalid value: '{kind}'.", code="invalid_value", param="type")
        if refusal := self._lane_refusal() or checks.check_request(body, settings.models, fields=_FIELDS):
            return refusal
        if "generate" in body and settings.warm_up == "refused":
            message = "Unsupported parameter: 'generate'."
            return checks.Refusal(status=400, message=message, code="unsupported_parameter", param="generate")
        parent, previous = self._parent(), body.get("previous_response_id")
        if previous is not None and parent is None:
            return checks.not_found(previous)
        return checks.check_items(new_items(body), parent)

    def _lane_refusal(self) -> checks.Refusal | None:
        lane = self._lane
        if lane is None:
            return None
        if not isinstance(lane, str) or not _STREAM_ID.fullmatch(lane):
            message = "Invalid 'stream_id': 1 to 256 letters, digits, '_', '.' or '-'."
            return checks.Refusal(status=400, message=message, code="invalid_stream_id", param="stream_id")
        if lane not in self._lanes and sum(name is not None for name in self._lanes) >= _MOST_LANES:
            message = f"A connection has at most {_MOST_LANES} streams."
            return checks.Refusal(status=400, message=message, code="websocket_stream_limit_reached", param="stream_id")
        return None

    async def _send_error(self, told: Wire) -> None:
        await self.event({"type": "error", **told, **({} if self._lane is None else {"stream_id": self._lane})})

    async def _send_big_text(self, step: Wire) -> None:
        for event in self._events(shortened(step)):
            if not is_delta(event):
                await self.event(event)
            elif self._lane is None and not self._socket.is_compressed:
                self._socket.send_encoded(_deltas(step, event))
            else:
                for number in range(step["n_deltas"]):
                    await self.event({**event, "delta": step["delta"], "sequence_number": 4 + number})
            await self.flush()


def _told(step: Wire) -> Wire:
    """Return the error event of what HTTP would refuse."""
    try:
        error = json.loads(step["body"])["error"]
    except (ValueError, LookupError, TypeError):
        error = {"message": step["body"], "type": "error", "code": None, "param": None}
    headers = {name: value for name, value in step["headers"].items() if name != "content-type"}
    return {"status": step["status"], "error": {**error, "headers": headers} if headers else error}


def _deltas(step: Wire, event: Wire) -> bytes:
    """Return the frames of all deltas, encoded once for each size; no test reads their item's id."""
    key = (step["n_deltas"], step["delta"])
    if key not in _BIG_TEXTS:
        before, _, after = encode(answers.with_delta(event, step["delta"])).partition('"NUMBER"')
        payloads = (f"{before}{4 + number}{after}".encode() for number in range(step["n_deltas"]))
        _BIG_TEXTS[key] = b"".join(Frame(Opcode.TEXT, data).serialize(mask=False) for data in payloads)
    return _BIG_TEXTS[key]
