"""How a WebSocket is kept alive, and how much of it is taken in."""

from __future__ import annotations

from agentctl._dataclass import dataclass

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
