"""The agents that a run may come to from its first one, by handoffs and by agents that are tools."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from agentctl.agent.agent import Agent
from agentctl.agent.tools.tool import FunctionTool


def reachable_agents(first: Agent[Any]) -> list[Agent[Any]]:
    """Return the first agent and all that it leads to, as far as their definitions tell."""
    found = [first]
    waiting, seen = deque(found), {id(first)}
    while waiting:
        for agent in _next_to(waiting.popleft()):
            if id(agent) not in seen:
                seen.add(id(agent))
                found.append(agent)
                waiting.append(agent)
    return found


def _next_to(agent: Agent[Any]) -> Iterator[Agent[Any]]:
    for given in agent.handoffs:
        target = given if isinstance(given, Agent) else given.agent
        if target is not None:
            yield target
    for tool in agent.tools:
        if isinstance(tool, FunctionTool) and tool.agent is not None:
            yield tool.agent
