"""The agents reachable from the first agent of a run, by handoffs and as tools."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from agentctl.agent.agent import Agent
from agentctl.agent.tools.tool import FunctionTool


def reachable_agents(first: Agent[Any]) -> list[Agent[Any]]:
    """Return the first agent and all agents that its definition can reach."""
    agents = [first]
    queue, seen = deque(agents), {id(first)}
    while queue:
        for agent in _targets(queue.popleft()):
            if id(agent) not in seen:
                seen.add(id(agent))
                agents.append(agent)
                queue.append(agent)
    return agents


def _targets(agent: Agent[Any]) -> Iterator[Agent[Any]]:
    for handoff in agent.handoffs:
        target = handoff if isinstance(handoff, Agent) else handoff.agent
        if target is not None:
            yield target
    for tool in agent.tools:
        if isinstance(tool, FunctionTool) and tool.agent is not None:
            yield tool.agent
