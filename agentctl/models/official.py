"""Recognizes OpenAI's own service by its address."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

_HOSTS = frozenset({"api.openai.com", "us.api.openai.com", "eu.api.openai.com"})


def is_official_openai_base_url(base_url: Any, *, websocket: bool = False) -> bool:
    """Return whether a base URL is of OpenAI's own service, over TLS."""
    try:
        parts = urlsplit(str(base_url))
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    return parts.scheme == ("wss" if websocket else "https") and host in _HOSTS


def is_official_openai_client(client: Any) -> bool:
    """Return whether a client of `openai` talks to OpenAI's own service."""
    return is_official_openai_base_url(getattr(client, "base_url", ""))
