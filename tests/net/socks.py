"""A SOCKS 5 proxy on loopback (RFC 1928, RFC 1929), which relays, refuses, hangs or hangs up."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

SUCCEEDED, NOT_ALLOWED, HOST_UNREACHABLE, CONNECTION_REFUSED = 0, 2, 4, 5
_NO_AUTHENTICATION, _PASSWORD, _NO_METHOD = 0, 2, 0xFF

Stage = Literal["greeting", "request", "never"]


@dataclass
class SocksProxy:
    """A proxy: how it answers, and the hosts that it was asked for."""

    password: str | None = None
    """The password of `user`; None asks for none."""
    reply: int = SUCCEEDED
    hangs_at: Stage = "never"
    closes_at: Stage = "never"
    port: int = 0
    hosts: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection."""
        try:
            with contextlib.suppress(OSError, EOFError):
                await self._serve(reader, writer)
        finally:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        if await self._ends_at("greeting", reader):
            return
        wanted = _NO_AUTHENTICATION if self.password is None else _PASSWORD
        writer.write(bytes([5, wanted if wanted in methods else _NO_METHOD]))
        if wanted not in methods:
            return
        if self.password is not None:
            words = [(await reader.readexactly(length)).decode() for length in [*await reader.readexactly(2)][1:]]
            words.append((await reader.readexactly((await reader.readexactly(1))[0])).decode())
            is_right = words == ["user", self.password]
            writer.write(bytes([1, not is_right]))
            if not is_right:
                return
        _, _, _, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = ".".join(map(str, await reader.readexactly(4)))
        port = int.from_bytes(await reader.readexactly(2))
        self.hosts.append(host)
        if await self._ends_at("request", reader):
            return
        writer.write(bytes([5, self.reply, 0, 1, 0, 0, 0, 0, 0, 0]))
        if self.reply == SUCCEEDED:
            their_reader, their_writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                await asyncio.gather(_relay(reader, their_writer), _relay(their_reader, writer))
            finally:
                their_writer.transport.abort()

    async def _ends_at(self, stage: Stage, reader: asyncio.StreamReader) -> bool:
        if self.hangs_at == stage:
            await reader.read()
        return stage in (self.hangs_at, self.closes_at)


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


@contextlib.contextmanager
def running_socks(proxy: SocksProxy) -> Iterator[SocksProxy]:
    """Run a proxy in a thread until the block ends."""
    loop, started = asyncio.new_event_loop(), threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        loop.set_exception_handler(lambda _, __: None)
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        proxy.port = server.sockets[0].getsockname()[1]
        started.set()
        await stop.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.001)  # Aborted transports close their sockets.

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    started.wait()
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
