"""HTTP clients, one for each event loop that asks, closed with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2


class LoopClients:
    """Keeps one client per event loop: connections belong to the loop that opened them."""

    def __init__(self, build: Callable[[], httpx2.AsyncClient]) -> None:
        self._build = build
        self._clients: dict[asyncio.AbstractEventLoop, tuple[httpx2.AsyncClient, AsyncGenerator[None]]] = {}

    async def get(self) -> httpx2.AsyncClient:
        """Return the client of the running loop; a loop that ends closes its client."""
        loop = asyncio.get_running_loop()
        known = self._clients.get(loop)
        if known is not None and not known[0].is_closed:
            return known[0]
        self._clients = {loop: kept for loop, kept in self._clients.items() if not loop.is_closed()}
        client = self._build()
        # `asyncio.run` closes the generators that its loop has seen: the one moment at which a client that nobody
        # closed can still be closed in its own loop.
        guard = _until_closed(client)
        self._clients[loop] = client, guard
        await anext(guard)
        return client

    async def aclose(self) -> None:
        """Close the client of the running loop; the next `get` makes another."""
        _, guard = self._clients.pop(asyncio.get_running_loop(), (None, None))
        if guard is not None:
            await guard.aclose()


async def _until_closed(client: httpx2.AsyncClient) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await client.aclose()
