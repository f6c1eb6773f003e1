"""The fake service in OpenAI's place: a proxy that answers for api.openai.com, whose certificate its client trusts."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.service.client import Service

_CERTIFICATES = Path(__file__).parent / "net" / "certificates"
_HOST = b"api.openai.com:443"


@contextlib.contextmanager
def as_openai(service: Service, *, key: str = "sk-for-openai") -> Iterator[dict[str, str]]:
    """Give the variables with which a process takes the service for OpenAI, and reaches nothing else."""
    loop = asyncio.new_event_loop()
    door = loop.run_until_complete(asyncio.start_server(_Door(service).connection, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield {
            "HTTPS_PROXY": f"http://127.0.0.1:{door.sockets[0].getsockname()[1]}",
            "SSL_CERT_FILE": str(_CERTIFICATES / "openai_authority.pem"),
            "OPENAI_API_KEY": key,
        }
    finally:
        asyncio.run_coroutine_threadsafe(_close(door), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Door:
    """Takes CONNECT for OpenAI alone, speaks TLS in its name, and carries the rest to the service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(_CERTIFICATES / "openai.pem")

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            method, target, _ = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)
            if (method, target) != (b"CONNECT", _HOST):
                writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
                await writer.drain()
            else:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await writer.start_tls(self._tls)
                await self._carry(reader, writer)
        with contextlib.suppress(ConnectionError):
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._service.port)
        there = asyncio.create_task(_copy(reader, inner_writer))
        back = asyncio.create_task(_copy(inner_reader, writer))
        try:
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (there, back):
                task.cancel()
            inner_writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


async def _close(door: asyncio.Server) -> None:
    door.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
