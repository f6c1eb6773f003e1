"""Which of a server's tools an agent has: lists of names, or a function that says so of each."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NotRequired, TypeAlias, TypedDict

from agentctl._dataclass import dataclass
from agentctl.errors import UserError
from agentctl.log import logger

if TYPE_CHECKING:
    from mcp.types import Tool as MCPTool

    from agentctl.agent.agent import Agent
    from agentctl.agent.context import RunContextWrapper


@dataclass
class ToolFilterContext:
    """For whom tools are listed."""

    run_context: RunContextWrapper[Any]
    agent: Agent[Any]
    server_name: str


ToolFilterCallable: TypeAlias = Callable[[ToolFilterContext, Any], bool | Awaitable[bool]]
"""Says whether an agent has a tool, the `mcp.types.Tool` of the server."""


class ToolFilterStatic(TypedDict):
    """Names of tools: those that are there, where that is said, but for those that are not."""

    allowed_tool_names: NotRequired[list[str]]
    blocked_tool_names: NotRequired[list[str]]


ToolFilter: TypeAlias = ToolFilterCallable | ToolFilterStatic | None


def create_static_tool_filter(
    allowed_tool_names: list[str] | None = None, blocked_tool_names: list[str] | None = None
) -> ToolFilterStatic | None:
    """Return a filter by names; None where neither list is given."""
    if allowed_tool_names is None and blocked_tool_names is None:
        return None
    wanted: ToolFilterStatic = {}
    if allowed_tool_names is not None:
        wanted["allowed_tool_names"] = allowed_tool_names
    if blocked_tool_names is not None:
        wanted["blocked_tool_names"] = blocked_tool_names
    return wanted


async def filtered(
    tools: list[MCPTool],
    wanted: ToolFilter,
    *,
    server_name: str,
    run_context: RunContextWrapper[Any] | None,
    agent: Agent[Any] | None,
) -> list[MCPTool]:
    """Return the tools that pass; one for which the function fails does not.

    Raises:
        UserError: there is a function, and neither context nor agent that it could be told of.
    """
    if wanted is None:
        return tools
    if isinstance(wanted, dict):
        allowed, blocked = wanted.get("allowed_tool_names"), wanted.get("blocked_tool_names", ())
        return [tool for tool in tools if (allowed is None or tool.name in allowed) and tool.name not in blocked]
    if run_context is None or agent is None:
        raise UserError(
            f"the tool_filter of MCP server {server_name!r} is a function: list_tools needs run_context and agent"
        )
    context = ToolFilterContext(run_context, agent, server_name)
    return [tool for tool in tools if await _passes(tool, wanted, context)]


async def _passes(tool: MCPTool, wanted: ToolFilterCallable, context: ToolFilterContext) -> bool:
    try:
        answer = wanted(context, tool)
        return bool(await answer if inspect.isawaitable(answer) else answer)
    except Exception as error:
        logger.warning(
            "tool %s of MCP server %s is left out, as its filter failed: %s: %s",
            tool.name,
            context.server_name,
            type(error).__name__,
            error,
        )
        return False
