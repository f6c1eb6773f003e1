"""Which calls of an MCP server's tools wait for somebody's yes: the setting `require_approval`, read once."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from agentctl.errors import UserError

from .context import RunContextWrapper

if TYPE_CHECKING:
    from mcp.types import Tool as MCPTool

    from .agent import Agent
    from .tool import NeedsApproval


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
