"""A connection to a server: a session of `mcp` that lives in a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from .package import load_mcp

if TYPE_CHECKING:
    from contextvars import Context

    from mcp import Client
    from mcp.client import IncomingMessage
    from mcp.client.session import MessageHandlerFnT
    from mcp.shared.message import SessionMessage

Streams: TypeAlias = tuple[Any, Any]
"""The two message streams of a transport of `mcp`: from the server, and to it."""

_CLOSE_TIMEOUT = 5.0
"""Seconds for closing a connection before it is cancelled."""


class Connection:
    """A session with a server, which starts connecting on creation; `wait_ready` waits for it.

    It fails if it is not ready within `connect_timeout` seconds. The session is entered and exited in one task, as its
    cancel scopes require, and can be used from any task of the loop.
    """

    def __init__(
        self,
        name: str,
        open_streams: Callable[[], AbstractAsyncContextManager[Streams]],
        *,
        connect_timeout: float | None,
        message_handler: Callable[[IncomingMessage], Awaitable[None]],
        predecessor: Connection | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.failure: Exception | None = None
        """The error that ended the connection or prevented it."""
        self._open_streams = open_streams
        self._connect_timeout = connect_timeout
        self._message_handler = message_handler
        self._predecessor = predecessor
        self._client: Client | None = None
        self._is_settled = asyncio.Event()
        self._has_ended = asyncio.Event()
        self._task = self.loop.create_task(self._run(), name=f"MCP server {name}")

    @property
    def is_lost(self) -> bool:
        """Return whether the connection has ended or is closing."""
        return self._has_ended.is_set() or self._task.done()

    @property
    def client(self) -> Client | None:
        """The session, None until it is ready."""
        return self._client

    async def wait_ready(self) -> Client:
        """Wait until the session is ready, and return it.

        Raises:
            Exception: the connection failed.
        """
        await self._is_settled.wait()
        if self._client is None:
            raise self.failure or ConnectionError("the connection was closed before it was established")
        return self._client

    def end(self) -> None:
        """Close the connection without waiting; a pending connect is cancelled."""
        self._has_ended.set()
        if not self._is_settled.is_set():
            self._task.cancel()

    async def wait_closed(self) -> None:
        """Wait until the connection is closed and its resources are released."""
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        try:
            if self._predecessor is not None:
                await self._predecessor.wait_closed()
                self._predecessor = None
            async with asyncio.timeout(self._connect_timeout) as limit, self._session() as client:
                limit.reschedule(None)
                self._client = client
                self._is_settled.set()
                await self._has_ended.wait()
                limit.reschedule(self.loop.time() + _CLOSE_TIMEOUT)
        except TimeoutError as error:
            is_timeout = limit.expired() and self._client is None
            self.failure = TimeoutError(f"no response within {self._connect_timeout:g} s") if is_timeout else error
        except Exception as error:
            self.failure = error
        finally:
            self._has_ended.set()
            self._is_settled.set()

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Client]:
        async with self._open_streams() as (read, write):
            await load_mcp()
            from mcp import Client

            client = Client(
                _transport(_MonitoredStream(read, self._has_ended), write),
                cache=None,
                message_handler=_handler(self._message_handler),
            )
            async with client:
                yield client


def _handler(handle: Callable[[IncomingMessage], Awaitable[None]]) -> MessageHandlerFnT:
    async def handler(message: IncomingMessage) -> None:
        await handle(message)

    return handler


@asynccontextmanager
async def _transport(read: Any, write: Any) -> AsyncIterator[Streams]:
    """Wrap open streams as a transport."""
    yield read, write


class _MonitoredStream:
    """A message stream that sets an event when it ends."""

    def __init__(self, stream: Any, has_ended: asyncio.Event) -> None:
        self._stream = stream
        self._has_ended = has_ended

    @property
    def last_context(self) -> Context | None:
        """The context in which the last message was sent, if the stream provides it."""
        context: Context | None = getattr(self._stream, "last_context", None)
        return context

    async def receive(self) -> SessionMessage | Exception:
        """Return the next message."""
        try:
            message: SessionMessage | Exception = await self._stream.receive()
        except Exception:
            self._has_ended.set()
            raise
        return message

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            message: SessionMessage | Exception = await self._stream.__anext__()
        except Exception:
            self._has_ended.set()
            raise
        return message

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stream.aclose()
