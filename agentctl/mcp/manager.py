"""A manager that connects several servers concurrently and cleans them up together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from agentctl.agent.durations import validate_seconds
from agentctl.agent.mcp.server import MCPServer
from agentctl.log import logger

from .session_server import SessionServer


class MCPServerManager:
    """Connects servers and cleans them up at the end; the failure of one does not affect the others unless `strict`.

    Each server is connected and cleaned up in a task of its own. Built-in server classes are connected concurrently,
    custom ones in sequence unless `connect_in_parallel` is set.

    Args:
        servers: The servers; duplicates are ignored.
        connect_timeout_seconds: Time limit for connecting each server; None is no limit.
        cleanup_timeout_seconds: Time limit for cleaning up each server; None is no limit.
        drop_failed_servers: Whether `active_servers` excludes servers that could not be connected.
        strict: Whether to raise the first failure and clean up all servers.
        suppress_cancelled_error: Whether a connect that is cancelled from inside counts as an ordinary failure.
        connect_in_parallel: Whether to connect custom server classes concurrently, too.

    Raises:
        ValueError: a timeout is not a positive, finite number of seconds.
    """

    def __init__(
        self,
        servers: Iterable[MCPServer],
        *,
        connect_timeout_seconds: float | None = 10.0,
        cleanup_timeout_seconds: float | None = 10.0,
        drop_failed_servers: bool = True,
        strict: bool = False,
        suppress_cancelled_error: bool = True,
        connect_in_parallel: bool = False,
    ) -> None:
        if connect_timeout_seconds is not None:
            validate_seconds("connect_timeout_seconds", connect_timeout_seconds)
        if cleanup_timeout_seconds is not None:
            validate_seconds("cleanup_timeout_seconds", cleanup_timeout_seconds)
        self.connect_timeout_seconds = connect_timeout_seconds
        self.cleanup_timeout_seconds = cleanup_timeout_seconds
        self.drop_failed_servers = drop_failed_servers
        self.strict = strict
        self.suppress_cancelled_error = suppress_cancelled_error
        self.connect_in_parallel = connect_in_parallel
        self._servers = list(dict.fromkeys(servers))
        self._tasks: dict[MCPServer, _ServerTask] = {}
        self._errors: dict[MCPServer, BaseException] = {}
        self._has_connected = False

    @property
    def all_servers(self) -> list[MCPServer]:
        """All servers."""
        return list(self._servers)

    @property
    def active_servers(self) -> list[MCPServer]:
        """The servers for an agent: the connected ones, or all if failed ones are not dropped."""
        if not (self._has_connected and self.drop_failed_servers):
            return list(self._servers)
        return [server for server in self._servers if server in self._tasks]

    @property
    def failed_servers(self) -> list[MCPServer]:
        """The servers that could not be connected or cleaned up."""
        return list(self._errors)

    @property
    def errors(self) -> dict[MCPServer, BaseException]:
        """The errors of failed servers."""
        return dict(self._errors)

    async def connect_all(self) -> list[MCPServer]:
        """Connect all servers that are not connected yet, and return the active ones.

        Raises:
            Exception: the error of the first failed server, if `strict`.
        """
        self._errors = {}
        return await self._connect([server for server in self._servers if server not in self._tasks])

    async def reconnect(self, *, failed_only: bool = True) -> list[MCPServer]:
        """Connect the failed servers, or clean up and connect all of them; return the active ones."""
        if not failed_only:
            await self.cleanup_all()
            return await self.connect_all()
        failed = list(self._errors)
        await self._clean_up(failed)
        self._errors = {}
        return await self._connect(failed)

    async def cleanup_all(self) -> None:
        """Clean up all servers concurrently; failures are logged and added to `errors`."""
        await self._clean_up(self._servers)
        self._has_connected = False

    async def __aenter__(self) -> Self:
        await self.connect_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.cleanup_all()

    async def _connect(self, servers: list[MCPServer]) -> list[MCPServer]:
        try:
            for server in servers:
                task = self._tasks[server] = _ServerTask(server, self.connect_timeout_seconds)
                if not (self.connect_in_parallel or isinstance(server, SessionServer)):
                    await task.is_settled.wait()
            for server in servers:
                await self._tasks[server].is_settled.wait()
        except BaseException:
            await self._clean_up(servers)
            raise
        for server in servers:
            await self._check(server)
        self._has_connected = True
        first = next(iter(self._errors.values()), None)
        if first is not None and self._is_raised(first):
            await self._clean_up(self._servers)
            raise first
        return self.active_servers

    def _is_raised(self, error: BaseException) -> bool:
        if isinstance(error, asyncio.CancelledError):
            return not self.suppress_cancelled_error
        return self.strict

    async def _check(self, server: MCPServer) -> None:
        error = self._tasks[server].error
        if error is None:
            return
        logger.warning("cannot connect to MCP server %s: %s", server.name, error or type(error).__name__)
        self._errors[server] = error
        await self._clean_up([server])

    async def _clean_up(self, servers: Iterable[MCPServer]) -> None:
        tasks = {server: task for server in servers if (task := self._tasks.pop(server, None)) is not None}
        for task in tasks.values():
            task.end(self.cleanup_timeout_seconds)
        for server, task in tasks.items():
            was_connected = task.error is None
            await task.wait()
            if was_connected and task.error is not None:
                logger.warning("cannot clean up MCP server %s: %s", server.name, task.error)
                self._errors[server] = task.error


class _ServerTask:
    """A task that connects a server, waits, and cleans it up."""

    def __init__(self, server: MCPServer, timeout: float | None) -> None:
        self.error: BaseException | None = None
        self.is_settled = asyncio.Event()
        self._server = server
        self._cleanup_timeout: float | None = None
        self._end_requested = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(timeout), name=f"MCP server {server.name}")

    def end(self, timeout: float | None) -> None:
        """Request cleanup within a time limit; a pending connect is cancelled."""
        self._cleanup_timeout = timeout
        self._end_requested.set()
        if not self.is_settled.is_set():
            self._task.cancel()

    async def wait(self) -> None:
        """Wait until the server is cleaned up."""
        await asyncio.wait({self._task})

    async def _run(self, timeout: float | None) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._server.connect()
        except (Exception, asyncio.CancelledError) as error:
            self.error = _with_timeout_message(error, "connecting", timeout)
            self.is_settled.set()
            if _is_cancelled():
                raise
        finally:
            try:
                self.is_settled.set()
                if self.error is None:
                    await self._end_requested.wait()
            finally:
                await self._clean_up()

    async def _clean_up(self) -> None:
        try:
            async with asyncio.timeout(self._cleanup_timeout):
                await self._server.cleanup()
        except (Exception, asyncio.CancelledError) as error:
            self.error = self.error or _with_timeout_message(error, "cleaning up", self._cleanup_timeout)
            if _is_cancelled():
                raise


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and bool(task.cancelling())


def _with_timeout_message(error: BaseException, what: str, seconds: float | None) -> BaseException:
    """Return the error, with a message if it is the empty one of a timeout."""
    if isinstance(error, TimeoutError) and not str(error):
        return TimeoutError(f"{what} timed out after {seconds:g} s")
    return error
