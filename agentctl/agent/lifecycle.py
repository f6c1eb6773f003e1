"""Hooks: what user code may do at each step of a run, or of one agent; every method is async and optional.

The context that a method gets is an `AgentHookContext` where an agent begins or ends, a `ToolContext` around a call of
a function tool, else the run's own. What a hook raises ends the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeAlias

from typing_extensions import TypeVar

from agentctl.agent.items.run_items import ModelResponse

from .agent import Agent
from .context import RunContextWrapper, TContext
from .wire import WireItem

if TYPE_CHECKING:
    from agentctl.agent.tools.hosted_tools import Tool

    from .context import AgentHookContext

TAgent = TypeVar("TAgent", bound=Agent[Any], default=Agent[Any])


class RunHooksBase(Generic[TContext, TAgent]):
    """Told of every step of a run, whichever agent takes it."""

    async def on_llm_start(
        self,
        context: RunContextWrapper[TContext],
        agent: Agent[TContext],
        system_prompt: str | None,
        input_items: list[WireItem],
    ) -> None:
        """Be told that the model is about to be called, and with what."""

    async def on_llm_end(
        self, context: RunContextWrapper[TContext], agent: Agent[TContext], response: ModelResponse
    ) -> None:
        """Be told what the model answered."""

    async def on_agent_start(self, context: AgentHookContext[TContext], agent: TAgent) -> None:
        """Be told that an agent has the word: at the start of the run, and after a handoff."""

    async def on_agent_end(self, context: AgentHookContext[TContext], agent: TAgent, output: Any) -> None:
        """Be told the final output of an agent."""

    async def on_handoff(self, context: RunContextWrapper[TContext], from_agent: TAgent, to_agent: TAgent) -> None:
        """Be told that one agent hands over to another."""

    async def on_tool_start(self, context: RunContextWrapper[TContext], agent: TAgent, tool: Tool) -> None:
        """Be told that a tool is about to be called."""

    async def on_tool_end(
        self, context: RunContextWrapper[TContext], agent: TAgent, tool: Tool, result: object
    ) -> None:
        """Be told what a tool gave."""


class AgentHooksBase(Generic[TContext, TAgent]):
    """Told of the steps that one agent takes, in whatever run: `Agent.hooks`."""

    async def on_start(self, context: AgentHookContext[TContext], agent: TAgent) -> None:
        """Be told that the agent has the word: at the start of the run, and after a handoff to it."""

    async def on_end(self, context: AgentHookContext[TContext], agent: TAgent, output: Any) -> None:
        """Be told the final output of the agent."""

    async def on_handoff(self, context: RunContextWrapper[TContext], agent: TAgent, source: TAgent) -> None:
        """Be told that `source` hands over to the agent."""

    async def on_tool_start(self, context: RunContextWrapper[TContext], agent: TAgent, tool: Tool) -> None:
        """Be told that a tool of the agent is about to be called."""

    async def on_tool_end(
        self, context: RunContextWrapper[TContext], agent: TAgent, tool: Tool, result: object
    ) -> None:
        """Be told what a tool of the agent gave."""

    async def on_llm_start(
        self,
        context: RunContextWrapper[TContext],
        agent: Agent[TContext],
        system_prompt: str | None,
        input_items: list[WireItem],
    ) -> None:
        """Be told that the model is about to be called for the agent, and with what."""

    async def on_llm_end(
        self, context: RunContextWrapper[TContext], agent: Agent[TContext], response: ModelResponse
    ) -> None:
        """Be told what the model answered the agent."""


RunHooks: TypeAlias = RunHooksBase[TContext, Agent[Any]]
"""Hooks of a run: what `Runner.run(hooks=…)` takes."""

AgentHooks: TypeAlias = AgentHooksBase[TContext, Agent[Any]]
"""Hooks of an agent: what `Agent(hooks=…)` takes."""
