"""The data that a client sends, and its disconnection."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Reader(asyncio.StreamReader):
    """A stream reader that tells when the client has hung up."""

    def __init__(self) -> None:
        super().__init__(limit=64 * 1024 * 1024)
        self.hung_up = asyncio.Event()

    def feed_eof(self) -> None:
        """Note the end of what the client sends."""
        super().feed_eof()
        self.hung_up.set()

    def set_exception(self, exc: Exception) -> None:
        """Note a connection that broke."""
        super().set_exception(exc)
        self.hung_up.set()


async def until_gone(reader: Reader, work: Coroutine[Any, Any, T]) -> T:
    """Do the work, unless the client hangs up in the middle of it: then raise ConnectionError."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(reader.hung_up.wait())
    await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    if not task.done():
        task.cancel()
        raise ConnectionResetError
    return task.result()
