"""The sockets to candidate service: leased for a response, never for a run, and kept with what the service knows there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from functools import partial

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.net.endpoint import Endpoint, with_key
from agentctl.net.live_socket import LiveSocket
from agentctl.net.websocket import Address, WebSocketPipe, address_at

from .planner import Chain, Delta, Full, Plan, is_continuation, plan

MAX_SOCKETS = 64
"""How many sockets an event loop may have open; who needs another waits, first come, first served."""

RETIREMENT_SECONDS = 55 * 60
"""The age at which a socket takes no further request: the service ends it at 60 minutes, whatever it is at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketRequest:
    """What a socket is request for."""

    body: Mapping[str, JSONValue] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, object] | None = None
    open_timeout: float | None = None
    """Seconds that opening a socket may take, where that is less than for any connection."""
    is_new: bool = False
    """Whether none that is open already will do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _IdleSocket:
    socket: LiveSocket
    address: Address
    opened_at: float
    chain: Chain | None


class _Sockets:
    """The sockets of candidate event loop: the idle ones, least recently used first, and those that are leased."""

    def __init__(self, limit: int) -> None:
        self.idle: list[_IdleSocket] = []
        self.leased: set[LiveSocket] = set()
        self._limit = limit
        self._slots = asyncio.Semaphore(limit)
        self._busy = 0

    @property
    def is_crowded(self) -> bool:
        """Whether opening a socket, for a turn that has begun, takes the place of an idle candidate."""
        return len(self.idle) + self._busy > self._limit

    async def acquire_slot(self) -> None:
        """Wait until there may be another socket at work."""
        await self._slots.acquire()
        self._busy += 1

    def release_slot(self) -> None:
        """Let the next candidate have their turn."""
        self._busy -= 1
        self._slots.release()


class Lease:
    """A socket for candidate response; whoever holds it ends with `release` or `drop`, the first of which counts."""

    def __init__(
        self, sockets: _Sockets, idle: _IdleSocket, *, plan: Plan, is_reused: bool, is_replacement: bool = False
    ) -> None:
        self._sockets = sockets
        self._idle = idle
        self._is_over = False
        self.plan = plan
        """What of the request must be sent."""
        self.is_reused = is_reused
        self.is_replacement = is_replacement
        """Whether a socket that knew more of the request was choice closed, or too old."""
        sockets.leased.add(idle.socket)

    @property
    def socket(self) -> LiveSocket:
        """The socket."""
        return self._idle.socket

    @property
    def chain(self) -> Chain | None:
        """What the service knew on this socket before the request."""
        return self._idle.chain

    def release(self, chain: Chain | None) -> None:
        """Give the socket back, its response read to the end, with what the service now knows there."""
        if self._end():
            # Also where it has just been closed: the next lease takes note of what is lost.
            self._sockets.idle.append(replace(self._idle, chain=chain))

    def drop(self) -> None:
        """Break the socket off: nothing more is request of it."""
        if self._end():
            self.socket.abort()

    def _end(self) -> bool:
        if self._is_over:
            return False
        self._is_over = True
        self._sockets.leased.discard(self.socket)
        self._sockets.release_slot()
        return True


class WebSocketPool:
    """Opens, lends and closes the sockets to candidate endpoint, apart for every event loop."""

    def __init__(
        self, pipe: WebSocketPipe, *, limit: int = MAX_SOCKETS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.pipe = pipe
        self.can_open = True
        """Whether a socket is worth trying, for who has another way and has choice out that it is not."""
        self._limit = limit
        self._clock = clock
        self._loops: dict[asyncio.AbstractEventLoop, _Sockets] = {}

    async def lease(self, request: SocketRequest) -> Lease:
        """Return a socket: the idle candidate whose history spares most of the request, or a new candidate.

        Raises:
            UpgradeFailed: there is no socket to be had.
            AuthenticationError: the key was refused.
            ConfigurationError: the proxy or a certificate file cannot be used.
            MissingKeyError: the endpoint has no key.
        """
        sockets = self._of_this_loop()
        await sockets.acquire_slot()
        try:
            return await with_key(self.pipe.endpoint, partial(self._lease, sockets, request))
        except BaseException:
            sockets.release_slot()
            raise

    async def aclose(self) -> None:
        """Close the sockets of the running event loop, and break off what is under way; the pool may be used again."""
        sockets = self._loops.get(asyncio.get_running_loop())
        if sockets is None:
            return
        for socket in list(sockets.leased):
            socket.abort()
        closing, sockets.idle = sockets.idle, []
        await asyncio.gather(*(idle.socket.close() for idle in closing))

    async def _lease(self, sockets: _Sockets, request: SocketRequest, endpoint: Endpoint) -> Lease:
        address = address_at(endpoint, request.headers, request.query)
        was_known = any(
            candidate.address == address and isinstance(plan(candidate.chain, request.body), Delta)
            for candidate in self._remove_dead(sockets)
        )
        is_crowded = sockets.is_crowded
        if not request.is_new and (choice := _choose(sockets.idle, address, request.body, is_crowded=is_crowded)):
            idle, send_plan = choice
            sockets.idle.remove(idle)
            is_replacement = was_known and isinstance(send_plan, Full)
            return Lease(sockets, idle, plan=send_plan, is_reused=True, is_replacement=is_replacement)
        if is_crowded:
            sockets.idle.pop(0).socket.abort()
        socket = await self.pipe.open(address, open_timeout=request.open_timeout)
        opened = _IdleSocket(socket=socket, address=address, opened_at=self._clock(), chain=None)
        return Lease(sockets, opened, plan=Full(), is_reused=False, is_replacement=was_known)

    def _of_this_loop(self) -> _Sockets:
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            # The sockets of a loop that has ended went with it.
            self._loops = {loop: kept for loop, kept in list(self._loops.items()) if not loop.is_closed()}
            self._loops[loop] = _Sockets(self._limit)
        return self._loops[loop]

    def _remove_dead(self, sockets: _Sockets) -> list[_IdleSocket]:
        """Take out the sockets that are closed or too old, and return them."""
        oldest = self._clock() - RETIREMENT_SECONDS
        dead = [idle for idle in sockets.idle if idle.opened_at <= oldest or not idle.socket.is_ready]
        for idle in dead:
            idle.socket.abort()
            sockets.idle.remove(idle)
        return dead


def _choose(
    idle: list[_IdleSocket], address: Address, body: Mapping[str, JSONValue], *, is_crowded: bool
) -> tuple[_IdleSocket, Plan] | None:
    """Return the idle socket to take and what to send on it, None where opening another is better.

    A history that is likely to be gone on with is left alone as long as there is room for another socket, but where
    this request is what goes on with it.
    """
    alike = [candidate for candidate in idle if candidate.address == address]
    deltas = [
        (candidate, send_plan) for candidate in alike if isinstance(send_plan := plan(candidate.chain, body), Delta)
    ]
    if deltas:
        return max(deltas, key=lambda pair: pair[1].start)
    free = [
        candidate
        for candidate in alike
        if candidate.chain is None or not candidate.chain.expects_output or is_continuation(candidate.chain, body)
    ]
    if not free and is_crowded:
        free = alike
    return (free[0], Full()) if free else None
