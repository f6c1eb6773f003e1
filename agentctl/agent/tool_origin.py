"""Where a tool comes from, as its calls and outputs tell."""

from __future__ import annotations

from enum import StrEnum

from agentctl._dataclass import dataclass


class ToolOriginType(StrEnum):
    """What kind of thing gave the tool."""

    FUNCTION = "function"
    MCP = "mcp"
    AGENT_AS_TOOL = "agent_as_tool"


@dataclass(frozen=True)
class ToolOrigin:
    """A function of this program, an MCP server or an agent."""

    type: ToolOriginType
    mcp_server_name: str | None = None
    agent_name: str | None = None
    agent_tool_name: str | None = None
