"""What servers have in common that are spoken to through a session of `mcp`, whatever carries it."""

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
    UNSET,
    MCPServer,
    MCPToolCustomDataExtractor,
    MCPToolMetaResolver,
    Unset,
)
from agentctl.agent.tools.function_schema import validation_errors
from agentctl.errors import (
    AgentsException,
    ModelBehaviorError,
    RequestRejectedError,
    ServiceError,
    ServiceUnavailableError,
    UserError,
)
from agentctl.redaction import excerpt

from .asking import ASKING, Asking
from .characters import whole_characters
from .connection import Connection, Streams
from .filters import ToolFilter, filtered

if TYPE_CHECKING:
    from mcp import Client, ClientSession
    from mcp.client import IncomingMessage
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
    from agentctl.agent.context import RunContextWrapper
    from agentctl.agent.mcp.server import RequireApprovalSetting
    from agentctl.agent.tools.guardrails import ToolInputGuardrail, ToolOutputGuardrail
    from agentctl.agent.tools.tool import ToolErrorFunction

T = TypeVar("T")
Params = TypeVar("Params")
MessageHandler = Callable[["IncomingMessage"], Awaitable[None]]

NO_ANSWER = "no_answer"
CONNECTION_LOST = "connection_lost"

CONNECT_PATIENCE = 30.0
"""Seconds that connecting may take at least, where answers may take less: a program may be fetched first."""

_CLOSED = "Connection closed"
"""What `mcp` says of a request whose connection was lost."""


class _Page(Protocol):
    @property
    def next_cursor(self) -> str | None: ...


P = TypeVar("P", bound=_Page)


class SessionServer(MCPServer, Generic[Params]):
    """A server that is spoken to through a session, which may be lost and made anew.

    A call that the server may have got is not repeated by itself when the session is lost in the middle of it: it
    fails, and the next one makes a new session. `max_retry_attempts` has calls repeated.

    Args:
        params: How the server is reached.
        cache_tools_list: Whether the tools are listed once, and again after `invalidate_tools_cache` or when the server
            says that they have changed.
        name: What people call the server.
        client_session_timeout_seconds: How long an answer may take; None and 0 are as long as it likes. Connecting may
            take 30 seconds, or as long as an answer if that is longer.
        tool_filter: Which of the tools agents have.
        max_retry_attempts: How often a request that failed is repeated; -1 is until it succeeds.
        retry_backoff_seconds_base: The pause before the first repetition; each further one is twice as long.
        retry_backoff_seconds_max: The longest pause; None sets no limit.
        message_handler: Told of what the server says by itself.
        max_list_pages: How many pages a list of tools or prompts may have; None is any number.

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
            raise ValueError(f"max_list_pages is a number of pages from 1 on, not {max_list_pages!r}")
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
        """Return what opens the two streams of messages: those of the server, and those to it."""

    @abstractmethod
    def _default_name(self) -> str:
        """Return what people call the server where nobody named it."""

    @property
    def name(self) -> str:
        """What people call the server."""
        return self._name

    @property
    def is_connected(self) -> bool:
        """Whether the server is connected, or about to be."""
        return self._connection is not None

    @property
    def session(self) -> ClientSession | None:
        """The session of the `mcp` package; None where there is none at the moment."""
        connection = self._connection
        client = None if connection is None or connection.is_lost else connection.client
        return None if client is None else client.session

    @property
    def server_initialize_result(self) -> InitializeResult | None:
        """What the server said of itself when it was connected, where it speaks a protocol that has this."""
        session = self.session
        return None if session is None else session.initialize_result

    def begin_to_connect(self) -> None:
        """Begin to connect, in a task of the server's own; whoever needs the server before it is there waits for it."""
        if self._connection is None:
            self._connection = self._begin(None)

    async def connect(self) -> None:
        """Connect, unless the server is connected.

        Raises:
            UserError: the server cannot be started, or the package `mcp` is not installed.
            ServiceError: it cannot be reached, or refuses.
        """
        self.begin_to_connect()
        try:
            await self._begun()
        except BaseException:
            await self.cleanup()
            raise

    async def cleanup(self) -> None:
        """End the connection, and a process that was started for it; it may be connected again."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if connection.loop is asyncio.get_running_loop():
            connection.end()
            await connection.over()
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
        """The tools as they were listed last, before the filter; a copy."""
        return None if self._tools is None else _copied(self._tools)

    def invalidate_tools_cache(self) -> None:
        """Have the tools listed anew when they are needed."""
        self._is_cache_valid = False

    async def list_tools(
        self, run_context: RunContextWrapper[Any] | None = None, agent: Agent[Any] | None = None
    ) -> list[MCPTool]:
        """Return the tools that pass the filter, from the cache where it is in use."""
        if self.cache_tools_list and self._is_cache_valid and self._tools is not None:
            tools = self._tools
        else:
            self._is_cache_valid = True  # Unless somebody says otherwise while it is filled.
            try:
                pages = await self._pages("list its tools", lambda client, cursor: client.list_tools(cursor=cursor))
            except BaseException:
                self._is_cache_valid = False
                raise
            self._tools = tools = [tool for page in pages for tool in page.tools]
        return await filtered(
            _copied(tools), self.tool_filter, server_name=self.name, run_context=run_context, agent=agent
        )

    async def call_tool(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None = None
    ) -> CallToolResult:
        """Call a tool; cancelling the caller cancels the call."""
        request_meta: Any = meta
        sendable = whole_characters(arguments)
        return await self._request(
            f"call {tool_name!r}", lambda client: client.call_tool(tool_name, sendable, meta=request_meta)
        )

    async def list_prompts(self) -> ListPromptsResult:
        """Return all prompts, those of further pages too."""
        pages = await self._pages("list its prompts", lambda client, cursor: client.list_prompts(cursor=cursor))
        prompts = [prompt for page in pages for prompt in page.prompts]
        return pages[0].model_copy(update={"prompts": prompts, "next_cursor": None})

    async def get_prompt(self, name: str, arguments: dict[str, Any] | None = None) -> GetPromptResult:
        """Return a prompt, filled in with the arguments."""
        return await self._request(f"give prompt {name!r}", lambda client: client.get_prompt(name, arguments))

    async def list_resources(self, cursor: str | None = None) -> ListResourcesResult:
        """Return a page of the resources: the first, or the one that the cursor of another points at."""
        return await self._request("list its resources", lambda client: client.list_resources(cursor=cursor))

    async def list_resource_templates(self, cursor: str | None = None) -> ListResourceTemplatesResult:
        """Return a page of the resource templates: the first, or the one that the cursor of another points at."""
        return await self._request(
            "list its resource templates", lambda client: client.list_resource_templates(cursor=cursor)
        )

    async def read_resource(self, uri: str) -> ReadResourceResult:
        """Return what a resource holds."""
        return await self._request(f"read {uri}", lambda client: client.read_resource(uri))

    def explained(self, failure: Exception) -> AgentsException | None:
        """Return the exception for what kept a connection from beginning or ended it, where the carrier knows it."""
        return failure if isinstance(failure, AgentsException) else None

    def how_it_ended(self) -> str:
        """Return how the connection ended that was lost, as the carrier knows it."""
        return "the connection broke"

    def _begin(self, predecessor: Connection | None) -> Connection:
        seconds = self.client_session_timeout_seconds or None
        return Connection(
            self.name,
            self.create_streams,
            patience=seconds and max(seconds, CONNECT_PATIENCE),
            message_handler=self._hear_message,
            predecessor=predecessor,
        )

    async def _hear_message(self, message: IncomingMessage) -> None:
        # It is loaded: there is a session.
        from mcp.types import ToolListChangedNotification

        if isinstance(message, ToolListChangedNotification):
            self.invalidate_tools_cache()
        if self.message_handler is not None:
            await self.message_handler(message)

    async def _begun(self) -> Connection:
        """Return the connection, once its session has begun; one that was lost is made anew."""
        connection = self._connection
        if connection is None:
            raise UserError(
                f"MCP server {self.name!r} is not connected: `async with server:` around the run, or an "
                "MCPServerManager, connects it"
            )
        if connection.loop is not asyncio.get_running_loop():
            raise UserError(f"MCP server {self.name!r} was connected in another event loop: connect it in this one")
        if connection.is_lost:
            self._connection = connection = self._begin(connection)
        try:
            await connection.begun()
        except Exception as error:
            await connection.over()
            raise self._not_connected(connection.failure or error) from error
        return connection

    def _not_connected(self, failure: Exception) -> Exception:
        explained = self.explained(failure)
        if explained is not None:
            return explained
        while isinstance(failure, ExceptionGroup):
            failure = failure.exceptions[0]
        said = excerpt(str(failure)) or type(failure).__name__
        return ServiceUnavailableError(f"MCP server {self.name!r} cannot be connected: {said}")

    async def _request(self, what: str, ask: Callable[[Client], Awaitable[T]]) -> T:
        """Return what the server answers, after as many attempts as there may be."""
        attempts = 0
        while True:
            try:
                return await self._answer(what, ask)
            except UserError:
                raise
            except Exception:
                if attempts == self.max_retry_attempts:
                    raise
                pause = self.retry_backoff_seconds_base * 2.0 ** min(attempts, 100)
                attempts += 1
            await asyncio.sleep(min(pause, self.retry_backoff_seconds_max or math.inf))

    async def _answer(self, what: str, ask: Callable[[Client], Awaitable[T]], *, is_repeated: bool = False) -> T:
        connection = await self._begun()
        client = await connection.begun()
        asking, seconds = Asking(), self.client_session_timeout_seconds or None
        ASKING.set(asking)
        # They are loaded: there is a session.
        from anyio import BrokenResourceError, ClosedResourceError
        from mcp import MCPError
        from mcp.types import CONNECTION_CLOSED
        from pydantic import ValidationError

        try:
            async with asyncio.timeout(seconds) as limit:
                return await ask(client)
        except TimeoutError as error:
            if not limit.expired():
                raise
            words = f"MCP server {self.name!r} did not {what} within {seconds:g} s"
            raise ServiceUnavailableError(words, code=NO_ANSWER) from error
        except ValidationError as error:
            words = f"MCP server {self.name!r} was to {what}, and its answer is not valid: {excerpt(validation_errors(error)[0])}"
            raise ModelBehaviorError(words) from error
        except (BrokenResourceError, ClosedResourceError) as error:
            cause: Exception = error
        except MCPError as error:
            # Servers use the code for failures of their own, too; `mcp` always says the same.
            is_closed = error.code == CONNECTION_CLOSED and (connection.is_lost or error.message == _CLOSED)
            if not (is_closed or asking.is_forgotten):
                if asking.refusal is not None:
                    raise asking.refusal from error
                raise
            cause = error
        connection.end()
        await connection.over()
        if asking.is_forgotten and not asking.is_taken and not is_repeated:
            return await self._answer(what, ask, is_repeated=True)
        raise self._lost(what, connection) from cause

    def _lost(self, what: str, connection: Connection) -> AgentsException:
        explained = None if connection.failure is None else self.explained(connection.failure)
        if isinstance(explained, ServiceError):
            return explained
        return ServiceUnavailableError(
            f"MCP server {self.name!r} was to {what}, and {self.how_it_ended()}: what it did is unknown; "
            "the next call connects it anew",
            code=CONNECTION_LOST,
        )

    async def _listed(self, what: str, ask: Callable[[Client], Awaitable[T]]) -> T:
        try:
            return await self._request(what, ask)
        except AgentsException:
            raise
        except Exception as error:
            # It is loaded: who else would have failed.
            from mcp import MCPError

            if not isinstance(error, MCPError):
                raise
            words = f"MCP server {self.name!r} was to {what}, and refused: {excerpt(error.message)}"
            raise RequestRejectedError(words) from error

    async def _pages(self, what: str, ask: Callable[[Client, str | None], Awaitable[P]]) -> list[P]:
        pages: list[P] = []
        cursor: str | None = None
        seen: set[str] = set()
        while not pages or cursor is not None:
            if len(pages) == self.max_list_pages:
                raise UserError(f"MCP server {self.name!r} has more than {len(pages)} pages to {what}: max_list_pages")
            pages.append(await self._listed(what, _page(ask, cursor)))
            cursor = pages[-1].next_cursor
            if cursor in seen:
                raise UserError(f"MCP server {self.name!r} gives the same page twice when it is to {what}")
            if cursor is not None:
                seen.add(cursor)
        return pages


def _page(ask: Callable[[Client, str | None], Awaitable[P]], cursor: str | None) -> Callable[[Client], Awaitable[P]]:
    return lambda client: ask(client, cursor)


def _copied(tools: list[MCPTool]) -> list[MCPTool]:
    return [tool.model_copy(deep=True) for tool in tools]
