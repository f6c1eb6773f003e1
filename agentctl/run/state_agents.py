"""The agents of a run that was kept, found again by their names."""

from __future__ import annotations

from collections import deque
from typing import Any

from agentctl.agent.agent import Agent
from agentctl.agent.tool import FunctionTool
from agentctl.errors import UserError


class Agents:
    """The agents that one leads to by handoffs: what a state names is looked for among them."""

    def __init__(self, initial: Agent[Any]) -> None:
        """Begin with an agent.

        Raises:
            UserError: it is none.
        """
        if not isinstance(initial, Agent):
            raise UserError(f"the state of a run is read with its first agent, an Agent, not {type(initial).__name__}")
        self._initial = initial
        self._by_name: dict[str, list[Agent[Any]]] = {}
        waiting, seen = deque([initial]), {id(initial)}
        while waiting:
            agent = waiting.popleft()
            self._by_name.setdefault(agent.name, []).append(agent)
            for target in _targets(agent):
                if id(target) not in seen:
                    seen.add(id(target))
                    waiting.append(target)

    def __call__(self, name: str) -> Agent[Any]:
        """Return the agent of a name.

        Raises:
            UserError: there is none, or there are several.
        """
        found = self._by_name.get(name, [])
        if len(found) == 1:
            return found[0]
        known = ", ".join(sorted(self._by_name))
        if not found:
            raise UserError(
                f"the state names agent {name!r}, which {self._initial.name!r} does not lead to (it leads to: {known})"
            )
        raise UserError(
            f"the state names agent {name!r}, and {self._initial.name!r} leads to {len(found)} of that name"
        )

    def all(self) -> list[Agent[Any]]:
        """Return every agent."""
        return [agent for found in self._by_name.values() for agent in found]

    def behind_tool(self, agent: Agent[Any], tool_name: str) -> Agent[Any]:
        """Return the agent that is a tool of another.

        Raises:
            UserError: that has no such tool.
        """
        for tool in agent.tools:
            if isinstance(tool, FunctionTool) and tool.name == tool_name and tool.agent is not None:
                return tool.agent
        raise UserError(f"the state has a run within a call of tool {tool_name!r}, which is no agent of {agent.name!r}")


def _targets(agent: Agent[Any]) -> list[Agent[Any]]:
    targets = (given if isinstance(given, Agent) else given.agent for given in agent.handoffs)
    return [target for target in targets if target is not None]
