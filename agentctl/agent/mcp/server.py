"""The port for MCP servers: what an agent asks of one, whoever implements it."""

from __future__ import annotations

import abc
import inspect
from collections.abc import Awaitable, Callable, Mapping
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
    from agentctl.agent.tools.guardrails import ToolInputGuardrail, ToolOutputGuardrail
    from agentctl.agent.tools.tool import NeedsApproval, ToolErrorFunction


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


class RequireApprovalToolList(TypedDict, total=False):
    """Tools, by the names that the server gives them."""

    tool_names: list[str]


class RequireApprovalObject(TypedDict, total=False):
    """The tools that always wait for a yes, and those that never do; one that is in neither does not."""

    always: RequireApprovalToolList
    never: RequireApprovalToolList


RequireApprovalPolicy: TypeAlias = Literal["always", "never"]

LocalMCPApprovalCallable: TypeAlias = Callable[[RunContextWrapper[Any], Any, Any], bool | Awaitable[bool]]
"""Says whether a call of a tool waits for a yes, from the run's context, the agent and the `mcp.types.Tool`."""

RequireApprovalSetting: TypeAlias = (
    "RequireApprovalPolicy | RequireApprovalObject | dict[str, RequireApprovalPolicy] | LocalMCPApprovalCallable"
    " | bool | None"
)

ApprovalPolicy: TypeAlias = "bool | dict[str, bool] | LocalMCPApprovalCallable"
"""What a setting comes to: for all tools, by the tool's name, or as a function says."""


def approval_policy(setting: RequireApprovalSetting) -> ApprovalPolicy:
    """Return what a setting comes to.

    Raises:
        UserError: it is none.
    """
    if setting is None or isinstance(setting, bool):
        return bool(setting)
    if not isinstance(setting, dict):
        return setting if callable(setting) else _said(setting, "require_approval")
    if any(isinstance(entry, dict) and "tool_names" in entry for entry in setting.values()):
        return _by_list(setting)
    return {
        str(name): value if isinstance(value, bool) else _said(value, f"require_approval[{name!r}]")
        for name, value in setting.items()
    }


def needs_approval(policy: ApprovalPolicy, tool: MCPTool, agent: Agent[Any] | None) -> NeedsApproval:
    """Return what a policy comes to for the calls of one tool; a function that no agent can be told of says yes."""
    if isinstance(policy, bool):
        return policy
    if isinstance(policy, dict):
        return policy.get(tool.name, False)
    if agent is None:
        return True
    whose, decide = agent, policy

    async def asked(context: RunContextWrapper[Any], arguments: dict[str, Any], call_id: str) -> bool:
        answer = decide(context, whose, tool)
        return bool(await answer if inspect.isawaitable(answer) else answer)

    return asked


def _by_list(setting: Mapping[str, Any]) -> dict[str, bool]:
    unknown = sorted(setting.keys() - {"always", "never"})
    if unknown:
        raise UserError(f"require_approval has the lists `always` and `never`, not {', '.join(map(repr, unknown))}")
    always, never = (_names(setting.get(policy, {}), f"require_approval.{policy}") for policy in ("always", "never"))
    both = sorted(set(always) & set(never))
    if both:
        raise UserError(f"require_approval names {', '.join(map(repr, both))} in both `always` and `never`")
    return dict.fromkeys(always, True) | dict.fromkeys(never, False)


def _names(entry: object, place: str) -> list[str]:
    names = entry.get("tool_names", []) if isinstance(entry, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f'{place} is an object such as {{"tool_names": ["delete_file"]}}, not {entry!r}')
    return names


def _said(value: object, place: str) -> bool:
    if value not in ("always", "never"):
        raise UserError(f"{place} is 'always' or 'never', not {value!r}")
    return value == "always"
