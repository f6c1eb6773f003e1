"""A server over HTTP as the protocol was in 2025, with sessions, in a few lines: it says its port, then serves.

Its tools `forget` and `forget_and_be_listed` have it forget every session; `count` tells how many calls there were;
`overload` is answered with HTTP status 503. It speaks TLS where CERTIFICATE names a file.
"""

import json
import os
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

sessions: set[str] = set()
calls = 0
opened = 0


def answer(message: dict[str, Any]) -> dict[str, Any]:
    global calls
    match message:
        case {"method": "initialize"}:
            return {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "old", "version": "1"},
            }
        case {"method": "tools/call", "params": {"name": name}}:
            calls += 1
            if name.startswith("forget"):
                sessions.clear()
            return {"content": [{"type": "text", "text": str(calls)}]}
        case _:
            names = ("count", "forget_and_be_listed")
            return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in names]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        global opened
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        session = self.headers.get("mcp-session-id")
        if message.get("method") == "initialize":
            opened += 1
            session = f"session-{opened}"
            sessions.add(session)
        elif session is None:
            self.reply(400)
            return
        elif session not in sessions:
            self.reply(404)
            return
        if message.get("params", {}).get("name") == "overload":
            self.reply(503)
        elif "id" in message:
            reply = {"jsonrpc": "2.0", "id": message["id"], "result": answer(message)}
            self.reply(200, json.dumps(reply).encode(), session)
        else:
            self.reply(202)

    def do_GET(self) -> None:
        self.reply(405)

    def do_DELETE(self) -> None:
        sessions.discard(self.headers["mcp-session-id"])
        self.reply(200)

    def reply(self, status: int, body: bytes = b"", session: str | None = None) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        if session is not None:
            self.send_header("mcp-session-id", session)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
    if "CERTIFICATE" in os.environ:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(os.environ["CERTIFICATE"])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    server.serve_forever()
