"""MCP servers, over stdio, SSE and streamable HTTP, and their tools: a lazy facade over the `mcp` package."""

from typing import TYPE_CHECKING

from agentctl._lazy import exporter

if TYPE_CHECKING:
    from agentctl.agent.mcp_approval import LocalMCPApprovalCallable as LocalMCPApprovalCallable
    from agentctl.agent.mcp_server import MCPServer as MCPServer
    from agentctl.agent.mcp_server import MCPToolCustomDataContext as MCPToolCustomDataContext
    from agentctl.agent.mcp_server import MCPToolCustomDataExtractor as MCPToolCustomDataExtractor
    from agentctl.agent.mcp_server import MCPToolMetaContext as MCPToolMetaContext
    from agentctl.agent.mcp_server import MCPToolMetaResolver as MCPToolMetaResolver
    from agentctl.agent.mcp_tools import MCPUtil as MCPUtil

    from .filters import ToolFilter as ToolFilter
    from .filters import ToolFilterCallable as ToolFilterCallable
    from .filters import ToolFilterContext as ToolFilterContext
    from .filters import ToolFilterStatic as ToolFilterStatic
    from .filters import create_static_tool_filter as create_static_tool_filter
    from .manager import MCPServerManager as MCPServerManager
    from .sse import MCPServerSse as MCPServerSse
    from .sse import MCPServerSseParams as MCPServerSseParams
    from .stdio import MCPServerStdio as MCPServerStdio
    from .stdio import MCPServerStdioParams as MCPServerStdioParams
    from .streamable_http import MCPServerStreamableHttp as MCPServerStreamableHttp
    from .streamable_http import MCPServerStreamableHttpParams as MCPServerStreamableHttpParams

__getattr__, __dir__, __all__ = exporter(
    __name__,
    {
        "LocalMCPApprovalCallable": "agentctl.agent.mcp_approval",
        "MCPServer": "agentctl.agent.mcp_server",
        "MCPServerManager": "agentctl.mcp.manager",
        "MCPServerSse": "agentctl.mcp.sse",
        "MCPServerSseParams": "agentctl.mcp.sse",
        "MCPServerStdio": "agentctl.mcp.stdio",
        "MCPServerStdioParams": "agentctl.mcp.stdio",
        "MCPServerStreamableHttp": "agentctl.mcp.streamable_http",
        "MCPServerStreamableHttpParams": "agentctl.mcp.streamable_http",
        "MCPToolCustomDataContext": "agentctl.agent.mcp_server",
        "MCPToolCustomDataExtractor": "agentctl.agent.mcp_server",
        "MCPToolMetaContext": "agentctl.agent.mcp_server",
        "MCPToolMetaResolver": "agentctl.agent.mcp_server",
        "MCPUtil": "agentctl.agent.mcp_tools",
        "ToolFilter": "agentctl.mcp.filters",
        "ToolFilterCallable": "agentctl.mcp.filters",
        "ToolFilterContext": "agentctl.mcp.filters",
        "ToolFilterStatic": "agentctl.mcp.filters",
        "create_static_tool_filter": "agentctl.mcp.filters",
    },
)
