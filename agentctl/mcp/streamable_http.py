"""A server that is spoken to over HTTP, each request answered with JSON or with a stream of events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import NotRequired

from agentctl.errors import UserError

from .connection import Streams
from .http_server import HttpServer, HttpServerParams, shown_url
from .package import load_mcp


class MCPServerStreamableHttpParams(HttpServerParams):
    """Where a server is, and how it is reached."""

    terminate_on_close: NotRequired[bool]
    """Whether the server is told when a session ends; True unless said."""
    ignore_initialized_notification_failure: NotRequired[bool]
    """What only releases of `mcp` before 2 can do: True is refused."""


class MCPServerStreamableHttp(HttpServer[MCPServerStreamableHttpParams]):
    """A server that is spoken to over HTTP, each request answered with JSON or with a stream of events."""

    def _default_name(self) -> str:
        return f"streamable_http: {shown_url(self.params['url'])}"

    @property
    def session_id(self) -> str | None:
        """The id that the server gave the session, where it speaks a protocol that has sessions."""
        return self._session_id

    def create_streams(self) -> AbstractAsyncContextManager[Streams]:
        """Return what opens the connection.

        Raises:
            UserError: a parameter asks for what there is not.
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
