"""Automatic connection of agents' MCP servers, in the background, for programs that run agents."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import field
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.tools.tool import FunctionTool

if TYPE_CHECKING:
    from agentctl.agent.mcp.server import MCPServer

    from .manager import MCPServerManager
    from .session_server import SessionServer


@dataclass(slots=True)
class Attachment:
    """The servers that this program connected, from the first run with such an agent until `close`."""

    _servers: list[SessionServer[Any]] = field(default_factory=list)
    _managers: list[MCPServerManager] = field(default_factory=list)
    """Managers of custom server classes."""
    _known: set[int] = field(default_factory=set)

    async def attach(self, agent: Agent[Any]) -> None:
        """Start connecting the servers of an agent and of all agents that it can hand off to or call.

        Built-in server classes connect in the background, and calls wait for them. Custom ones cannot be waited for
        later, so they are connected before this method returns.

        Raises:
            Exception: the error of a custom server class.
        """
        servers = [server for server in servers_of(agent) if id(server) not in self._known]
        if not servers:
            return
        # Imported only for agents with servers.
        from .manager import MCPServerManager
        from .session_server import SessionServer

        others: list[MCPServer] = []
        for server in servers:
            self._known.add(id(server))
            if not isinstance(server, SessionServer):
                others.append(server)
            elif not server.is_connected:
                self._servers.append(server)
                server.start_connecting()
        if others:
            manager = MCPServerManager(others, strict=True, connect_in_parallel=True)
            self._managers.append(manager)
            await manager.connect_all()

    async def close(self) -> None:
        """Clean up the connected servers."""
        servers, managers = self._servers, self._managers
        self._servers, self._managers, self._known = [], [], set()
        await asyncio.gather(
            *(server.cleanup() for server in servers),
            *(manager.cleanup_all() for manager in managers),
            return_exceptions=True,
        )


def servers_of(agent: Agent[Any]) -> Iterator[MCPServer]:
    """Yield the servers of an agent and of all agents that it is known to hand off to or call."""
    queue, seen = [agent], {id(agent)}
    while queue:
        current = queue.pop(0)
        yield from current.mcp_servers
        for next_agent in _next_agents(current):
            if id(next_agent) not in seen:
                seen.add(id(next_agent))
                queue.append(next_agent)


def _next_agents(agent: Agent[Any]) -> Iterator[Agent[Any]]:
    for handoff in agent.handoffs:
        next_agent = handoff if isinstance(handoff, Agent) else handoff.agent
        if next_agent is not None:
            yield next_agent
    for tool in agent.tools:
        if isinstance(tool, FunctionTool) and tool.agent is not None:
            yield tool.agent
