"""Tool filters, which select the tools of a server for an agent by name or by a function."""

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
    """The agent and the run for which tools are listed."""

    run_context: RunContextWrapper[Any]
    agent: Agent[Any]
    server_name: str


ToolFilterCallable: TypeAlias = Callable[[ToolFilterContext, Any], bool | Awaitable[bool]]
"""Decides whether an agent gets a tool, the `mcp.types.Tool` of the server."""


class ToolFilterStatic(TypedDict):
    """Names of allowed tools, all by default, and of blocked ones."""

    allowed_tool_names: NotRequired[list[str]]
    blocked_tool_names: NotRequired[list[str]]


ToolFilter: TypeAlias = ToolFilterCallable | ToolFilterStatic | None


def create_static_tool_filter(
    allowed_tool_names: list[str] | None = None, blocked_tool_names: list[str] | None = None
) -> ToolFilterStatic | None:
    """Return a filter by names, None without either list."""
    if allowed_tool_names is None and blocked_tool_names is None:
        return None
    tool_filter: ToolFilterStatic = {}
    if allowed_tool_names is not None:
        tool_filter["allowed_tool_names"] = allowed_tool_names
    if blocked_tool_names is not None:
        tool_filter["blocked_tool_names"] = blocked_tool_names
    return tool_filter


async def filter_tools(
    tools: list[MCPTool],
    tool_filter: ToolFilter,
    *,
    server_name: str,
    run_context: RunContextWrapper[Any] | None,
    agent: Agent[Any] | None,
) -> list[MCPTool]:
    """Return the tools that pass the filter; a tool for which the function fails does not.

    Raises:
        UserError: the filter is a function, but context or agent is missing.
    """
    if tool_filter is None:
        return tools
    if isinstance(tool_filter, dict):
        allowed, blocked = tool_filter.get("allowed_tool_names"), tool_filter.get("blocked_tool_names", ())
        return [tool for tool in tools if (allowed is None or tool.name in allowed) and tool.name not in blocked]
    if run_context is None or agent is None:
        raise UserError(
            f"the tool_filter of MCP server {server_name!r} is a function: list_tools needs run_context and agent"
        )
    context = ToolFilterContext(run_context, agent, server_name)
    return [tool for tool in tools if await _passes(tool, tool_filter, context)]


async def _passes(tool: MCPTool, tool_filter: ToolFilterCallable, context: ToolFilterContext) -> bool:
    try:
        result = tool_filter(context, tool)
        return bool(await result if inspect.isawaitable(result) else result)
    except Exception as error:
        logger.warning(
            "tool %s of MCP server %s is omitted because the tool_filter failed: %s: %s",
            tool.name,
            context.server_name,
            type(error).__name__,
            error,
        )
        return False
