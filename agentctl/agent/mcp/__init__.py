"""MCP servers and their tools as an agent sees them; the connections are in `agentctl.mcp`."""
