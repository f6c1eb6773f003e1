"""The result of loading an agent: the agent, and what runs of it take from its file."""

from __future__ import annotations

from typing import Any

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDefinition:
    """An agent, and what a run that starts with it takes from the file that defines it."""

    agent: Agent[Any]
    max_turns: int | None = None
    """The limit of turns that the file sets."""
    additions: tuple[tuple[Agent[Any], str], ...] = ()
    """Texts that follow the instructions of agents, and have no placeholders."""

    def complete(self) -> Agent[Any]:
        """Return the agent with all texts in its instructions; called once, after placeholders are filled."""
        for agent, text in self.additions:
            assert agent.instructions is None or isinstance(agent.instructions, str)
            agent.instructions = "\n\n".join(filter(None, (agent.instructions, text)))
        return self.agent
