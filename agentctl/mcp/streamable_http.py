"""MCP servers over streamable HTTP, which answer each request with JSON or a stream of events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import NotRequired

from agentctl.errors import UserError

from .connection import Streams
from .http_server import HttpServer, HttpServerParams, shown_url
from .package import load_mcp


class MCPServerStreamableHttpParams(HttpServerParams):
    """Address of a server, and options of the connection."""

    terminate_on_close: NotRequired[bool]
    """Whether to notify the server when a session ends; True by default."""
    ignore_initialized_notification_failure: NotRequired[bool]
    """Supported only by `mcp` before 2: True raises an error."""


class MCPServerStreamableHttp(HttpServer[MCPServerStreamableHttpParams]):
    """A server over streamable HTTP, which answers each request with JSON or a stream of events."""

    def _default_name(self) -> str:
        return f"streamable_http: {shown_url(self.params['url'])}"

    @property
    def session_id(self) -> str | None:
        """The server's id of the session, if its protocol version has sessions."""
        return self._session_id

    def create_streams(self) -> AbstractAsyncContextManager[Streams]:
        """Return a context manager that opens the connection and yields its streams.

        Raises:
            UserError: a parameter is not supported.
        """
        if self.params.get("ignore_initialized_notification_failure", False):
            raise UserError(f"MCP server {self.name!r}: ignore_initialized_notification_failure needs mcp below 2")
        return self._streams()

    @asynccontextmanager
    async def _streams(self) -> AsyncIterator[Streams]:
        await load_mcp()
        from mcp.client.streamable_http import streamable_http_client

        async with (
            self._http_client() as client,
            streamable_http_client(
                self.params["url"],
                http_client=client,
                terminate_on_close=self.params.get("terminate_on_close", True),
            ) as streams,
        ):
            yield streams
