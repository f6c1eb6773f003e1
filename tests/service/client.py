"""The test's side of the fake service: starts it, scripts it, and sees what it was asked."""

import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.service.steps import Step

_ROOT = Path(__file__).resolve().parents[2]


class Service:
    """A running fake service."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.origin}/v1"
        self._key: str | None = None
        self._models: list[str] | None = None

    @property
    def key(self) -> str | None:
        """The only key that is accepted; None accepts any, and none."""
        return self._key

    @key.setter
    def key(self, key: str | None) -> None:
        self._key = key
        self._settle()

    @property
    def models(self) -> list[str] | None:
        """The only models that exist; None lets every name pass."""
        return self._models

    @models.setter
    def models(self, models: list[str] | None) -> None:
        self._models = models
        self._settle()

    def script(self, *steps: Step) -> None:
        """Append steps: what the next requests are answered with."""
        self._control("script", list(steps))

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests so far: method, path, headers (names in lower case), body (decoded), closed_early."""
        return self._control("requests", None)

    def wait_for_requests(self, count: int, *, closed_early: int = 0) -> list[dict[str, Any]]:
        """Return the requests once there are so many, and so many clients hung up in the middle of their answer."""
        seen = self._control("wait", {"count": count, "closed_early": closed_early})
        hung_up = sum(one["closed_early"] for one in seen)
        assert len(seen) >= count, f"{len(seen)} requests came, not {count}"
        assert hung_up >= closed_early, f"{hung_up} clients hung up, not {closed_early}"
        return seen

    def reset(self) -> None:
        """Forget the script, the requests, the key and the models; ids start again."""
        self._key = self._models = None
        self._control("reset", None)

    def _settle(self) -> None:
        self._control("settings", {"key": self._key, "models": self._models})

    def _control(self, path: str, body: Any) -> list[dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", f"/_control/{path}", json.dumps(body))
            seen: list[dict[str, Any]] = json.loads(connection.getresponse().read())
            return seen


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
