"""How patient an HTTP client is, and whom it trusts."""

from __future__ import annotations

from pathlib import Path

from agentctl._dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """Timeouts by phase, retries and trust of the requests to a service."""

    connect_timeout: float = 15
    """Seconds that connecting, and then the TLS handshake, may take."""
    request_timeout: float = 600
    """The longest silence, in seconds, while the service is expected to read or write."""
    max_retries: int = 2
    """How often a request that failed before its first event is sent again."""
    ca_file: Path | None = None
    """A PEM file of certificate authorities that are trusted beside the system's."""


MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketOptions:
    """Keep-alive and limits of the sockets to a service."""

    ping_interval: float | None = 20
    """Seconds of silence after which the service is pinged; None never pings."""
    ping_timeout: float | None = 60
    """Seconds after a ping in which something must come, else the connection is dead; None waits without end."""
    max_size: int | None = 64 * MIB
    """The longest message that is taken, in bytes; None takes any."""
    max_waiting: int = 64 * MIB
    """How much of one response may wait for its reader, in bytes of memory."""
