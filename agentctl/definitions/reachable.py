"""The agents reachable from the first agent of a run, by handoffs and as tools."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from agentctl.agent.agent import Agent
from agentctl.agent.tools.tool import FunctionTool


def reachable_agents(first: Agent[Any], *, as_tools: bool = True) -> list[Agent[Any]]:
    """Return the first agent and all agents that its definition can reach, with `as_tools` also those in its tools."""
    agents = [first]
    queue, seen = deque(agents), {id(first)}
    while queue:
        for agent in _targets(queue.popleft(), as_tools=as_tools):
            if id(agent) not in seen:
                seen.add(id(agent))
                agents.append(agent)
                queue.append(agent)
    return agents


def _targets(agent: Agent[Any], *, as_tools: bool) -> Iterator[Agent[Any]]:
    for handoff in agent.handoffs:
        target = handoff if isinstance(handoff, Agent) else handoff.agent
        if target is not None:
            yield target
    for tool in agent.tools if as_tools else ():
        if isinstance(tool, FunctionTool) and tool.agent is not None:
            yield tool.agent
