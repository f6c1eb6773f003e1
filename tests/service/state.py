"""The state of one test: the script, the requests and connections so far, stored responses and settings."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.service.history import Turn

Wire = dict[str, Any]


class Hangup(Exception):
    """The service drops the connection here."""


class Ids:
    """Numbers everything the service names, from 1 after each reset, so that a test can foretell them."""

    def __init__(self) -> None:
        self._last = 0
        self._last_call = 0
        self._last_request = 0

    def new(self, prefix: str) -> str:
        """Return an id that was not used yet."""
        self._last += 1
        return f"{prefix}_{self._last:024d}"

    def call(self) -> str:
        """Return the next function call's id: call_1, call_2 and so on."""
        self._last_call += 1
        return f"call_{self._last_call}"

    def request(self) -> str:
        """Return the next HTTP answer's id; WebSocket has none, and its other ids are the same."""
        self._last_request += 1
        return f"req_{self._last_request:024d}"


@dataclass(slots=True, kw_only=True)
class Request:
    """A request as it came, and whether its client hung up before the answer was whole."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes
    connection: int | None = None
    is_json: bool = True
    closed_early: bool = False

    def decode(self) -> Any:
        """Return the body; what is no JSON as text."""
        try:
            return json.loads(self.raw) if self.raw else None
        except ValueError:
            self.is_json = False
            return self.raw.decode("utf-8", "replace")

    def to_json(self, *, with_body: bool) -> bytes:
        """Return what the tests see of it; the body as it came, which is quicker than to write it once more."""
        seen = {"method": self.method, "path": self.path, "headers": self.headers, "bytes": len(self.raw)}
        head = json.dumps({**seen, "connection": self.connection, "closed_early": self.closed_early})
        body = self.raw or b"null"
        if not self.is_json:
            body = json.dumps(self.raw.decode("utf-8", "replace")).encode()
        return b'%b, "body": %b}' % (head[:-1].encode(), body if with_body else b"null")


@dataclass(slots=True, kw_only=True)
class Connection:
    """An attempt to open a WebSocket, what came of it, the newest response of each lane, and how it ended."""

    number: int
    path: str
    headers: dict[str, str]
    status: int | None = None
    deflate: bool = False
    pings: int = 0
    requests: int = 0
    ended: Wire | None = None
    lanes: dict[str | None, tuple[str, Turn]] = field(default_factory=dict)
    abort: Callable[[], None]

    def to_json(self) -> Wire:
        """Return what the tests see of it."""
        seen = {"connection": self.number, "path": self.path, "headers": self.headers, "status": self.status}
        return {
            **seen,
            "deflate": self.deflate,
            "pings": self.pings,
            "requests": self.requests,
            "ended": self.ended,
        }


@dataclass(slots=True, kw_only=True)
class Settings:
    """The settings of the service: valid key and models, whether it stores, and the handling of a warm-up."""

    key: str | None = None
    models: list[str] | None = None
    stores: bool = True
    warm_up: str = "accepted"


@dataclass(slots=True, kw_only=True)
class State:
    """Everything that a reset forgets."""

    script: list[Wire] = field(default_factory=list)
    upgrades: list[Wire] = field(default_factory=list)
    ingests: list[Wire] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    settings: Settings = field(default_factory=Settings)
    ids: Ids = field(default_factory=Ids)
    stored: dict[str, Turn] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def next_step(self) -> Wire:
        """Take the next step of the script, or the text "ok" when there is none left."""
        return self.script.pop(0) if self.script else default_step()

    def notify(self) -> None:
        """Wake who waits for requests and connections."""
        self.changed.set()
        self.changed = asyncio.Event()

    def keep(self, response_id: str, turn: Turn, body: Wire) -> None:
        """Store a response, where the request and the settings let it."""
        if self.settings.stores and body.get("store") is not False:
            self.stored[response_id] = turn

    async def wait(self, reached: Callable[[], bool]) -> None:
        """Return when that is reached, or after ten seconds: then the test sees what there is, and fails with it."""
        try:
            async with asyncio.timeout(10):
                while not reached():
                    await self.changed.wait()
        except TimeoutError:
            pass


def default_step() -> Wire:
    """Return the step of an empty script: a short text."""
    items = [{"kind": "text", "deltas": ["ok"]}]
    return {"answer": "response", "items": items, "end": {"type": "completed"}, "delay": 0}
