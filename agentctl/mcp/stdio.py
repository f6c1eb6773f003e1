"""A server that is a process of its own, spoken to over its stdin and stdout."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from subprocess import PIPE
from typing import Any, Literal, NotRequired, TypedDict

from agentctl.child import ChildProtocol, child_environment, kill_child, signal_group, start_child
from agentctl.errors import AgentsException, UserError
from agentctl.log import logger
from agentctl.redaction import excerpt, register_secret

from .characters import whole_characters
from .connection import Streams
from .package import load_mcp
from .session_server import SessionServer

_PATIENCE = 1.0
"""Seconds that a process which was spoken to has to end by itself, once its stdin is closed."""
_LAST_WORDS = 0.5
"""Seconds that the process has after SIGTERM or the end of its output, and its output after its end."""
_LONGEST_LINE = 64 * 1024 * 1024
_LONGEST_COMPLAINT = 4096
_SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
"""What the names of variables with secrets have in them."""


class MCPServerStdioParams(TypedDict):
    """The program that the server is, and what it is started with."""

    command: str
    args: NotRequired[list[str]]
    env: NotRequired[dict[str, str]]
    """Variables it gets beside PATH, HOME and the like; of our environment it gets no others."""
    cwd: NotRequired[str | Path]
    encoding: NotRequired[str]
    """Of the messages; utf-8 unless said."""
    encoding_error_handler: NotRequired[Literal["strict", "ignore", "replace"]]


class MCPServerStdio(SessionServer[MCPServerStdioParams]):
    """A server that is a process of its own, spoken to over its stdin and stdout.

    It has a process group of its own, which ends with the connection, and gets of our environment only PATH, HOME and
    the like. What it writes to stderr goes to the log, and its last line into the message when it ends unasked.
    """

    _process: _Process | None = None

    def _default_name(self) -> str:
        return f"stdio: {self.params['command']}"

    def create_streams(self) -> AbstractAsyncContextManager[Streams]:
        """Return what starts the process, and ends it."""
        return self._streams()

    def how_it_ended(self) -> str:
        """Return how the process ended, and its last words."""
        return "its output ended" if self._process is None else self._process.ending

    def explained(self, failure: Exception) -> AgentsException | None:
        """Return the exception for a process that ended before it could be spoken to."""
        explained = super().explained(failure)
        if explained is None and self._process is not None and self._process.ended_unasked:
            return UserError(f"MCP server {self.name!r} cannot be connected: {self._process.ending}")
        return explained

    @asynccontextmanager
    async def _streams(self) -> AsyncIterator[Streams]:
        transport, process = await self._start()
        self._process = process
        try:
            await load_mcp()
            from anyio import create_memory_object_stream
            from mcp.shared.message import SessionMessage

            to_session, from_server = create_memory_object_stream[SessionMessage | Exception](0)
            from_session, to_server = create_memory_object_stream[SessionMessage](0)
            async with to_session, from_server, from_session, to_server, asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._read(process, to_session), name=f"output of {self.name}"),
                    group.create_task(self._write(to_server, transport), name=f"input of {self.name}"),
                ]
                try:
                    yield from_server, from_session
                finally:
                    process.is_asked_to_end = True
                    for task in tasks:
                        task.cancel()
        finally:
            process.is_asked_to_end = True
            await _end(transport, process)

    async def _start(self) -> tuple[asyncio.SubprocessTransport, _Process]:
        params = self.params
        for name, value in params.get("env", {}).items():
            if any(word in name.upper() for word in _SECRET_WORDS):
                register_secret(value)
        try:
            return await start_child(
                lambda: _Process(self.name),
                [params["command"], *params.get("args", [])],
                environ=child_environment(os.environ) | params.get("env", {}),
                folder=params.get("cwd", "."),
                stdin=PIPE,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise UserError(
                f"MCP server {self.name!r} cannot be started: {excerpt(params['command'])}: {reason}"
            ) from error

    async def _read(self, process: _Process, to_session: Any) -> None:
        """Pass on each line of the output as a message; what is none is passed on as the error that it is."""
        from anyio import BrokenResourceError, ClosedResourceError

        with suppress(BrokenResourceError, ClosedResourceError):
            async with to_session:
                async for line in _lines(process.output):
                    await to_session.send(self._message(line))
                await _ends_within(process, _LAST_WORDS)  # Who hears of the end of the output is told of how it ended.

    async def _write(self, to_server: Any, transport: asyncio.SubprocessTransport) -> None:
        encoding = self.params.get("encoding", "utf-8")
        errors = self.params.get("encoding_error_handler", "strict")
        stdin = transport.get_pipe_transport(0)
        assert isinstance(stdin, asyncio.WriteTransport)
        async for message in to_server:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            stdin.write(f"{text}\n".encode(encoding, errors))

    def _message(self, line: bytes) -> Any:
        from mcp.shared.message import SessionMessage
        from mcp.types import jsonrpc_message_adapter

        encoding = self.params.get("encoding", "utf-8")
        try:
            text = line.decode(encoding, self.params.get("encoding_error_handler", "strict"))
            try:
                message = jsonrpc_message_adapter.validate_json(text, by_name=False)
            except ValueError:
                # The parser is stricter than many a server: whoever waits for an answer would wait for ever.
                message = jsonrpc_message_adapter.validate_python(whole_characters(json.loads(text)), by_name=False)
            return SessionMessage(message)
        except ValueError as error:
            logger.debug("MCP server %s wrote a line that is no message: %s", self.name, excerpt(repr(line)))
            return error


class _Process(ChildProtocol):
    """What is heard of the process."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.output = asyncio.StreamReader(limit=1024 * 1024)
        self.has_spoken = False
        self.is_asked_to_end = False
        self.ended_unasked = False
        self._name = name
        self._complaint = bytearray()
        self._status: int | None = None
        self._transport: asyncio.SubprocessTransport | None = None
        self._is_silent = False
        self._last_line = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport
        pipe = transport.get_pipe_transport(1)
        assert pipe is not None
        self.output.set_transport(pipe)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 1:
            self.has_spoken = True
            if not self._is_silent:
                self.output.feed_data(data)
            return
        self._complaint += data
        *lines, rest = self._complaint.split(b"\n")
        for line in lines:
            self._hear(line)
        self._complaint = rest[-_LONGEST_COMPLAINT:]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 1:
            self._end_output()

    def process_exited(self) -> None:
        super().process_exited()
        self.ended_unasked = not self.is_asked_to_end
        assert self._transport is not None
        self._status = self._transport.get_returncode()
        # A process that it left behind may hold its output open.
        asyncio.get_running_loop().call_later(_LAST_WORDS, self._end_output)

    @property
    def ending(self) -> str:
        """How the process ended, and the last line that it wrote to stderr."""
        if self._status is None:
            how = "it closed its output"
        elif self._status < 0:
            how = f"it was ended by {signal.Signals(-self._status).name}"
        else:
            how = f"it ended with exit status {self._status}"
        last = excerpt(self._complaint.decode("utf-8", "replace")) or self._last_line
        return f"{how}: {last}" if last else how

    def _hear(self, line: bytearray) -> None:
        text = excerpt(line[:_LONGEST_COMPLAINT].decode("utf-8", "replace"))
        if text:
            self._last_line = text
            logger.debug("MCP server %s: %s", self._name, text)

    def _end_output(self) -> None:
        if not self._is_silent:
            self._is_silent = True
            self.output.feed_eof()


async def _lines(output: asyncio.StreamReader) -> AsyncIterator[bytes]:
    rest = bytearray()
    while chunk := await output.read(1024 * 1024):
        rest += chunk
        if b"\n" in chunk:
            *lines, rest = rest.split(b"\n")
            for line in lines:
                if line.strip():
                    yield bytes(line)
        elif len(rest) > _LONGEST_LINE:
            logger.warning("an MCP server wrote a line of more than %d MiB", _LONGEST_LINE >> 20)
            return


async def _end(transport: asyncio.SubprocessTransport, process: _Process) -> None:
    """Let the process end by itself, then make it; what it left in its group ends too."""
    try:
        stdin = transport.get_pipe_transport(0)
        if stdin is not None:
            stdin.close()
        if not await _ends_within(process, _PATIENCE if process.has_spoken else 0):
            signal_group(transport, signal.SIGTERM)
            await _ends_within(process, _LAST_WORDS)
    finally:
        await kill_child(transport, process)


async def _ends_within(process: _Process, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await process.has_ended.wait()
    return process.has_ended.is_set()
