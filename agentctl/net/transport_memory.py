"""The memory of WebSockets that did not work, in files that the user's processes share."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

from agentctl._dataclass import dataclass
from agentctl.log import logger
from agentctl.redaction import redact
from agentctl.storage import make_folder, try_lock, write_atomic

LIFETIME = 600.0
"""Seconds for which a failure is assumed to last; the first request after that probes the WebSocket again."""

_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way of a WebSocket: to which address, and through which proxy."""

    url: str
    """The URL without its query, which may contain a key."""
    proxy: str | None
    """The URL of the proxy, without credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFailure:
    """A WebSocket that did not work, although HTTP did."""

    reason: str
    at: float
    """Seconds since the epoch."""
    is_recent: bool
    """Whether the failure is assumed to last."""


class TransportMemory:
    """Remembers, for each route, that its WebSocket did not work; a file that cannot be used is ignored."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock

    def failure(self, route: Route) -> KnownFailure | None:
        """Return the failure of a route, if there is one."""
        try:
            entry = json.loads(self._file(route).read_bytes())
            at, reason = float(entry["at"]), str(entry["reason"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        # A clock that was set back must not prolong the memory.
        return KnownFailure(reason=reason, at=at, is_recent=0 <= self._clock() - at < LIFETIME)

    def record(self, route: Route, reason: str) -> None:
        """Remember that the WebSocket of a route does not work."""
        entry = {"version": _FORMAT, "url": route.url, "proxy": route.proxy, "reason": redact(reason)}
        try:
            make_folder(self._folder)
            data = json.dumps({**entry, "at": self._clock()}).encode()
            write_atomic(self._file(route), data, mode=0o600)
        except OSError as error:
            logger.debug("the failure of the WebSocket is not remembered: %s", error)

    def forget(self, route: Route) -> bool:
        """Forget the failure of a route, and return whether there was one."""
        try:
            self._file(route).unlink()
        except OSError:
            return False
        return True

    def claim_probe(self, route: Route) -> bool:
        """Return whether the caller is to probe a route whose failure is not recent: one process at a time is.

        For all others the failure is recent again.
        """
        try:
            with try_lock(self._file(route).with_suffix(".lock")) as is_free:
                known = self.failure(route) if is_free else None
                if known is None or known.is_recent:
                    return False
                self.record(route, known.reason)
                return True
        except Exception as error:  # A folder that cannot be written to must not fail a run.
            logger.debug("the WebSocket is not probed: %s", error)
            return False

    def _file(self, route: Route) -> Path:
        name = hashlib.sha256(f"{route.url}\n{route.proxy or ''}".encode()).hexdigest()[:32]
        return self._folder / f"{name}.json"
