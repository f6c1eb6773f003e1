"""The pool of sockets to a service: leased for one response, and kept with the state that the service has on each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import field
from functools import partial

from agentctl._dataclass import dataclass
from agentctl.agent.ports import HistoryIdentity
from agentctl.agent.wire import JSONValue
from agentctl.log import logger
from agentctl.net.endpoint import Endpoint, with_key
from agentctl.net.live_socket import LiveSocket
from agentctl.net.websocket import Address, WebSocketPipe, address_at

from .planner import Chain, Delta, Full, Plan, is_continuation, plan

MAX_SOCKETS = 64
"""The limit of open sockets per event loop; further leases wait in order."""

RETIREMENT_SECONDS = 55 * 60
"""The age at which a socket takes no further request: the service closes it after 60 minutes in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketRequest:
    """A request for a socket."""

    body: Mapping[str, JSONValue] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, object] | None = None
    open_timeout: float | None = None
    """Seconds to open a socket, if less than the connect timeout."""
    is_new: bool = False
    """Whether to open a new socket rather than reuse an open one."""
    history: HistoryIdentity | None = field(default=None, repr=False)
    """`ModelRequest.history`, if the body has its input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _IdleSocket:
    socket: LiveSocket
    address: Address
    opened_at: float
    chain: Chain | None


class _Sockets:
    """The sockets of one event loop: the idle ones, least recently used first, and the leased ones."""

    def __init__(self, limit: int) -> None:
        self.idle: list[_IdleSocket] = []
        self.leased: set[LiveSocket] = set()
        self._limit = limit
        self._slots = asyncio.Semaphore(limit)
        self._busy = 0

    @property
    def is_crowded(self) -> bool:
        """True if opening a socket for a lease that has its slot requires closing an idle one."""
        return len(self.idle) + self._busy > self._limit

    async def acquire_slot(self) -> None:
        """Wait until another lease is allowed."""
        await self._slots.acquire()
        self._busy += 1

    def release_slot(self) -> None:
        """Let the next lease proceed."""
        self._busy -= 1
        self._slots.release()


class Lease:
    """A socket for one response; its holder calls `release` or `drop`, and later calls have no effect."""

    def __init__(
        self, sockets: _Sockets, idle: _IdleSocket, *, plan: Plan, is_reused: bool, is_replacement: bool = False
    ) -> None:
        self._sockets = sockets
        self._idle = idle
        self._is_over = False
        self.plan = plan
        """The part of the request to send."""
        self.is_reused = is_reused
        self.is_replacement = is_replacement
        """Whether a socket with more of the request's history was found closed, or too old."""
        sockets.leased.add(idle.socket)

    @property
    def socket(self) -> LiveSocket:
        """The socket."""
        return self._idle.socket

    @property
    def chain(self) -> Chain | None:
        """The state that the service had on this socket before the request."""
        return self._idle.chain

    def release(self, chain: Chain | None) -> None:
        """Return the socket, its response read to the end, with the state that the service now has on it."""
        if self._end():
            # Even if it was just closed: the next lease notices the loss.
            known = self._idle
            self._sockets.idle.append(
                _IdleSocket(socket=known.socket, address=known.address, opened_at=known.opened_at, chain=chain)
            )

    def drop(self) -> None:
        """Abort the socket, which is not used again."""
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
    """A pool that opens, leases and closes the sockets to one endpoint, separately for each event loop."""

    def __init__(
        self, pipe: WebSocketPipe, *, limit: int = MAX_SOCKETS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.pipe = pipe
        self.can_open = True
        """Whether a socket is worth trying; a caller with another transport sets it to False after a failure."""
        self.has_responded = False
        """Whether a response came over one of its sockets."""
        self._limit = limit
        self._clock = clock
        self._loops: dict[asyncio.AbstractEventLoop, _Sockets] = {}

    async def lease(self, request: SocketRequest) -> Lease:
        """Return a lease of the idle socket whose history saves most of the request, or of a new one.

        Raises:
            UpgradeFailed: no socket could be opened.
            AuthenticationError: the key was rejected.
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
        """Close the sockets of the running event loop, aborting responses in progress; the pool can be used again."""
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
            candidate.address == address and isinstance(plan(candidate.chain, request.body, request.history), Delta)
            for candidate in self._remove_dead(sockets)
        )
        is_crowded = sockets.is_crowded
        if not request.is_new and (choice := _choose(sockets.idle, address, request, is_crowded=is_crowded)):
            idle, send_plan = choice
            sockets.idle.remove(idle)
            is_replacement = was_known and isinstance(send_plan, Full)
            logger.debug("an open WebSocket is used again")
            return Lease(sockets, idle, plan=send_plan, is_reused=True, is_replacement=is_replacement)
        if is_crowded:
            sockets.idle.pop(0).socket.abort()
        socket = await self.pipe.open(address, open_timeout=request.open_timeout)
        opened = _IdleSocket(socket=socket, address=address, opened_at=self._clock(), chain=None)
        return Lease(sockets, opened, plan=Full(), is_reused=False, is_replacement=was_known)

    def _of_this_loop(self) -> _Sockets:
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            # The sockets of a closed loop are gone with it.
            self._loops = {loop: kept for loop, kept in list(self._loops.items()) if not loop.is_closed()}
            self._loops[loop] = _Sockets(self._limit)
        return self._loops[loop]

    def _remove_dead(self, sockets: _Sockets) -> list[_IdleSocket]:
        """Remove the sockets that are closed or too old, and return them."""
        oldest = self._clock() - RETIREMENT_SECONDS
        dead = [idle for idle in sockets.idle if idle.opened_at <= oldest or not idle.socket.is_ready]
        for idle in dead:
            idle.socket.abort()
            sockets.idle.remove(idle)
        return dead


def _choose(
    idle: list[_IdleSocket], address: Address, request: SocketRequest, *, is_crowded: bool
) -> tuple[_IdleSocket, Plan] | None:
    """Return the idle socket to use and the plan for it, or None if opening another is better.

    A socket whose chain probably has a next request is left for it as long as there is room for another socket, unless
    this request is the next one.
    """
    body, history = request.body, request.history
    alike = [candidate for candidate in idle if candidate.address == address]
    deltas = [
        (candidate, send_plan)
        for candidate in alike
        if isinstance(send_plan := plan(candidate.chain, body, history), Delta)
    ]
    if deltas:
        return max(deltas, key=lambda pair: pair[1].start)
    free = [
        candidate
        for candidate in alike
        if candidate.chain is None
        or not candidate.chain.expects_output
        or is_continuation(candidate.chain, body, history)
    ]
    if not free and is_crowded:
        free = alike
    return (free[0], Full()) if free else None
