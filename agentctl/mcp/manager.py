"""Several servers, connected side by side and cleaned up together."""

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
    """Connects servers, and cleans them up in the end; a server that fails need not fail the others.

    Each server is connected and cleaned up in one task of its own. Ours are all started at once; those of other makers
    one after the other, unless `connect_in_parallel`.

    Args:
        servers: The servers; one that is named twice counts once.
        connect_timeout_seconds: How long connecting each may take; None is as long as it likes.
        cleanup_timeout_seconds: How long cleaning up each may take.
        drop_failed_servers: Whether `active_servers` leaves out those that could not be connected.
        strict: Whether the first failure is raised, and all are cleaned up.
        suppress_cancelled_error: Whether a connect that was cancelled from within counts as a failure like any other.
        connect_in_parallel: Whether servers of other makers are connected side by side, too.

    Raises:
        ValueError: a timeout is no positive, finite number of seconds.
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
        self._keepers: dict[MCPServer, _Keeper] = {}
        self._errors: dict[MCPServer, BaseException] = {}
        self._has_connected = False

    @property
    def all_servers(self) -> list[MCPServer]:
        """All servers."""
        return list(self._servers)

    @property
    def active_servers(self) -> list[MCPServer]:
        """The servers for an agent: those that are connected, or all of them if failed ones are not dropped."""
        if not (self._has_connected and self.drop_failed_servers):
            return list(self._servers)
        return [server for server in self._servers if server in self._keepers]

    @property
    def failed_servers(self) -> list[MCPServer]:
        """The servers that could not be connected or cleaned up."""
        return list(self._errors)

    @property
    def errors(self) -> dict[MCPServer, BaseException]:
        """What went wrong with each server that failed."""
        return dict(self._errors)

    async def connect_all(self) -> list[MCPServer]:
        """Connect all servers that are not, and return those that are active.

        Raises:
            Exception: as the first server that failed raised it, if `strict`.
        """
        self._errors = {}
        return await self._connect([server for server in self._servers if server not in self._keepers])

    async def reconnect(self, *, failed_only: bool = True) -> list[MCPServer]:
        """Connect the servers that failed, or clean up all and connect them anew; return those that are active."""
        if not failed_only:
            await self.cleanup_all()
            return await self.connect_all()
        failed = list(self._errors)
        await self._clean_up(failed)
        self._errors = {}
        return await self._connect(failed)

    async def cleanup_all(self) -> None:
        """Clean up all servers, side by side; what goes wrong is logged and kept in `errors`."""
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
                keeper = self._keepers[server] = _Keeper(server, self.connect_timeout_seconds)
                if not (self.connect_in_parallel or isinstance(server, SessionServer)):
                    await keeper.is_settled.wait()
            for server in servers:
                await self._keepers[server].is_settled.wait()
        except BaseException:
            await self._clean_up(servers)
            raise
        for server in servers:
            await self._note(server)
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

    async def _note(self, server: MCPServer) -> None:
        error = self._keepers[server].error
        if error is None:
            return
        logger.warning("MCP server %s cannot be connected: %s", server.name, error or type(error).__name__)
        self._errors[server] = error
        await self._clean_up([server])

    async def _clean_up(self, servers: Iterable[MCPServer]) -> None:
        keepers = {server: keeper for server in servers if (keeper := self._keepers.pop(server, None)) is not None}
        for keeper in keepers.values():
            keeper.end(self.cleanup_timeout_seconds)
        for server, keeper in keepers.items():
            was_connected = keeper.error is None
            await keeper.over()
            if was_connected and keeper.error is not None:
                logger.warning("MCP server %s cannot be cleaned up: %s", server.name, keeper.error)
                self._errors[server] = keeper.error


class _Keeper:
    """Connects a server and cleans it up, in one task."""

    def __init__(self, server: MCPServer, timeout: float | None) -> None:
        self.error: BaseException | None = None
        self.is_settled = asyncio.Event()
        self._server = server
        self._cleanup_timeout: float | None = None
        self._is_asked_to_end = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._keep(timeout), name=f"keeper of {server.name}")

    def end(self, timeout: float | None) -> None:
        """Let the server be cleaned up, in this time; connecting is broken off."""
        self._cleanup_timeout = timeout
        self._is_asked_to_end.set()
        if not self.is_settled.is_set():
            self._task.cancel()

    async def over(self) -> None:
        """Wait until the server is cleaned up."""
        await asyncio.wait({self._task})

    async def _keep(self, timeout: float | None) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._server.connect()
        except (Exception, asyncio.CancelledError) as error:
            self.error = _timeout(error, "connecting", timeout)
            self.is_settled.set()
            if _is_cancelled():
                raise
        finally:
            try:
                self.is_settled.set()
                if self.error is None:
                    await self._is_asked_to_end.wait()
            finally:
                await self._clean_up()

    async def _clean_up(self) -> None:
        try:
            async with asyncio.timeout(self._cleanup_timeout):
                await self._server.cleanup()
        except (Exception, asyncio.CancelledError) as error:
            self.error = self.error or _timeout(error, "cleaning up", self._cleanup_timeout)
            if _is_cancelled():
                raise


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and bool(task.cancelling())


def _timeout(error: BaseException, what: str, seconds: float | None) -> BaseException:
    """Return an error with words where it is the silent one of a time limit."""
    if isinstance(error, TimeoutError) and not str(error):
        return TimeoutError(f"{what} took longer than {seconds:g} s")
    return error
