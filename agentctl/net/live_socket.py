"""One open WebSocket: frames out, events in, read by a task that never pauses and kept alive by pings of our own."""

from __future__ import annotations

import asyncio
from collections import deque
from sys import getsizeof
from typing import TYPE_CHECKING, Any

from agentctl.errors import AgentsException, ModelBehaviorError, ServiceUnavailableError

from .close_codes import ABNORMAL, CloseInfo, close_error, close_info
from .options import MIB, HttpOptions, WebSocketOptions
from .proxy import Proxy
from .sse import decode_event
from .unreachable import ANSWER_TOO_LARGE, CLOSED_ON_PURPOSE, NO_ANSWER, silence_error

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

_MOST_AT_ONCE = 256
"""How many messages are decoded before the event loop has its turn again."""


class NotSent(Exception):
    """The socket was found closed, so that nothing was sent; `error` says how it closed."""

    def __init__(self, error: AgentsException) -> None:
        super().__init__(str(error))
        self.error = error


class LiveSocket:
    """An open socket to a service, one response at a time: `send` a request, `receive` until its response is over."""

    def __init__(
        self,
        connection: ClientConnection,
        *,
        host: str,
        proxy: Proxy | None,
        options: HttpOptions,
        websocket: WebSocketOptions,
    ) -> None:
        self._connection = connection
        self._host = host
        self._proxy = proxy
        self._options = options
        self._websocket = websocket
        self._messages: deque[str] = deque()
        self._waiting_bytes = 0
        self._heard = 0
        self._has_answered = False
        self._closing: CloseInfo | None = None
        self._failure: AgentsException | None = None
        self._awaited: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._reader = self._loop.create_task(self._read(), name=f"reader of the WebSocket to {host}")
        self._pinger = self._loop.create_task(self._keep_alive(), name=f"keep-alive of the WebSocket to {host}")

    @property
    def is_ready(self) -> bool:
        """Whether another request may be sent: it is open, and nothing of an older response has come."""
        return self._is_open() and not (self._messages and any(map(_belongs_to_a_response, self._messages)))

    async def send(self, frame: bytes) -> None:
        """Send a request, the JSON of a client event; what the service said before it is dropped.

        Raises:
            NotSent: the socket is closed.
            ServiceError: it closed, or the service took nothing in, while the frame was sent.
        """
        self._messages.clear()
        self._waiting_bytes = 0
        self._has_answered = False
        if not self._is_open():
            self._connection.transport.abort()
            await asyncio.wait([self._reader])  # It knows how the socket closed.
            raise NotSent(self._error())
        from websockets.exceptions import ConnectionClosed

        timer = self._start_timer()
        try:
            await self._connection.send(frame, text=True)
        except ConnectionClosed as closed:
            self._closing = self._closing or close_info(closed)
            raise self._error() from closed
        finally:
            timer.cancel()

    async def receive(self) -> list[dict[str, Any]]:
        """Return the events that have come, in order; wait for one if there is none.

        Raises:
            ServiceError: the socket closed, the service fell silent, or more waits than may.
            ModelBehaviorError: what came is no JSON object in a text frame.
        """
        events: list[dict[str, Any]] = []
        while not events:
            if not self._messages:
                await self._wait()
            events = self._decode()
        self._has_answered = True
        return events

    def abort(self) -> None:
        """Break the connection off, without a closing handshake; a response under way fails."""
        self._failure = self._failure or ServiceUnavailableError(
            f"the connection to {self._host} was closed on this side; run it again", code=CLOSED_ON_PURPOSE
        )
        self._pinger.cancel()
        self._connection.transport.abort()

    async def close(self) -> None:
        """Close the connection as the protocol wants it."""
        self._pinger.cancel()
        await self._connection.close()
        await asyncio.wait([self._reader, self._pinger])

    def _is_open(self) -> bool:
        # A close frame that has come already counts, also before the reader has had its turn.
        return self._failure is None and not self._reader.done() and self._connection.state.name == "OPEN"

    async def _read(self) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            while self._failure is None:
                self._take(await self._connection.recv())
        except ConnectionClosed as closed:
            self._closing = self._closing or close_info(closed)
        finally:
            # Also where the event loop ends and cancels its tasks: the connection goes with its reader.
            self._connection.transport.abort()
            self._pinger.cancel()
            self._wake()

    def _take(self, message: str | bytes) -> None:
        self._heard += 1
        if not isinstance(message, str):
            self._failure = ModelBehaviorError(f"{self._host} sent a binary frame, where every event is text")
            return
        size = getsizeof(message)
        if self._messages and self._waiting_bytes + size > self._websocket.max_waiting:
            self._failure = ServiceUnavailableError(
                f"more than {self._websocket.max_waiting / MIB:g} MiB of the answer of {self._host} waited for its "
                "reader; read faster, or ask for less",
                code=ANSWER_TOO_LARGE,
            )
            return
        self._messages.append(message)
        self._waiting_bytes += size
        self._wake()

    def _wake(self) -> None:
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)

    async def _wait(self) -> None:
        if self._failure is not None or self._reader.done():
            raise self._error()
        self._awaited = self._loop.create_future()
        timer = self._start_timer()
        try:
            await self._awaited
        finally:
            timer.cancel()
            self._awaited = None

    def _decode(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        for _ in range(min(len(self._messages), _MOST_AT_ONCE)):
            try:
                event = decode_event(self._messages[0])
            except ModelBehaviorError:
                if events:
                    break  # What came before it is whole, and comes out first.
                raise
            self._waiting_bytes -= getsizeof(self._messages.popleft())
            if event is not None:
                events.append(event)
        return events

    async def _keep_alive(self) -> None:
        from websockets.exceptions import ConnectionClosed

        interval, patience = self._websocket.ping_interval, self._websocket.ping_timeout
        while interval is not None:
            heard = self._heard
            await asyncio.sleep(interval)
            if self._heard != heard:
                continue
            try:
                pong = await self._connection.ping()
                async with asyncio.timeout(patience):
                    await pong
            except ConnectionClosed:
                return
            except TimeoutError:
                if self._heard != heard:
                    continue  # Some services answer no pings; one that sends events is alive.
                self._failure = ServiceUnavailableError(
                    f"{self._host} answers no more: nothing came within {patience:g} s of a ping; try again",
                    code=NO_ANSWER,
                )
                self._connection.transport.abort()
                return

    def _start_timer(self) -> asyncio.TimerHandle:
        """Break the connection off after the longest silence, unless the timer is cancelled."""
        # A third of the price of `asyncio.timeout`, twice in every response.
        return self._loop.call_later(self._options.request_timeout, self._give_up)

    def _give_up(self) -> None:
        self._failure = self._failure or silence_error(host=self._host, options=self._options, proxy=self._proxy)
        self.abort()

    def _error(self) -> AgentsException:
        if self._failure is not None:
            return self._failure
        return close_error(
            self._closing or CloseInfo(code=ABNORMAL),
            host=self._host,
            has_answered=self._has_answered,
            options=self._websocket,
        )


def _belongs_to_a_response(message: str) -> bool:
    """Return whether a message is more than a service's own remark between two responses."""
    try:
        kind = str((decode_event(message) or {}).get("type", ""))
    except ModelBehaviorError:
        return True
    return kind == "error" or (kind.startswith("response.") and kind not in ("response.done", "response.metadata"))
