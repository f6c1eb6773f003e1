"""A service that costs next to nothing, for what would else measure the service: answers encoded beforehand, no checks.

It speaks HTTP and WebSocket. Below a path such as `/50ms/`, each answer comes after so long a round trip. A request
without tools is answered with a text. One with tools, whose input begins with a text such as "100 calls", is answered
with so many calls of the function, one a response, and then with the text; over WebSocket it must be continued by the
id of the response before.
"""

import asyncio
import base64
import hashlib
import json
import re
import sys

from websockets.frames import Frame, Opcode

from tests.benchmarks.quick_client import TEXT
from tests.service import answers, steps
from tests.service.sse import Dress, encode
from tests.service.state import Ids

_CALL = steps.tool_calls(("get_weather", {"city": "Oslo"}, "call_" + "0" * 24))
_ASKED = {"model": "gpt-5-mini"}
_NUMBER = b"_" + b"0" * 20
"""Where every id in the encoded answers has room for a number of its own."""
_ROUND_TRIP = re.compile(rb"[A-Z]+ /(\d+)ms/")
_CALLS_WANTED = re.compile(rb'"(\d+) calls"')
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n"


def _encoded(step: steps.Step) -> tuple[bytes, bytes]:
    """Return an answer as SSE and as frames."""
    events = list(answers.events(step, _ASKED, Ids()))
    frames = (Frame(Opcode.TEXT, encode(event).encode()).serialize(mask=False) for event in events)
    return b"".join(map(Dress({}).frame, events)), b"".join(frames)


_CALL_SSE, _CALL_FRAMES = _encoded(_CALL)
_TEXT_SSE, _TEXT_FRAMES = _encoded(steps.text(TEXT, deltas=20))


class _Connection(asyncio.Protocol):
    """A connection, which an upgrade turns from HTTP to frames."""

    _answered = 0

    def __init__(self) -> None:
        self._received = b""
        self._is_upgraded = False
        self._calls_left = 0
        self._last = b""
        self._round_trip = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def _write(self, data: bytes) -> None:
        if self._round_trip:
            asyncio.get_running_loop().call_later(self._round_trip, self._transport.write, data)
        else:
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while self._take_frame() if self._is_upgraded else self._take_request():
            pass

    def _take_request(self) -> bool:
        head, blank, rest = self._received.partition(b"\r\n\r\n")
        if not blank:
            return False
        if round_trip := _ROUND_TRIP.match(head):
            self._round_trip = int(round_trip[1]) / 1000
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        }
        if key := headers.get(b"sec-websocket-key"):
            self._received = rest
            self._upgrade(key)
            return True
        length = int(headers[b"content-length"])
        if len(rest) < length:
            return False
        self._received = rest[length:]
        self._answer_http(rest[:length])
        return True

    def _upgrade(self, key: bytes) -> None:
        self._is_upgraded = True
        accept = base64.b64encode(hashlib.sha1(key + _MAGIC).digest())
        self._write(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            b"sec-websocket-accept: %b\r\n\r\n" % accept
        )

    def _take_frame(self) -> bool:
        """Take a frame of a client, which is masked and whole."""
        received = self._received
        if len(received) < 2:
            return False
        start = {126: 4, 127: 10}.get(received[1] & 127, 2)
        length = int.from_bytes(received[2:start]) if start > 2 else received[1] & 127
        end = start + 4 + length
        if len(received) < end:
            return False
        mask, masked = received[start : start + 4], received[start + 4 : end]
        self._received = received[end:]
        opcode = received[0] & 15
        repeated = (mask * (length // 4 + 1))[:length]
        data = (int.from_bytes(masked) ^ int.from_bytes(repeated)).to_bytes(length)
        if opcode == Opcode.TEXT:
            self._answer_frame(data)
        elif opcode == Opcode.CLOSE:
            self._transport.write(Frame(Opcode.CLOSE, data).serialize(mask=False))
            self._transport.close()
        return True

    def _answer_http(self, body: bytes) -> None:
        wanted = _CALLS_WANTED.search(body)
        calls_left = int(wanted[1]) - body.count(b'"function_call_output"') if wanted else 0
        answer, _ = self._next(_CALL_SSE if calls_left else _TEXT_SSE)
        self._write(_HEAD % len(answer) + answer)

    def _answer_frame(self, message: bytes) -> None:
        if wanted := _CALLS_WANTED.search(message):
            self._calls_left = int(wanted[1])
        elif self._last not in message:
            self._calls_left = 0
        answer, number = self._next(_CALL_FRAMES if self._calls_left else _TEXT_FRAMES)
        self._last = b"resp" + number
        self._calls_left = max(0, self._calls_left - 1)
        self._write(answer)

    def _next(self, answer: bytes) -> tuple[bytes, bytes]:
        _Connection._answered += 1
        number = b"_%020d" % _Connection._answered
        return answer.replace(_NUMBER, number), number


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=512)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
