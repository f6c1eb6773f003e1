"""Status of the current request, shared by its caller and its transport across the `mcp` package."""

from __future__ import annotations

from contextvars import ContextVar

from agentctl._dataclass import dataclass
from agentctl.errors import ServiceError


@dataclass(slots=True)
class RequestStatus:
    """The server's responses to the HTTP requests of one MCP request."""

    is_accepted: bool = False
    """Whether the server has accepted one."""
    is_session_unknown: bool = False
    """Whether the server has rejected one because it no longer knows the session."""
    error: ServiceError | None = None
    """The transport's error for the last response, since `mcp` reports no details."""


REQUEST_STATUS: ContextVar[RequestStatus | None] = ContextVar("request_status", default=None)
"""The status of the current request; `mcp` sends each request in its caller's context."""
