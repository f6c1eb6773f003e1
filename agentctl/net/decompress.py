"""The body of a response that is compressed although that was not asked for, decompressed by `httpx2`."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpcore2
import httpx2


async def decompress(response: httpcore2.Response) -> AsyncGenerator[bytes]:
    """Yield the decompressed body.

    Raises:
        httpx2.DecodingError: the body is not compressed as its header says.
    """
    decoding = httpx2.Response(response.status, headers=response.headers, stream=_Stream(response))
    async for chunk in decoding.aiter_bytes():
        yield chunk


class _Stream(httpx2.AsyncByteStream):
    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        async for chunk in self._response.aiter_stream():
            yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()
