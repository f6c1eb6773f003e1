"""One open WebSocket, read by a task that never pauses and kept alive by pings."""

from __future__ import annotations

import asyncio
from collections import deque
from sys import getsizeof
from typing import TYPE_CHECKING, Any

from agentctl.errors import AgentsException, ModelBehaviorError, ServiceUnavailableError

from .close_codes import ABNORMAL, CloseInfo, close_error, close_info
from .options import MIB, HttpOptions, WebSocketOptions
from .proxy import Proxy
from .response_body import is_keep_alive
from .sse import decode_event
from .unreachable import ANSWER_TOO_LARGE, CLOSED_BY_US, NO_ANSWER, timeout_error

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

_MAX_BATCH = 256
"""The number of messages decoded before control returns to the event loop."""


class NotSent(Exception):
    """The socket was already closed, so nothing was sent; `error` describes the cause."""

    def __init__(self, error: AgentsException) -> None:
        super().__init__(str(error))
        self.error = error


class LiveSocket:
    """An open socket to a service, for one response at a time: `send` a request, then `receive` until it ends."""

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
        self._received_count = 0
        self._has_responded = False
        self._close_info: CloseInfo | None = None
        self._failure: AgentsException | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._reader = self._loop.create_task(self._read(), name=f"reader of the WebSocket to {host}")
        self._pinger = self._loop.create_task(self._keep_alive(), name=f"keep-alive of the WebSocket to {host}")

    @property
    def is_ready(self) -> bool:
        """True if another request can be sent: the socket is open, and no event of an earlier response is queued."""
        return self._is_open() and not (self._messages and any(map(_belongs_to_a_response, self._messages)))

    async def send(self, frame: bytes) -> None:
        """Send a request, the JSON of a client event; queued messages are dropped.

        Raises:
            NotSent: the socket is closed.
            ServiceError: the socket was closed, or the service stopped reading, while the frame was sent.
        """
        self._messages.clear()
        self._waiting_bytes = 0
        self._has_responded = False
        if not self._is_open():
            self._connection.transport.abort()
            await asyncio.wait([self._reader])  # It records how the socket was closed.
            raise NotSent(self._error())
        from websockets.exceptions import ConnectionClosed

        timer = self._start_timer()
        try:
            await self._connection.send(frame, text=True)
        except ConnectionClosed as closed:
            self._close_info = self._close_info or close_info(closed)
            raise self._error() from closed
        finally:
            timer.cancel()

    async def receive(self) -> list[dict[str, Any]]:
        """Return the events that have arrived, in order; wait for one if there is none.

        Raises:
            ServiceError: the socket was closed, the service sent no data in time, or too much data is queued.
            ModelBehaviorError: a message is not a JSON object in a text frame.
        """
        events: list[dict[str, Any]] = []
        while not events:
            if not self._messages:
                await self._wait()
            events = self._decode()
        self._has_responded = True
        return events

    def abort(self) -> None:
        """Close the connection at once, without a closing handshake; a response in progress fails."""
        self._failure = self._failure or ServiceUnavailableError(
            f"the connection to {self._host} was closed by this program; run it again", code=CLOSED_BY_US
        )
        self._pinger.cancel()
        self._connection.transport.abort()

    async def close(self) -> None:
        """Close the connection with the closing handshake."""
        self._pinger.cancel()
        await self._connection.close()
        await asyncio.wait([self._reader, self._pinger])

    def _is_open(self) -> bool:
        # A received close frame counts even before the reader task has run.
        return self._failure is None and not self._reader.done() and self._connection.state.name == "OPEN"

    async def _read(self) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            while self._failure is None:
                self._enqueue(await self._connection.recv())
        except ConnectionClosed as closed:
            self._close_info = self._close_info or close_info(closed)
        finally:
            # Also when the event loop ends and cancels its tasks: the connection ends with its reader.
            self._connection.transport.abort()
            self._pinger.cancel()
            self._wake()

    def _enqueue(self, message: str | bytes) -> None:
        self._received_count += 1
        if not isinstance(message, str):
            self._failure = ModelBehaviorError(f"{self._host} sent a binary frame instead of a text event")
            return
        size = getsizeof(message)
        if self._messages and self._waiting_bytes + size > self._websocket.max_waiting:
            self._failure = ServiceUnavailableError(
                f"more than {self._websocket.max_waiting / MIB:g} MiB of the response of {self._host} were queued "
                "unread; read faster, or request less",
                code=ANSWER_TOO_LARGE,
            )
            return
        self._messages.append(message)
        self._waiting_bytes += size
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        if self._failure is not None or self._reader.done():
            raise self._error()
        self._waiter = self._loop.create_future()
        timer = self._start_timer()
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _decode(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        for _ in range(min(len(self._messages), _MAX_BATCH)):
            try:
                event = decode_event(self._messages[0])
            except ModelBehaviorError:
                if not is_keep_alive(self._messages[0]):
                    if events:
                        break  # The events before it are valid, and are returned first.
                    raise
                event = None
            self._waiting_bytes -= getsizeof(self._messages.popleft())
            if event is not None:
                events.append(event)
        return events

    async def _keep_alive(self) -> None:
        from websockets.exceptions import ConnectionClosed

        interval, timeout = self._websocket.ping_interval, self._websocket.ping_timeout
        while interval is not None:
            count = self._received_count
            await asyncio.sleep(interval)
            if self._received_count != count:
                continue
            try:
                pong = await self._connection.ping()
                async with asyncio.timeout(timeout):
                    await pong
            except ConnectionClosed:
                return
            except TimeoutError:
                if self._received_count != count:
                    continue  # Some services do not answer pings; one that sends events is alive.
                self._failure = ServiceUnavailableError(
                    f"{self._host} stopped responding: nothing was received within {timeout:g} s of a ping; try again, "
                    "or raise client.ping_timeout (`agentctl config client --ping-timeout`) if it answers no pings",
                    code=NO_ANSWER,
                )
                self._connection.transport.abort()
                return

    def _start_timer(self) -> asyncio.TimerHandle:
        """Start the timer that aborts the connection after `request_timeout`, unless it is cancelled."""
        # A third of the cost of `asyncio.timeout`, twice in every response.
        return self._loop.call_later(self._options.request_timeout, self._on_timeout)

    def _on_timeout(self) -> None:
        self._failure = self._failure or timeout_error(host=self._host, options=self._options, proxy=self._proxy)
        self.abort()

    def _error(self) -> AgentsException:
        if self._failure is not None:
            return self._failure
        return close_error(
            self._close_info or CloseInfo(code=ABNORMAL),
            host=self._host,
            has_responded=self._has_responded,
            options=self._websocket,
        )


def _belongs_to_a_response(message: str) -> bool:
    """Return whether a message is part of a response, not a notice between two responses."""
    try:
        kind = str((decode_event(message) or {}).get("type", ""))
    except ModelBehaviorError:
        return True
    return kind == "error" or (kind.startswith("response.") and kind not in ("response.done", "response.metadata"))
