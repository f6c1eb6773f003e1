"""The test's side of the fake service: starts it, scripts it, and reads its requests."""

import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from tests.service.steps import Step

WarmUp = Literal["accepted", "refused", "ignored"]
_ROOT = Path(__file__).resolve().parents[2]


class Service:
    """A running fake service."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.origin}/v1"
        self.websocket_base_url = f"ws://127.0.0.1:{port}/v1"
        self._settings: dict[str, Any] = {}

    @property
    def key(self) -> str | None:
        """The only key that is accepted; None accepts any, and none."""
        return self._settings.get("key")

    @key.setter
    def key(self, key: str | None) -> None:
        self._settle(key=key)

    @property
    def models(self) -> list[str] | None:
        """The only models that exist; None lets every name pass."""
        return self._settings.get("models")

    @models.setter
    def models(self, models: list[str] | None) -> None:
        self._settle(models=models)

    @property
    def stores(self) -> bool:
        """Whether responses are stored where `store` is true or unset; False is zero data retention."""
        return bool(self._settings.get("stores", True))

    @stores.setter
    def stores(self, stores: bool) -> None:
        self._settle(stores=stores)

    @property
    def warm_up(self) -> WarmUp:
        """The handling of `generate: false`; `ignored` takes a step of the script and generates."""
        warm_up: WarmUp = self._settings.get("warm_up", "accepted")
        return warm_up

    @warm_up.setter
    def warm_up(self, warm_up: WarmUp) -> None:
        self._settle(warm_up=warm_up)

    def script(self, *steps: Step) -> None:
        """Append steps: what the next requests are answered with."""
        self._control("script", list(steps))

    def script_upgrades(self, *steps: Step) -> None:
        """Append upgrade steps: how the next upgrades are answered; then all are accepted.

        They are `upgrade()`, `http_error()`, `redirect()`, `not_sse()`, `hang()`, `drop_before_events()` and `raw()`.
        """
        self._control("script_upgrades", list(steps))

    def script_ingests(self, *steps: Step) -> None:
        """Append steps for traces, such as `http_error()` and `hang()`; then all are taken."""
        self._control("script_ingests", list(steps))

    def traced(self) -> list[dict[str, Any]]:
        """Return the requests so far that brought traces."""
        return [request for request in self.requests() if request["path"] == "/v1/traces/ingest"]

    def requests(self, *, bodies: bool = True) -> list[dict[str, Any]]:
        """Return the requests so far: method, path, headers (names in lower case), body (decoded), bytes, closed_early.

        A message of a WebSocket has the method WS, and the number of its `connection`. Without `bodies` each body is
        None, which is quicker after a long loop.
        """
        return self._seen("requests", count=0, closed_early=0, bodies=bodies)

    def wait_for_requests(self, count: int, *, closed_early: int = 0) -> list[dict[str, Any]]:
        """Return the requests once there are so many, and so many clients hung up in the middle of their answer."""
        seen = self._seen("requests", count=count, closed_early=closed_early, bodies=True)
        hung_up = sum(one["closed_early"] for one in seen)
        assert len(seen) >= count, f"{len(seen)} requests came, not {count}"
        assert hung_up >= closed_early, f"{hung_up} clients hung up, not {closed_early}"
        return seen

    def connections(self) -> list[dict[str, Any]]:
        """Return the upgrades so far: connection (its number), path, headers, status, deflate, pings, requests, ended.

        `ended` is None while it lives and where it was refused, else it tells who left (`by`: "client" or "service"),
        with which `code` and `reason`; 1006 is without a word.
        """
        return self._seen("connections", count=0, ended=0)

    def wait_for_connections(self, count: int, *, ended: int = 0) -> list[dict[str, Any]]:
        """Return the connections once there are so many, and so many of them ended."""
        seen = self._seen("connections", count=count, ended=ended)
        over = sum(one["ended"] is not None for one in seen)
        assert len(seen) >= count, f"{len(seen)} connections came, not {count}"
        assert over >= ended, f"{over} connections ended, not {ended}"
        return seen

    def forget(self) -> None:
        """Forget every response, so that none can be continued."""
        self._control("forget", None)

    def reset(self) -> None:
        """Forget scripts, requests, connections (which drop) and settings; ids start again."""
        self._settings = {}
        self._control("reset", None)

    def _settle(self, **settings: Any) -> None:
        self._settings |= settings
        self._control("settings", self._settings)

    def _seen(self, path: str, **wanted: Any) -> list[dict[str, Any]]:
        seen: list[dict[str, Any]] = self._control(path, wanted)
        return seen

    def _control(self, path: str, body: Any) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", f"/_control/{path}", json.dumps(body))
            return json.loads(connection.getresponse().read())


@contextlib.contextmanager
def running_service() -> Iterator[Service]:
    """Run the service in a process of its own, until the block ends (or this process dies)."""
    command = [sys.executable, "-m", "tests.service"]
    with subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the fake service did not start"
        try:
            yield Service(json.loads(line)["port"])
        finally:
            process.communicate()
