"""The names of `agentctl.mcp`, under both of its names, and what importing them costs."""

import subprocess
import sys

import agentctl.mcp

NAMES = [
    "MCPServer",
    "MCPServerSse",
    "MCPServerSseParams",
    "MCPServerStdio",
    "MCPServerStdioParams",
    "MCPServerStreamableHttp",
    "MCPServerStreamableHttpParams",
    "MCPServerManager",
    "LocalMCPApprovalCallable",
    "MCPUtil",
    "MCPToolCustomDataContext",
    "MCPToolCustomDataExtractor",
    "MCPToolMetaContext",
    "MCPToolMetaResolver",
    "ToolFilter",
    "ToolFilterCallable",
    "ToolFilterContext",
    "ToolFilterStatic",
    "create_static_tool_filter",
]


def test_the_names_are_those_of_the_agents_sdk() -> None:
    assert agentctl.mcp.__all__ == sorted(NAMES)
    assert all(getattr(agentctl.mcp, name) is not None for name in NAMES)


def test_code_for_the_agents_sdk_finds_them() -> None:
    script = (
        "import agentctl.compat\nfrom agents.mcp import MCPServerStdio\nfrom agents.agent import MCPConfig\n"
        "print(MCPServerStdio.__module__, MCPConfig.__module__)"
    )
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert outcome.stdout == "agentctl.mcp.stdio agentctl.agent.agent\n"


def test_the_package_is_not_imported_before_a_server_is_connected() -> None:
    script = (
        "import sys\nfrom agentctl import Agent\n"
        "from agentctl.mcp import MCPServerManager, MCPServerSse, MCPServerStdio\n"
        "agent = Agent('a', mcp_servers=[MCPServerStdio({'command': 'x'}), MCPServerSse({'url': 'http://x'})])\n"
        "MCPServerManager(agent.mcp_servers)\n"
        "print([name for name in ('mcp', 'mcp_types', 'anyio', 'httpx2', 'pydantic') if name in sys.modules])"
    )
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert outcome.stdout == "[]\n"
