"""Hooks: user callbacks for each step of a run or of one agent; every method is async and optional.

The context is an `AgentHookContext` at the start and end of an agent, a `ToolContext` around a call of a function tool,
else the run's own. An exception of a hook ends the run.
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
    """Callbacks for every step of a run, of any agent."""

    async def on_llm_start(
        self,
        context: RunContextWrapper[TContext],
        agent: Agent[TContext],
        system_prompt: str | None,
        input_items: list[WireItem],
    ) -> None:
        """Handle a model call that is about to start."""

    async def on_llm_end(
        self, context: RunContextWrapper[TContext], agent: Agent[TContext], response: ModelResponse
    ) -> None:
        """Handle the model's response."""

    async def on_agent_start(self, context: AgentHookContext[TContext], agent: TAgent) -> None:
        """Handle a new current agent: at the start of the run, and after a handoff."""

    async def on_agent_end(self, context: AgentHookContext[TContext], agent: TAgent, output: Any) -> None:
        """Handle the final output of an agent."""

    async def on_handoff(self, context: RunContextWrapper[TContext], from_agent: TAgent, to_agent: TAgent) -> None:
        """Handle a handoff from one agent to another."""

    async def on_tool_start(self, context: RunContextWrapper[TContext], agent: TAgent, tool: Tool) -> None:
        """Handle a tool call that is about to start."""

    async def on_tool_end(
        self, context: RunContextWrapper[TContext], agent: TAgent, tool: Tool, result: object
    ) -> None:
        """Handle the output of a tool."""


class AgentHooksBase(Generic[TContext, TAgent]):
    """Callbacks for the steps of one agent in any run: `Agent.hooks`."""

    async def on_start(self, context: AgentHookContext[TContext], agent: TAgent) -> None:
        """Handle the agent's start: at the start of the run, and after a handoff to it."""

    async def on_end(self, context: AgentHookContext[TContext], agent: TAgent, output: Any) -> None:
        """Handle the final output of the agent."""

    async def on_handoff(self, context: RunContextWrapper[TContext], agent: TAgent, source: TAgent) -> None:
        """Handle a handoff from `source` to the agent."""

    async def on_tool_start(self, context: RunContextWrapper[TContext], agent: TAgent, tool: Tool) -> None:
        """Handle a call of one of the agent's tools that is about to start."""

    async def on_tool_end(
        self, context: RunContextWrapper[TContext], agent: TAgent, tool: Tool, result: object
    ) -> None:
        """Handle the output of one of the agent's tools."""

    async def on_llm_start(
        self,
        context: RunContextWrapper[TContext],
        agent: Agent[TContext],
        system_prompt: str | None,
        input_items: list[WireItem],
    ) -> None:
        """Handle a model call for the agent that is about to start."""

    async def on_llm_end(
        self, context: RunContextWrapper[TContext], agent: Agent[TContext], response: ModelResponse
    ) -> None:
        """Handle the model's response for the agent."""


RunHooks: TypeAlias = RunHooksBase[TContext, Agent[Any]]
"""Hooks of a run: the type of `Runner.run(hooks=…)`."""

AgentHooks: TypeAlias = AgentHooksBase[TContext, Agent[Any]]
"""Hooks of an agent: the type of `Agent(hooks=…)`."""
