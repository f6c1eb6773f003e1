"""MCP servers, as users write them."""

from typing import Any

from mcp.types import CallToolResult, GetPromptResult, ListPromptsResult, Tool

from agentctl import Agent, RunContextWrapper, Runner
from agentctl.mcp import (
    MCPServer,
    MCPServerManager,
    MCPServerSse,
    MCPServerStdio,
    MCPServerStreamableHttp,
    MCPToolMetaContext,
    ToolFilter,
    ToolFilterContext,
    create_static_tool_filter,
)


async def wanted(context: ToolFilterContext, tool: Tool) -> bool:
    return tool.name != context.agent.name


def needs_yes(context: RunContextWrapper[Any], agent: Agent[Any], tool: Tool) -> bool:
    return tool.annotations is None or not tool.annotations.read_only_hint


def meta(context: MCPToolMetaContext) -> dict[str, Any] | None:
    return {"tool": context.tool_name} if context.arguments else None


def words(context: RunContextWrapper[Any], error: Exception) -> str:
    return f"no: {error}"


def server_filter(name: str) -> ToolFilter | None:
    return create_static_tool_filter(allowed_tool_names=[name])


files = MCPServerStdio(
    params={"command": "npx", "args": ["server-filesystem", "."], "env": {"A": "b"}},
    cache_tools_list=True,
    tool_filter=wanted,
    require_approval={"always": {"tool_names": ["write_file"]}},
)
search = MCPServerStreamableHttp(
    params={"url": "https://x.example/mcp", "headers": {"Authorization": "Bearer t"}, "timeout": 10},
    name="search",
    require_approval=needs_yes,
    tool_meta_resolver=meta,
    failure_error_function=None,
)
old = MCPServerSse({"url": "https://x.example/sse"}, tool_filter=server_filter("find"), require_approval="never")


class Own(MCPServer):
    @property
    def name(self) -> str:
        return "own"

    async def connect(self) -> None: ...

    async def cleanup(self) -> None: ...

    async def list_tools(
        self, run_context: RunContextWrapper[Any] | None = None, agent: Agent[Any] | None = None
    ) -> list[Tool]:
        return []

    async def call_tool(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None = None
    ) -> CallToolResult:
        return CallToolResult(content=[])

    async def list_prompts(self) -> ListPromptsResult:
        return ListPromptsResult(prompts=[])

    async def get_prompt(self, name: str, arguments: dict[str, Any] | None = None) -> GetPromptResult:
        return GetPromptResult(messages=[])


async def main() -> str:
    async with MCPServerManager([files, search, old, Own()], connect_in_parallel=True) as manager:
        agent = Agent(
            name="a",
            mcp_servers=manager.active_servers,
            mcp_config={"convert_schemas_to_strict": True, "failure_error_function": words},
        )
        result = await Runner.run(agent, "hi")
    async with files as server:
        print([tool.name for tool in await server.list_tools()])
    return str(result.final_output)
