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
