"""A service on loopback, over HTTP and WebSocket, that answers as a function says; for checks of this program."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from types import TracebackType
from typing import Self

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from agentctl._dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedRequest:
    """A request, or a text message of a WebSocket."""

    target: str
    """The path, or the URL if this service is the proxy."""
    headers: Mapping[str, str]
    body: bytes
    is_message: bool = False
    """Whether it is a message of a WebSocket, with the target and the headers of its upgrade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedResponse:
    """The response to a request: events, or a body."""

    status: int = 200
    headers: Mapping[str, str]
    body: bytes = b""
    events: Sequence[str] = ()
    """The data of server-sent events, or text messages of a WebSocket."""


class LoopbackService:
    """Serves on a free port of 127.0.0.1 during a `with` block, each connection in a thread."""

    def __init__(self, respond: Callable[[ServedRequest], ServedResponse]) -> None:
        """Take the function that responds to requests, which is called in several threads."""

        class Handler(_Handler):
            pass

        Handler.respond = staticmethod(respond)
        # `HTTPServer` would ask a name server for the name of 127.0.0.1.
        self._server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        """The port."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        # The default polls for the end twice a second.
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Reads the requests of a connection."""

    respond: Callable[[ServedRequest], ServedResponse]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Respond to a request without a body, or upgrade to a WebSocket."""
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._serve_websocket()
        else:
            self._respond(b"")

    def do_POST(self) -> None:
        """Respond to a request with a body."""
        self._respond(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""

    def _respond(self, body: bytes) -> None:
        response = self.respond(ServedRequest(target=self.path, headers=dict(self.headers), body=body))
        content = b"".join(f"data: {event}\n\n".encode() for event in response.events) or response.body
        self.send_response(response.status)
        for name, value in {**response.headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _serve_websocket(self) -> None:
        self.close_connection = True
        protocol = ServerProtocol()
        lines = [self.requestline, *(f"{name}: {value}" for name, value in self.headers.items()), "", ""]
        protocol.receive_data("\r\n".join(lines).encode())
        for event in protocol.events_received():
            assert isinstance(event, Request)
            protocol.send_response(protocol.accept(event))
        self._send(protocol)
        while data := self.connection.recv(65536):
            protocol.receive_data(data)
            for event in protocol.events_received():
                if isinstance(event, Frame) and event.opcode == Opcode.TEXT:
                    request = ServedRequest(
                        target=self.path, headers=dict(self.headers), body=bytes(event.data), is_message=True
                    )
                    for message in self.respond(request).events:
                        protocol.send_text(message.encode())
            self._send(protocol)

    def _send(self, protocol: ServerProtocol) -> None:
        self.connection.sendall(b"".join(protocol.data_to_send()))
