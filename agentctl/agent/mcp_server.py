"""The port for MCP servers: what an agent asks of one, whoever implements it."""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from agentctl._dataclass import dataclass

from .mcp_approval import approval_policy, needs_approval

if TYPE_CHECKING:
    from mcp.types import (
        CallToolResult,
        GetPromptResult,
        ListPromptsResult,
        ListResourcesResult,
        ListResourceTemplatesResult,
        ReadResourceResult,
    )
    from mcp.types import Tool as MCPTool

    from .agent import Agent
    from .context import RunContextWrapper
    from .mcp_approval import RequireApprovalSetting
    from .tool import NeedsApproval, ToolErrorFunction
    from .tool_guardrails import ToolInputGuardrail, ToolOutputGuardrail


class Unset(Enum):
    """Nothing was said, which is something else than None."""

    UNSET = "unset"


UNSET = Unset.UNSET


@dataclass
class MCPToolMetaContext:
    """A call that is about to be made, as a `tool_meta_resolver` sees it."""

    run_context: RunContextWrapper[Any]
    server_name: str
    tool_name: str
    """The name that the server gives the tool."""
    arguments: dict[str, Any] | None


@dataclass(frozen=True)
class MCPToolCustomDataContext:
    """A call that was made, as a `custom_data_extractor` sees it."""

    run_context: RunContextWrapper[Any]
    server_name: str
    tool_name: str
    """The name that the server gives the tool."""
    tool_display_name: str
    """The name that the model calls it by."""
    arguments: Mapping[str, Any]
    result_meta: Mapping[str, Any] | None
    """The `_meta` of the result, if it has one."""
    structured_content: Mapping[str, Any] | None
    is_error: bool | None
    tool_output: Any
    """What the model is given."""


MCPToolMetaResolver: TypeAlias = Callable[
    [MCPToolMetaContext], dict[str, Any] | Awaitable[dict[str, Any] | None] | None
]
"""Gives the `_meta` that a call is sent with; None sends none."""

MCPToolCustomDataExtractor: TypeAlias = Callable[
    [MCPToolCustomDataContext], Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None
]
"""Notes something of a call on its output item, for the program; the model never sees it."""


class MCPServer(abc.ABC):
    """An MCP server: implement it to bring your own.

    Args:
        use_structured_content: Whether the model is given the structured content of a result alone, where there is
            some; many servers repeat it among the texts.
        require_approval: Which calls wait for somebody's yes: `always`, `never`, a bool, the one or the other by tool
            name, lists of names under `always` and `never`, or a function of context, agent and tool.
        failure_error_function: Gives the model's text for a call that failed; None lets the failure end the run.
            Unset, the agent's `mcp_config` decides.
        tool_meta_resolver: Gives the `_meta` of each call.
        custom_data_extractor: Gives `custom_data` of the output items.
        tool_input_guardrails: What looks at each call before it is made.
        tool_output_guardrails: What looks at each output before the model does.

    Raises:
        UserError: `require_approval` is none.
    """

    def __init__(
        self,
        use_structured_content: bool = False,
        require_approval: RequireApprovalSetting = None,
        failure_error_function: ToolErrorFunction | Unset | None = UNSET,
        tool_meta_resolver: MCPToolMetaResolver | None = None,
        custom_data_extractor: MCPToolCustomDataExtractor | None = None,
        *,
        tool_input_guardrails: list[ToolInputGuardrail[Any]] | None = None,
        tool_output_guardrails: list[ToolOutputGuardrail[Any]] | None = None,
    ) -> None:
        self.use_structured_content = use_structured_content
        self.tool_meta_resolver = tool_meta_resolver
        self.custom_data_extractor = custom_data_extractor
        self.tool_input_guardrails = tool_input_guardrails
        self.tool_output_guardrails = tool_output_guardrails
        self._failure_error_function = failure_error_function
        self._approval_policy = approval_policy(require_approval)

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """What people call the server."""

    @abc.abstractmethod
    async def connect(self) -> None:
        """Start the server, or reach it; it stays connected until `cleanup`."""

    @abc.abstractmethod
    async def cleanup(self) -> None:
        """End the connection, and the server where it was started for it."""

    @abc.abstractmethod
    async def list_tools(
        self, run_context: RunContextWrapper[Any] | None = None, agent: Agent[Any] | None = None
    ) -> list[MCPTool]:
        """Return the tools that the server has for this agent in this run."""

    @abc.abstractmethod
    async def call_tool(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None = None
    ) -> CallToolResult:
        """Call a tool, with the `_meta` where there is one."""

    @property
    def cached_tools(self) -> list[MCPTool] | None:
        """The tools as they were listed last, where that is known."""
        return None

    @abc.abstractmethod
    async def list_prompts(self) -> ListPromptsResult:
        """Return the prompts that the server has."""

    @abc.abstractmethod
    async def get_prompt(self, name: str, arguments: dict[str, Any] | None = None) -> GetPromptResult:
        """Return a prompt, filled in with the arguments."""

    async def list_resources(self, cursor: str | None = None) -> ListResourcesResult:
        """Return a page of the server's resources: the first, or the one that the cursor of another points at."""
        raise NotImplementedError(f"MCP server {self.name!r} does not list resources")

    async def list_resource_templates(self, cursor: str | None = None) -> ListResourceTemplatesResult:
        """Return a page of the server's resource templates, as `list_resources` does."""
        raise NotImplementedError(f"MCP server {self.name!r} does not list resource templates")

    async def read_resource(self, uri: str) -> ReadResourceResult:
        """Return what a resource holds."""
        raise NotImplementedError(f"MCP server {self.name!r} does not read resources")

    def needs_approval(self, tool: MCPTool, agent: Agent[Any] | None) -> NeedsApproval:
        """Return which calls of a tool wait for somebody's yes."""
        return needs_approval(self._approval_policy, tool, agent)

    def failure_function(self, otherwise: ToolErrorFunction | None) -> ToolErrorFunction | None:
        """Return what words a failure for the model: the server's own function, else the agent's."""
        return otherwise if isinstance(self._failure_error_function, Unset) else self._failure_error_function
