"""MCP servers over stdio, SSE and streamable HTTP, and their tools: a lazy facade over the `mcp` package."""

from typing import TYPE_CHECKING

from agentctl._lazy import lazy_names

if TYPE_CHECKING:
    from agentctl.agent.mcp.server import LocalMCPApprovalCallable as LocalMCPApprovalCallable
    from agentctl.agent.mcp.server import MCPServer as MCPServer
    from agentctl.agent.mcp.server import MCPToolCustomDataContext as MCPToolCustomDataContext
    from agentctl.agent.mcp.server import MCPToolCustomDataExtractor as MCPToolCustomDataExtractor
    from agentctl.agent.mcp.server import MCPToolMetaContext as MCPToolMetaContext
    from agentctl.agent.mcp.server import MCPToolMetaResolver as MCPToolMetaResolver
    from agentctl.agent.mcp.tools import MCPUtil as MCPUtil

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

__getattr__, __dir__ = lazy_names(__name__)
