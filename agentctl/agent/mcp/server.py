"""Port for MCP servers, and their approval settings."""

from __future__ import annotations

import abc
import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from agentctl._dataclass import dataclass
from agentctl.agent.context import RunContextWrapper
from agentctl.errors import UserError

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

    from agentctl.agent.agent import Agent
    from agentctl.agent.context import OnProgress
    from agentctl.agent.tools.guardrails import ToolInputGuardrail, ToolOutputGuardrail
    from agentctl.agent.tools.tool import NeedsApproval, ToolErrorFunction


class Unset(Enum):
    """Type of a marker for arguments that were not given, as opposed to None."""

    UNSET = "unset"


UNSET = Unset.UNSET

ON_PROGRESS: ContextVar[OnProgress | None] = ContextVar("ON_PROGRESS", default=None)
"""Takes the progress that a server reports of the current tool call; `call_tool` has no argument for it."""


@dataclass
class MCPToolMetaContext:
    """A call that is about to start, as the argument of a `tool_meta_resolver`."""

    run_context: RunContextWrapper[Any]
    server_name: str
    tool_name: str
    """The server's name of the tool."""
    arguments: dict[str, Any] | None


@dataclass(frozen=True)
class MCPToolCustomDataContext:
    """A finished call, as the argument of a `custom_data_extractor`."""

    run_context: RunContextWrapper[Any]
    server_name: str
    tool_name: str
    """The server's name of the tool."""
    tool_display_name: str
    """The model's name of the tool."""
    arguments: Mapping[str, Any]
    result_meta: Mapping[str, Any] | None
    """The `_meta` of the result, if it has one."""
    structured_content: Mapping[str, Any] | None
    is_error: bool | None
    tool_output: Any
    """The output for the model."""


MCPToolMetaResolver: TypeAlias = Callable[
    [MCPToolMetaContext], dict[str, Any] | Awaitable[dict[str, Any] | None] | None
]
"""Returns the `_meta` of a call; None sends none."""

MCPToolCustomDataExtractor: TypeAlias = Callable[
    [MCPToolCustomDataContext], Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None
]
"""Returns the custom data of a call's output item, which the model never sees."""


class MCPServer(abc.ABC):
    """An MCP server; subclass it for a custom one.

    Args:
        use_structured_content: Whether the model gets only the structured content of a result, if there is any; many
            servers repeat it as text.
        require_approval: Calls that need approval: `always`, `never`, a bool, a mapping from tool names to either,
            lists of names under `always` and `never`, or a function of context, agent and tool.
        failure_error_function: Returns the model's text for a failed call; None lets the failure end the run. If
            unset, the agent's `mcp_config` applies.
        tool_meta_resolver: Returns the `_meta` of each call.
        custom_data_extractor: Returns `custom_data` of the output items.
        tool_input_guardrails: Checks of each call before it runs.
        tool_output_guardrails: Checks of each output before the model reads it.

    Raises:
        UserError: `require_approval` is invalid.
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
        """The name of the server."""

    @abc.abstractmethod
    async def connect(self) -> None:
        """Start the server or connect to it; the connection stays open until `cleanup`."""

    @abc.abstractmethod
    async def cleanup(self) -> None:
        """Close the connection, and stop the server if `connect` started it."""

    @abc.abstractmethod
    async def list_tools(
        self, run_context: RunContextWrapper[Any] | None = None, agent: Agent[Any] | None = None
    ) -> list[MCPTool]:
        """Return the tools of the server for this agent in this run."""

    @abc.abstractmethod
    async def call_tool(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None = None
    ) -> CallToolResult:
        """Call a tool, with `_meta` if given."""

    @property
    def cached_tools(self) -> list[MCPTool] | None:
        """The most recently listed tools, if known."""
        return None

    @abc.abstractmethod
    async def list_prompts(self) -> ListPromptsResult:
        """Return the prompts of the server."""

    @abc.abstractmethod
    async def get_prompt(self, name: str, arguments: dict[str, Any] | None = None) -> GetPromptResult:
        """Return a prompt with the arguments filled in."""

    async def list_resources(self, cursor: str | None = None) -> ListResourcesResult:
        """Return a page of the server's resources: the first, or the one at the cursor of the previous page."""
        raise NotImplementedError(f"MCP server {self.name!r} does not list resources")

    async def list_resource_templates(self, cursor: str | None = None) -> ListResourceTemplatesResult:
        """Return a page of the server's resource templates; see `list_resources`."""
        raise NotImplementedError(f"MCP server {self.name!r} does not list resource templates")

    async def read_resource(self, uri: str) -> ReadResourceResult:
        """Return the content of a resource."""
        raise NotImplementedError(f"MCP server {self.name!r} does not read resources")

    def needs_approval(self, tool: MCPTool, agent: Agent[Any] | None) -> NeedsApproval:
        """Return the approval setting for the calls of a tool."""
        return needs_approval(self._approval_policy, tool, agent)

    def failure_function(self, default: ToolErrorFunction | None) -> ToolErrorFunction | None:
        """Return the error function for failed calls: the server's own, else the default."""
        return default if isinstance(self._failure_error_function, Unset) else self._failure_error_function


class RequireApprovalToolList(TypedDict, total=False):
    """Tools by the server's names."""

    tool_names: list[str]


class RequireApprovalObject(TypedDict, total=False):
    """Tools that always or never need approval; tools in neither list do not."""

    always: RequireApprovalToolList
    never: RequireApprovalToolList


RequireApprovalPolicy: TypeAlias = Literal["always", "never"]

LocalMCPApprovalCallable: TypeAlias = Callable[[RunContextWrapper[Any], Any, Any], bool | Awaitable[bool]]
"""Decides whether a call needs approval, from the run's context, the agent and the `mcp.types.Tool`."""

RequireApprovalSetting: TypeAlias = (
    "RequireApprovalPolicy | RequireApprovalObject | dict[str, RequireApprovalPolicy] | LocalMCPApprovalCallable"
    " | bool | None"
)

ApprovalPolicy: TypeAlias = "bool | dict[str, bool] | LocalMCPApprovalCallable"
"""A normalized setting: for all tools, by tool name, or a function."""


def approval_policy(setting: RequireApprovalSetting) -> ApprovalPolicy:
    """Normalize a setting.

    Raises:
        UserError: it is invalid.
    """
    if setting is None or isinstance(setting, bool):
        return bool(setting)
    if not isinstance(setting, dict):
        return setting if callable(setting) else _parse_policy(setting, "require_approval")
    if any(isinstance(entry, dict) and "tool_names" in entry for entry in setting.values()):
        return _by_list(setting)
    return {
        str(name): value if isinstance(value, bool) else _parse_policy(value, f"require_approval[{name!r}]")
        for name, value in setting.items()
    }


def needs_approval(policy: ApprovalPolicy, tool: MCPTool, agent: Agent[Any] | None) -> NeedsApproval:
    """Return a policy's setting for one tool; without an agent to pass to its function, calls need approval."""
    if isinstance(policy, bool):
        return policy
    if isinstance(policy, dict):
        return policy.get(tool.name, False)
    if agent is None:
        return True
    owner, function = agent, policy

    async def decide(context: RunContextWrapper[Any], arguments: dict[str, Any], call_id: str) -> bool:
        result = function(context, owner, tool)
        return bool(await result if inspect.isawaitable(result) else result)

    return decide


def _by_list(setting: Mapping[str, Any]) -> dict[str, bool]:
    unknown = sorted(setting.keys() - {"always", "never"})
    if unknown:
        raise UserError(f"require_approval takes the lists `always` and `never`, not {', '.join(map(repr, unknown))}")
    always, never = (_names(setting.get(policy, {}), f"require_approval.{policy}") for policy in ("always", "never"))
    both = sorted(set(always) & set(never))
    if both:
        raise UserError(f"require_approval lists {', '.join(map(repr, both))} under both `always` and `never`")
    return dict.fromkeys(always, True) | dict.fromkeys(never, False)


def _names(entry: object, place: str) -> list[str]:
    names = entry.get("tool_names", []) if isinstance(entry, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f'{place} must be an object such as {{"tool_names": ["delete_file"]}}, not {entry!r}')
    return names


def _parse_policy(value: object, place: str) -> bool:
    if value not in ("always", "never"):
        raise UserError(f"{place} must be 'always' or 'never', not {value!r}")
    return value == "always"
