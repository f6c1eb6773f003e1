"""A service with the conversations API, in a thread: it keeps and pages items, and refuses what OpenAI refuses."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Item = dict[str, Any]


@dataclass
class Conversations:
    """What the service holds, and what it was asked."""

    base_url: str = ""
    kept: dict[str, list[Item]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Method and path of each request."""
    keys: set[str | None] = field(default_factory=set)
    failures: list[int] = field(default_factory=list)
    """Status codes of the answers that come first."""
    made: int = 0

    def answer(self, method: str, target: str, body: Any) -> tuple[int, Any]:
        if self.failures:
            return self.failures.pop(0), {"error": {"message": "not now"}}
        url = urlsplit(target)
        match [method, *url.path.removeprefix("/v1/").split("/")]:
            case ["POST", "conversations"]:
                self.made += 1
                name = f"conv_{self.made}"
                self.kept[name] = []
                return 200, {"id": name, "object": "conversation"}
            case ["DELETE", "conversations", name] if name in self.kept:
                del self.kept[name]
                return 200, {"id": name, "deleted": True}
            case ["POST", "conversations", name, "items"] if name in self.kept:
                return self._add(name, body["items"])
            case ["GET", "conversations", name, "items"] if name in self.kept:
                return 200, self._page(name, {key: value[0] for key, value in parse_qs(url.query).items()})
            case ["DELETE", "conversations", name, "items", item_id] if name in self.kept:
                self.kept[name] = [item for item in self.kept[name] if item["id"] != item_id]
                return 200, {"id": name}
        return 404, {"error": {"message": "there is no such conversation", "code": "not_found"}}

    def _add(self, name: str, items: list[Item]) -> tuple[int, Any]:
        if len(items) > 20:
            return 400, {"error": {"message": "too many items"}}
        for item in items:
            if None in item.values() or ("id" in item and item.get("type", "message") != "reasoning"):
                return 400, {"error": {"message": f"invalid item {item}"}}
            self.made += 1
            self.kept[name].append({"type": "message", "id": f"item_{self.made}", **item})
        return 200, {"object": "list", "data": []}

    def _page(self, name: str, query: dict[str, str]) -> Any:
        items = self.kept[name][:: 1 if query["order"] == "asc" else -1]
        if "after" in query:
            items = items[[item["id"] for item in items].index(query["after"]) + 1 :]
        page = items[: int(query["limit"])]
        return {"data": page, "has_more": len(page) < len(items), "last_id": page[-1]["id"] if page else None}


@contextlib.contextmanager
def conversations() -> Iterator[Conversations]:
    """Serve on loopback until the block ends."""
    service = Conversations()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            service.asked.append(f"{self.command} {urlsplit(self.path).path}")
            service.keys.add(self.headers.get("authorization"))
            status, answer = service.answer(self.command, self.path, json.loads(content) if content else None)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            if status != 200:
                self.send_header("retry-after-ms", "1")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.base_url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
