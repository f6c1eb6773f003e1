"""The MCP servers of the agents of a program that runs them: begun beside everything else, ended together."""

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
    """The servers that nobody else has connected, from the first run that has an agent with them to the last."""

    _begun: list[SessionServer[Any]] = field(default_factory=list)
    _managers: list[MCPServerManager] = field(default_factory=list)
    """Those of other makers."""
    _known: set[int] = field(default_factory=set)

    async def attach(self, agent: Agent[Any]) -> None:
        """Begin to connect the servers of an agent and of all that it may hand over to or call.

        Whoever needs one waits for it. Those of other makers, for which nobody could wait, are connected.

        Raises:
            Exception: as a server of another maker raised it.
        """
        servers = [server for server in servers_of(agent) if id(server) not in self._known]
        if not servers:
            return
        # Only agents with servers pay for it.
        from .manager import MCPServerManager
        from .session_server import SessionServer

        others: list[MCPServer] = []
        for server in servers:
            self._known.add(id(server))
            if not isinstance(server, SessionServer):
                others.append(server)
            elif not server.is_connected:
                self._begun.append(server)
                server.begin_to_connect()
        if others:
            manager = MCPServerManager(others, strict=True, connect_in_parallel=True)
            self._managers.append(manager)
            await manager.connect_all()

    async def close(self) -> None:
        """End what was begun."""
        begun, managers = self._begun, self._managers
        self._begun, self._managers, self._known = [], [], set()
        await asyncio.gather(
            *(server.cleanup() for server in begun),
            *(manager.cleanup_all() for manager in managers),
            return_exceptions=True,
        )


def servers_of(agent: Agent[Any]) -> Iterator[MCPServer]:
    """Yield the servers of an agent and of every agent that it may hand over to or call, as far as can be told."""
    waiting, seen = [agent], {id(agent)}
    while waiting:
        each = waiting.pop(0)
        yield from each.mcp_servers
        for next_agent in _next_agents(each):
            if id(next_agent) not in seen:
                seen.add(id(next_agent))
                waiting.append(next_agent)


def _next_agents(agent: Agent[Any]) -> Iterator[Agent[Any]]:
    for handoff in agent.handoffs:
        next_agent = handoff if isinstance(handoff, Agent) else handoff.agent
        if next_agent is not None:
            yield next_agent
    for tool in agent.tools:
        if isinstance(tool, FunctionTool) and tool.agent is not None:
            yield tool.agent
