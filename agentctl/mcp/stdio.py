"""MCP servers that run as a child process, over its stdin and stdout."""

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
from agentctl.redaction import excerpt, redact, register_variable
from agentctl.tracing.traceparent import inherited_context

from .characters import whole_characters
from .connection import Streams
from .package import load_mcp
from .session_server import SessionServer

_EXIT_TIMEOUT = 1.0
"""Seconds for the process to exit once its stdin is closed, if it has written any output."""
_GRACE = 0.5
"""Seconds for the process to exit after SIGTERM or the end of its output, and for its output to end after its exit."""
_MAX_LINE = 64 * 1024 * 1024
_MAX_STDERR_LINE = 4096


class MCPServerStdioParams(TypedDict):
    """The program of a server, with its arguments and environment."""

    command: str
    args: NotRequired[list[str]]
    env: NotRequired[dict[str, str]]
    """Environment variables besides PATH, HOME and the like; no others are inherited."""
    cwd: NotRequired[str | Path]
    encoding: NotRequired[str]
    """Encoding of the messages; utf-8 by default."""
    encoding_error_handler: NotRequired[Literal["strict", "ignore", "replace"]]


class MCPServerStdio(SessionServer[MCPServerStdioParams]):
    """A server that runs as a child process, over its stdin and stdout.

    It has its own process group, which is terminated with the connection, and inherits only PATH, HOME and the like.
    Its stderr goes to the log, and the last line into the error message if it exits unexpectedly.
    """

    _process: _Process | None = None

    def _default_name(self) -> str:
        return f"stdio: {self.params['command']}"

    def create_streams(self) -> AbstractAsyncContextManager[Streams]:
        """Return a context manager that starts and stops the process and yields its streams."""
        return self._streams()

    def describe_ending(self) -> str:
        """Return the exit status of the process and its last line on stderr."""
        return "its output ended" if self._process is None else self._process.ending

    def explain(self, failure: Exception) -> AgentsException | None:
        """Return the exception for a process that exited before the session had started."""
        explained = super().explain(failure)
        if explained is None and self._process is not None and self._process.exited_unexpectedly:
            return UserError(f"cannot connect to MCP server {self.name!r}: {self._process.ending}")
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
                    process.is_stopping = True
                    for task in tasks:
                        task.cancel()
        finally:
            process.is_stopping = True
            await _end(transport, process)

    async def _start(self) -> tuple[asyncio.SubprocessTransport, _Process]:
        params = self.params
        for name, value in params.get("env", {}).items():
            register_variable(name, value)
        try:
            return await start_child(
                lambda: _Process(self.name),
                [params["command"], *params.get("args", [])],
                environ=child_environment(os.environ) | inherited_context() | params.get("env", {}),
                folder=params.get("cwd", "."),
                stdin=PIPE,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise UserError(f"cannot start MCP server {self.name!r}: {excerpt(params['command'])}: {reason}") from error

    async def _read(self, process: _Process, to_session: Any) -> None:
        """Send each line of the output to the session as a message, or as an error if it is not a valid message."""
        from anyio import BrokenResourceError, ClosedResourceError

        with suppress(BrokenResourceError, ClosedResourceError):
            async with to_session:
                async for line in _lines(process.output):
                    await to_session.send(self._message(line))
                await _ends_within(process, _GRACE)  # So that the error message can include the exit status.

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
                # The parser is stricter than many servers; a rejected response would leave its caller waiting forever.
                message = jsonrpc_message_adapter.validate_python(whole_characters(json.loads(text)), by_name=False)
            return SessionMessage(message)
        except ValueError as error:
            logger.debug("MCP server %s wrote an invalid message: %s", self.name, excerpt(repr(line)))
            return error


class _Process(ChildProtocol):
    """The protocol of the process: its output, its stderr and its exit."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.output = asyncio.StreamReader(limit=1024 * 1024)
        self.has_output = False
        self.is_stopping = False
        self.exited_unexpectedly = False
        self._name = name
        self._stderr = bytearray()
        self._status: int | None = None
        self._transport: asyncio.SubprocessTransport | None = None
        self._has_output_ended = False
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
            self.has_output = True
            if not self._has_output_ended:
                self.output.feed_data(data)
            return
        self._stderr += data
        *lines, rest = self._stderr.split(b"\n")
        for line in lines:
            self._log_line(line)
        if len(rest) > _MAX_STDERR_LINE:
            # What is cut must not be a part of a secret.
            rest = bytearray(redact(rest.decode("utf-8", "replace")).encode()[-_MAX_STDERR_LINE:])
        self._stderr = rest

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 1:
            self._end_output()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited_unexpectedly = not self.is_stopping
        assert self._transport is not None
        self._status = self._transport.get_returncode()
        # A child of the process may keep its output open.
        asyncio.get_running_loop().call_later(_GRACE, self._end_output)

    @property
    def ending(self) -> str:
        """The exit status or signal of the process, and its last line on stderr."""
        if self._status is None:
            ending = "it closed its output"
        elif self._status < 0:
            ending = f"it was terminated by {signal.Signals(-self._status).name}"
        else:
            ending = f"it exited with status {self._status}"
        last = excerpt(self._stderr.decode("utf-8", "replace")) or self._last_line
        return f"{ending}: {last}" if last else ending

    def _log_line(self, line: bytearray) -> None:
        text = excerpt(line.decode("utf-8", "replace"))
        if text:
            self._last_line = text
            logger.debug("MCP server %s: %s", self._name, text)

    def _end_output(self) -> None:
        if not self._has_output_ended:
            self._has_output_ended = True
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
        elif len(rest) > _MAX_LINE:
            logger.warning("an MCP server wrote a line of more than %d MiB", _MAX_LINE >> 20)
            return


async def _end(transport: asyncio.SubprocessTransport, process: _Process) -> None:
    """Wait for the process to exit, then terminate it and its process group."""
    try:
        stdin = transport.get_pipe_transport(0)
        if stdin is not None:
            stdin.close()
        if not await _ends_within(process, _EXIT_TIMEOUT if process.has_output else 0):
            signal_group(transport, signal.SIGTERM)
            await _ends_within(process, _GRACE)
    finally:
        await kill_child(transport, process)


async def _ends_within(process: _Process, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await process.has_ended.wait()
    return process.has_ended.is_set()
