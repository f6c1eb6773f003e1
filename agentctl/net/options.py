"""The timeouts, retries and trust of HTTP clients and sockets."""

from __future__ import annotations

from pathlib import Path

from agentctl._dataclass import dataclass

MIB = 1024 * 1024
MAX_EVENT_BYTES = 64 * MIB
"""The default size limit of an event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """The timeouts, retries and additional authorities of the requests to a service."""

    connect_timeout: float = 15
    """Seconds that connecting, and then the TLS handshake, may take."""
    request_timeout: float = 600
    """Seconds to wait without data."""
    max_retries: int = 2
    """The number of retries of a request that failed before its first event."""
    ca_file: Path | None = None
    """A PEM file of authorities that are trusted in addition to the system's."""
    max_event: int = MAX_EVENT_BYTES
    """The size limit of an event, or of a response that is not streamed, in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketOptions:
    """The keep-alive and limits of the sockets to a service."""

    ping_interval: float | None = 20
    """Seconds without data after which a ping is sent; None sends none."""
    ping_timeout: float | None = 60
    """Seconds to wait for data after a ping before the connection counts as lost; None waits forever."""
    max_size: int | None = MAX_EVENT_BYTES
    """The size limit of a message, in bytes; None for no limit."""
    max_waiting: int = 64 * MIB
    """The size limit of a response's unread messages, in bytes of memory."""
