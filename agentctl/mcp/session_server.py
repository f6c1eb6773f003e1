"""Base class of servers with a session of the `mcp` package, over any transport."""

from __future__ import annotations

import asyncio
import math
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from agentctl.agent.durations import validate_seconds
from agentctl.agent.mcp.server import (
    ON_PROGRESS,
    UNSET,
    MCPServer,
    MCPToolCustomDataExtractor,
    MCPToolMetaResolver,
    Unset,
)
from agentctl.agent.validation import validation_errors
from agentctl.errors import (
    AgentsException,
    ModelBehaviorError,
    RequestRejectedError,
    ServiceError,
    ServiceUnavailableError,
    UserError,
)
from agentctl.redaction import excerpt

from .asking import REQUEST_STATUS, RequestStatus
from .characters import whole_characters
from .connection import Connection, Streams
from .filters import ToolFilter, filter_tools

if TYPE_CHECKING:
    from mcp import Client, ClientSession
    from mcp.client import IncomingMessage
    from mcp.shared.dispatcher import ProgressFnT
    from mcp.types import (
        CallToolResult,
        GetPromptResult,
        InitializeResult,
        ListPromptsResult,
        ListResourcesResult,
        ListResourceTemplatesResult,
        ReadResourceResult,
    )
    from mcp.types import Tool as MCPTool

    from agentctl.agent.agent import Agent
    from agentctl.agent.context import OnProgress, RunContextWrapper
    from agentctl.agent.mcp.server import RequireApprovalSetting
    from agentctl.agent.tools.guardrails import ToolInputGuardrail, ToolOutputGuardrail
    from agentctl.agent.tools.tool import ToolErrorFunction

T = TypeVar("T")
Params = TypeVar("Params")
MessageHandler = Callable[["IncomingMessage"], Awaitable[None]]

NO_ANSWER = "no_answer"
CONNECTION_LOST = "connection_lost"

MIN_CONNECT_TIMEOUT = 30.0
"""Minimum connect timeout in seconds, even if the request timeout is shorter: a program may be downloaded first."""

_CLOSED = "Connection closed"
"""The error message of `mcp` for a request whose connection was lost."""


class _Page(Protocol):
    @property
    def next_cursor(self) -> str | None: ...


P = TypeVar("P", bound=_Page)


class SessionServer(MCPServer, Generic[Params]):
    """A server with a session, which is established again after it is lost.

    A call that the server may have received is not repeated if the session is lost during it: the call fails, and the
    next one opens a new session. Set `max_retry_attempts` to retry calls.

    Args:
        params: Parameters of the transport.
        cache_tools_list: Whether to list the tools only once, and again after `invalidate_tools_cache` or a
            notification of the server that they have changed.
        name: Name of the server.
        client_session_timeout_seconds: Time limit of a request; None and 0 are no limit. Connecting may take 30
            seconds, or the same time if that is longer.
        tool_filter: Selects the tools for agents.
        max_retry_attempts: Maximum number of retries of a failed request; -1 is no limit.
        retry_backoff_seconds_base: Delay before the first retry; it doubles with each further one.
        retry_backoff_seconds_max: Maximum delay; None is no limit.
        message_handler: Called with the server's own notifications and requests.
        max_list_pages: Maximum number of pages in a list of tools or prompts; None is no limit.

    Further arguments are those of `MCPServer`.
    """

    def __init__(
        self,
        params: Params,
        cache_tools_list: bool = False,
        name: str | None = None,
        client_session_timeout_seconds: float | None = 5,
        tool_filter: ToolFilter = None,
        use_structured_content: bool = False,
        max_retry_attempts: int = 0,
        retry_backoff_seconds_base: float = 1.0,
        message_handler: MessageHandler | None = None,
        require_approval: RequireApprovalSetting = None,
        failure_error_function: ToolErrorFunction | Unset | None = UNSET,
        tool_meta_resolver: MCPToolMetaResolver | None = None,
        custom_data_extractor: MCPToolCustomDataExtractor | None = None,
        retry_backoff_seconds_max: float | None = None,
        *,
        tool_input_guardrails: list[ToolInputGuardrail[Any]] | None = None,
        tool_output_guardrails: list[ToolOutputGuardrail[Any]] | None = None,
        max_list_pages: int | None = None,
    ) -> None:
        super().__init__(
            use_structured_content,
            require_approval,
            failure_error_function,
            tool_meta_resolver,
            custom_data_extractor,
            tool_input_guardrails=tool_input_guardrails,
            tool_output_guardrails=tool_output_guardrails,
        )
        if client_session_timeout_seconds is not None:
            validate_seconds("client_session_timeout_seconds", client_session_timeout_seconds, may_be_zero=True)
        if retry_backoff_seconds_max is not None:
            validate_seconds("retry_backoff_seconds_max", retry_backoff_seconds_max, may_be_zero=True)
        if max_list_pages is not None and (isinstance(max_list_pages, bool) or max_list_pages < 1):
            raise ValueError(f"max_list_pages must be at least 1, or None, not {max_list_pages!r}")
        self.params = params
        self.cache_tools_list = cache_tools_list
        self.client_session_timeout_seconds = client_session_timeout_seconds
        self.tool_filter = tool_filter
        self.max_retry_attempts = max_retry_attempts
        self.retry_backoff_seconds_base = retry_backoff_seconds_base
        self.retry_backoff_seconds_max = retry_backoff_seconds_max
        self.message_handler = message_handler
        self.max_list_pages = max_list_pages
        self._name = name or self._default_name()
        self._connection: Connection | None = None
        self._tools: list[MCPTool] | None = None
        self._is_cache_valid = False

    @abstractmethod
    def create_streams(self) -> AbstractAsyncContextManager[Streams]:
        """Return a context manager that opens the two message streams: from the server, and to it."""

    @abstractmethod
    def _default_name(self) -> str:
        """Return the server's default name."""

    @property
    def name(self) -> str:
        """The name of the server."""
        return self._name

    @property
    def is_connected(self) -> bool:
        """Return whether the server is connected or connecting."""
        return self._connection is not None

    @property
    def session(self) -> ClientSession | None:
        """The current session of the `mcp` package, None without one."""
        connection = self._connection
        client = None if connection is None or connection.is_lost else connection.client
        return None if client is None else client.session

    @property
    def server_initialize_result(self) -> InitializeResult | None:
        """The server's response to `initialize`, if its protocol version has this request."""
        session = self.session
        return None if session is None else session.initialize_result

    def start_connecting(self) -> None:
        """Start connecting in a background task; requests wait for it."""
        if self._connection is None:
            self._connection = self._open_connection(None)

    async def connect(self) -> None:
        """Connect the server unless it is connected.

        Raises:
            UserError: the server cannot be started, or the package `mcp` is not installed.
            ServiceError: it cannot be reached, or rejects the connection.
        """
        self.start_connecting()
        try:
            await self._ready_connection()
        except BaseException:
            await self.cleanup()
            raise

    async def cleanup(self) -> None:
        """Close the connection and stop its process if there is one; the server can be connected again."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if connection.loop is asyncio.get_running_loop():
            connection.end()
            await connection.wait_closed()
        elif not connection.loop.is_closed():
            connection.loop.call_soon_threadsafe(connection.end)

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.cleanup()

    @property
    def cached_tools(self) -> list[MCPTool] | None:
        """A copy of the most recently listed tools, before the filter."""
        return None if self._tools is None else _copy(self._tools)

    def invalidate_tools_cache(self) -> None:
        """List the tools again on the next use."""
        self._is_cache_valid = False

    async def list_tools(
        self, run_context: RunContextWrapper[Any] | None = None, agent: Agent[Any] | None = None
    ) -> list[MCPTool]:
        """Return the tools that pass the filter, from the cache if it is enabled."""
        if self.cache_tools_list and self._is_cache_valid and self._tools is not None:
            tools = self._tools
        else:
            self._is_cache_valid = True  # Unless it is invalidated while it is being filled.
            try:
                pages = await self._pages("list its tools", lambda client, cursor: client.list_tools(cursor=cursor))
            except BaseException:
                self._is_cache_valid = False
                raise
            self._tools = tools = [tool for page in pages for tool in page.tools]
        return await filter_tools(
            _copy(tools), self.tool_filter, server_name=self.name, run_context=run_context, agent=agent
        )

    async def call_tool(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None = None
    ) -> CallToolResult:
        """Call a tool; cancelling this method cancels the call."""
        request_meta: Any = meta
        safe_arguments = whole_characters(arguments)
        on_progress = ON_PROGRESS.get()
        pass_on = None if on_progress is None else _progress_callback(on_progress)
        return await self._request(
            f"call {tool_name!r}",
            lambda client: client.call_tool(tool_name, safe_arguments, progress_callback=pass_on, meta=request_meta),
        )

    async def list_prompts(self) -> ListPromptsResult:
        """Return the prompts of all pages."""
        pages = await self._pages("list its prompts", lambda client, cursor: client.list_prompts(cursor=cursor))
        prompts = [prompt for page in pages for prompt in page.prompts]
        return pages[0].model_copy(update={"prompts": prompts, "next_cursor": None})

    async def get_prompt(self, name: str, arguments: dict[str, Any] | None = None) -> GetPromptResult:
        """Return a prompt with the arguments filled in."""
        return await self._request(f"return prompt {name!r}", lambda client: client.get_prompt(name, arguments))

    async def list_resources(self, cursor: str | None = None) -> ListResourcesResult:
        """Return a page of the resources: the first, or the one at the cursor of the previous page."""
        return await self._request("list its resources", lambda client: client.list_resources(cursor=cursor))

    async def list_resource_templates(self, cursor: str | None = None) -> ListResourceTemplatesResult:
        """Return a page of the resource templates: the first, or the one at the cursor of the previous page."""
        return await self._request(
            "list its resource templates", lambda client: client.list_resource_templates(cursor=cursor)
        )

    async def read_resource(self, uri: str) -> ReadResourceResult:
        """Return the content of a resource."""
        return await self._request(f"read {uri}", lambda client: client.read_resource(uri))

    def explain(self, failure: Exception) -> AgentsException | None:
        """Return the transport's exception for a failed or lost connection; None without a specific one."""
        return failure if isinstance(failure, AgentsException) else None

    def describe_ending(self) -> str:
        """Return the transport's description of a lost connection's end."""
        return "the connection was lost"

    def _open_connection(self, predecessor: Connection | None) -> Connection:
        seconds = self.client_session_timeout_seconds or None
        return Connection(
            self.name,
            self.create_streams,
            connect_timeout=seconds and max(seconds, MIN_CONNECT_TIMEOUT),
            message_handler=self._on_message,
            predecessor=predecessor,
        )

    async def _on_message(self, message: IncomingMessage) -> None:
        # Already imported, since there is a session.
        from mcp.types import ToolListChangedNotification

        if isinstance(message, ToolListChangedNotification):
            self.invalidate_tools_cache()
        if self.message_handler is not None:
            await self.message_handler(message)

    async def _ready_connection(self) -> Connection:
        """Return the connection once it is ready; a lost one is opened again."""
        connection = self._connection
        if connection is None:
            raise UserError(
                f"MCP server {self.name!r} is not connected: wrap the run in `async with server:`, or use an "
                "MCPServerManager"
            )
        if connection.loop is not asyncio.get_running_loop():
            raise UserError(f"MCP server {self.name!r} was connected in another event loop: connect it in this one")
        if connection.is_lost:
            self._connection = connection = self._open_connection(connection)
        try:
            await connection.wait_ready()
        except Exception as error:
            await connection.wait_closed()
            raise self._connect_error(connection.failure or error) from error
        return connection

    def _connect_error(self, failure: Exception) -> Exception:
        explained = self.explain(failure)
        if explained is not None:
            return explained
        while isinstance(failure, ExceptionGroup):
            failure = failure.exceptions[0]
        reason = excerpt(str(failure)) or type(failure).__name__
        return ServiceUnavailableError(f"cannot connect to MCP server {self.name!r}: {reason}")

    async def _request(self, what: str, send: Callable[[Client], Awaitable[T]]) -> T:
        """Return the server's response, with retries; `what` completes "asked to …" in errors."""
        attempts = 0
        while True:
            try:
                return await self._send(what, send)
            except UserError:
                raise
            except Exception:
                if attempts == self.max_retry_attempts:
                    raise
                delay = self.retry_backoff_seconds_base * 2.0 ** min(attempts, 100)
                attempts += 1
            await asyncio.sleep(min(delay, self.retry_backoff_seconds_max or math.inf))

    async def _send(self, what: str, send: Callable[[Client], Awaitable[T]], *, is_repeated: bool = False) -> T:
        connection = await self._ready_connection()
        client = await connection.wait_ready()
        status, seconds = RequestStatus(), self.client_session_timeout_seconds or None
        REQUEST_STATUS.set(status)
        # Already imported, since there is a session.
        from anyio import BrokenResourceError, ClosedResourceError
        from mcp import MCPError
        from mcp.types import CONNECTION_CLOSED
        from pydantic import ValidationError

        try:
            async with asyncio.timeout(seconds) as limit:
                return await send(client)
        except TimeoutError as error:
            if not limit.expired():
                raise
            message = f"MCP server {self.name!r} did not {what} within {seconds:g} s"
            raise ServiceUnavailableError(message, code=NO_ANSWER) from error
        except ValidationError as error:
            reason = excerpt(validation_errors(error)[0])
            raise ModelBehaviorError(
                f"MCP server {self.name!r} returned an invalid response when asked to {what}: {reason}"
            ) from error
        except (BrokenResourceError, ClosedResourceError) as error:
            cause: Exception = error
        except MCPError as error:
            # Servers use the code for failures of their own, too; the message of `mcp` is always the same.
            is_closed = error.code == CONNECTION_CLOSED and (connection.is_lost or error.message == _CLOSED)
            if not (is_closed or status.is_session_unknown):
                if status.error is not None:
                    raise status.error from error
                raise
            cause = error
        connection.end()
        await connection.wait_closed()
        if status.is_session_unknown and not status.is_accepted and not is_repeated:
            return await self._send(what, send, is_repeated=True)
        raise self._lost_error(what, connection) from cause

    def _lost_error(self, what: str, connection: Connection) -> AgentsException:
        explained = None if connection.failure is None else self.explain(connection.failure)
        if isinstance(explained, ServiceError):
            return explained
        return ServiceUnavailableError(
            f"MCP server {self.name!r} failed when asked to {what}: {self.describe_ending()}; whether the request was "
            "carried out is unknown, and the next call reconnects",
            code=CONNECTION_LOST,
        )

    async def _list(self, what: str, send: Callable[[Client], Awaitable[T]]) -> T:
        try:
            return await self._request(what, send)
        except AgentsException:
            raise
        except Exception as error:
            # Already imported, since there was a session.
            from mcp import MCPError

            if not isinstance(error, MCPError):
                raise
            raise RequestRejectedError(
                f"MCP server {self.name!r} rejected the request to {what}: {excerpt(error.message)}"
            ) from error

    async def _pages(self, what: str, send: Callable[[Client, str | None], Awaitable[P]]) -> list[P]:
        pages: list[P] = []
        cursor: str | None = None
        seen: set[str] = set()
        while not pages or cursor is not None:
            if len(pages) == self.max_list_pages:
                raise UserError(
                    f"MCP server {self.name!r} exceeded the limit max_list_pages={len(pages)} when asked to {what}"
                )
            pages.append(await self._list(what, _page(send, cursor)))
            cursor = pages[-1].next_cursor
            if cursor in seen:
                raise UserError(f"MCP server {self.name!r} returned the same page twice when asked to {what}")
            if cursor is not None:
                seen.add(cursor)
        return pages


def _page(send: Callable[[Client, str | None], Awaitable[P]], cursor: str | None) -> Callable[[Client], Awaitable[P]]:
    return lambda client: send(client, cursor)


def _copy(tools: list[MCPTool]) -> list[MCPTool]:
    return [tool.model_copy(deep=True) for tool in tools]


def _progress_callback(on_progress: OnProgress) -> ProgressFnT:
    async def pass_on(progress: float, total: float | None, message: str | None) -> None:
        on_progress(progress, total, message)

    return pass_on
