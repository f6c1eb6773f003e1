"""MCP servers over HTTP with server-sent events, the protocol's transport before 2025."""

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
    """Address of a server, and options of the connection."""


class MCPServerSse(HttpServer[MCPServerSseParams]):
    """A server over HTTP with server-sent events, the protocol's transport before 2025."""

    _ends_on_rejection = True

    def _default_name(self) -> str:
        return f"sse: {shown_url(self.params['url'])}"

    def _has_session(self, request_headers: Mapping[str, str]) -> bool:
        return True  # The session id is part of the URL.

    def create_streams(self) -> AbstractAsyncContextManager[Streams]:
        """Return a context manager that opens the connection and yields its streams."""
        return self._streams()

    @asynccontextmanager
    async def _streams(self) -> AsyncIterator[Streams]:
        await load_mcp()
        from mcp.client.sse import sse_client

        client = self._http_client()

        def client_factory(headers: object = None, timeout: object = None, auth: object = None) -> httpx2.AsyncClient:
            return client

        async with sse_client(self.params["url"], httpx_client_factory=client_factory) as streams:
            yield streams
