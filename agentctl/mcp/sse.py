"""A server that is spoken to over HTTP with server-sent events, as the protocol had it before 2025."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from .connection import Streams
from .http_server import HttpServer, HttpServerParams, shown_url
from .package import load_mcp

if TYPE_CHECKING:
    import httpx2


class MCPServerSseParams(HttpServerParams):
    """Where a server is, and how it is reached."""


class MCPServerSse(HttpServer[MCPServerSseParams]):
    """A server that is spoken to over HTTP with server-sent events, as the protocol had it before 2025."""

    _refusal_is_silent = True

    def _default_name(self) -> str:
        return f"sse: {shown_url(self.params['url'])}"

    def _names_session(self, asked: Mapping[str, str]) -> bool:
        return True  # In its address.

    def create_streams(self) -> AbstractAsyncContextManager[Streams]:
        """Return what opens the connection."""
        return self._streams()

    @asynccontextmanager
    async def _streams(self) -> AsyncIterator[Streams]:
        await load_mcp()
        from mcp.client.sse import sse_client

        client = self._http_client()

        def made(headers: object = None, timeout: object = None, auth: object = None) -> httpx2.AsyncClient:
            return client

        async with sse_client(self.params["url"], httpx_client_factory=made) as streams:
            yield streams
