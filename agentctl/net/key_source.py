"""Keys that nobody knows before a request needs one, and that are asked for anew once the service refuses them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from agentctl.errors import AuthenticationError

if TYPE_CHECKING:
    from .endpoint import Endpoint

T = TypeVar("T")


class KeySource(Protocol):
    """Where a key comes from: the `key` of an `Endpoint` in place of a text."""

    async def key(self) -> str:
        """Return the key.

        Raises:
            ConfigurationError: there is none to be had.
        """
        ...

    async def refresh(self, refused: str) -> str | None:
        """Return another key than the one that was refused, or None where there is no other.

        Raises:
            ConfigurationError: the source failed.
        """
        ...


async def with_key(endpoint: Endpoint, attempt: Callable[[Endpoint], Awaitable[T]]) -> T:
    """Return what `attempt` makes of the endpoint, its key known; once more with another key after a 401.

    A request that the service refuses with 401 has had no effect, so that it may be sent again, whatever it is.
    """
    source = endpoint.key
    if source is None or isinstance(source, str):
        return await attempt(endpoint)
    key = await source.key()
    try:
        return await attempt(replace(endpoint, key=key))
    except AuthenticationError as error:
        if error.status != 401:
            raise
        renewed = await source.refresh(key)
        if renewed is None:
            raise
    return await attempt(replace(endpoint, key=renewed))
