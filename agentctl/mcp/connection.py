"""A connection to a server: a session of `mcp`, kept in a task of its own from its beginning to its end."""

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
"""The two streams of messages that a transport of `mcp` gives: those of the server, and those to it."""

_CLOSING_SECONDS = 5.0
"""How long the end of a connection may take, before it is broken off."""


class Connection:
    """A session with a server, from the moment on that it is begun; whoever needs it waits for it.

    It is given up if it has not begun within `patience` seconds. It is entered and left in one task, as its cancel
    scopes have it, and used from any task of the loop.
    """

    def __init__(
        self,
        name: str,
        open_streams: Callable[[], AbstractAsyncContextManager[Streams]],
        *,
        patience: float | None,
        message_handler: Callable[[IncomingMessage], Awaitable[None]],
        predecessor: Connection | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.failure: Exception | None = None
        """What ended it, or kept it from beginning."""
        self._open_streams = open_streams
        self._patience = patience
        self._message_handler = message_handler
        self._predecessor = predecessor
        self._client: Client | None = None
        self._is_settled = asyncio.Event()
        self._has_ended = asyncio.Event()
        self._task = self.loop.create_task(self._keep(), name=f"MCP server {name}")

    @property
    def is_lost(self) -> bool:
        """Whether it has ended, or is about to."""
        return self._has_ended.is_set() or self._task.done()

    @property
    def client(self) -> Client | None:
        """The session, once it has begun."""
        return self._client

    async def begun(self) -> Client:
        """Wait until the session has begun, and return it.

        Raises:
            Exception: what kept it from beginning.
        """
        await self._is_settled.wait()
        if self._client is None:
            raise self.failure or ConnectionError("the connection was closed before it was made")
        return self._client

    def end(self) -> None:
        """Let it end: at once where it has not begun, else in good order."""
        self._has_ended.set()
        if not self._is_settled.is_set():
            self._task.cancel()

    async def over(self) -> None:
        """Wait until it has ended, and all that it held was let go of."""
        await asyncio.wait({self._task})

    async def _keep(self) -> None:
        try:
            if self._predecessor is not None:
                await self._predecessor.over()
                self._predecessor = None
            async with asyncio.timeout(self._patience) as limit, self._session() as client:
                limit.reschedule(None)
                self._client = client
                self._is_settled.set()
                await self._has_ended.wait()
                limit.reschedule(self.loop.time() + _CLOSING_SECONDS)
        except TimeoutError as error:
            is_silent = limit.expired() and self._client is None
            self.failure = TimeoutError(f"it did not answer within {self._patience:g} s") if is_silent else error
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
                _opened(_Watched(read, self._has_ended), write),
                cache=None,
                message_handler=_heard_by(self._message_handler),
            )
            async with client:
                yield client


def _heard_by(hear: Callable[[IncomingMessage], Awaitable[None]]) -> MessageHandlerFnT:
    async def handler(message: IncomingMessage) -> None:
        await hear(message)

    return handler


@asynccontextmanager
async def _opened(read: Any, write: Any) -> AsyncIterator[Streams]:
    """Be a transport of streams that are open."""
    yield read, write


class _Watched:
    """A stream of messages that tells when it ends."""

    def __init__(self, stream: Any, has_ended: asyncio.Event) -> None:
        self._stream = stream
        self._has_ended = has_ended

    @property
    def last_context(self) -> Context | None:
        """The context that the last message was sent in, where the stream knows it."""
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
