"""The agent: instructions, a model, tools, and other agents to hand over to."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal

from .context import RunContextWrapper, TContext
from .enablement import is_enabled
from .model_settings import ModelSettings
from .output import AgentOutputSchemaBase
from .ports import Model
from .tool import FunctionTool, Tool

if TYPE_CHECKING:
    from .guardrail import InputGuardrail, OutputGuardrail
    from .handoff import Handoff
    from .lifecycle import AgentHooks
    from .prompts import DynamicPromptFunction, Prompt
    from .tool_use import StopAtTools, ToolsToFinalOutputFunction


@dataclass
class Agent(Generic[TContext]):
    """A model with instructions and tools; it holds no state of a run, so one agent serves many."""

    name: str
    handoff_description: str | None = None
    """What other agents are told of it, to know when to hand over to it."""
    tools: list[Tool] = field(default_factory=list)
    instructions: str | Callable[[RunContextWrapper[TContext], Agent[TContext]], str | Awaitable[str]] | None = None
    """The system prompt, or a function of the run's context and the agent that gives it, asked at every turn."""
    prompt: Prompt | DynamicPromptFunction | None = None
    """A prompt object that the service keeps, or a function that gives one, asked at every turn."""
    handoffs: list[Agent[Any] | Handoff[TContext, Any]] = field(default_factory=list)
    """The agents that it may hand over to."""
    model: str | Model | None = None
    """A name that the run's provider knows, or a model; None takes the run's, then the provider's default."""
    model_settings: ModelSettings = field(default_factory=ModelSettings)
    input_guardrails: list[InputGuardrail[TContext]] = field(default_factory=list)
    """Checks of the input, where the run begins with this agent."""
    output_guardrails: list[OutputGuardrail[TContext]] = field(default_factory=list)
    """Checks of the final output, where this agent gives it."""
    output_type: type[Any] | AgentOutputSchemaBase | None = None
    """The type of the final output; None is text."""
    hooks: AgentHooks[TContext] | None = None
    """Told of what this agent does."""
    tool_use_behavior: Literal["run_llm_again", "stop_on_first_tool"] | StopAtTools | ToolsToFinalOutputFunction = (
        "run_llm_again"
    )
    """Whether what tools gave goes back to the model, or is the final output."""
    reset_tool_choice: bool = True
    """Whether a forced `tool_choice` is lifted once the agent has called a tool, so that it can come to an end."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"Agent.name is a text, not {type(self.name).__name__}")
        for name, value in (
            ("tools", self.tools),
            ("handoffs", self.handoffs),
            ("input_guardrails", self.input_guardrails),
            ("output_guardrails", self.output_guardrails),
        ):
            if not isinstance(value, list):
                raise TypeError(f"Agent.{name} is a list, not {type(value).__name__}")
        if not (self.instructions is None or isinstance(self.instructions, str) or callable(self.instructions)):
            raise TypeError(f"Agent.instructions is a text or a function, not {type(self.instructions).__name__}")
        if not isinstance(self.model_settings, ModelSettings):
            raise TypeError(f"Agent.model_settings is a ModelSettings, not {type(self.model_settings).__name__}")

    def clone(self, **kwargs: Any) -> Agent[TContext]:
        """Return a copy with these fields changed; lists in it are shared unless given anew."""
        return dataclasses.replace(self, **kwargs)

    async def get_system_prompt(self, run_context: RunContextWrapper[TContext]) -> str | None:
        """Return the instructions for a turn of this run."""
        if not callable(self.instructions):
            return self.instructions
        prompt = self.instructions(run_context, self)
        return await prompt if inspect.isawaitable(prompt) else prompt

    async def get_prompt(self, run_context: RunContextWrapper[TContext]) -> dict[str, Any] | None:
        """Return the prompt object for a turn of this run, as the Responses API has it.

        Raises:
            UserError: it is no prompt.
        """
        # Only agents with a prompt pay for it.
        from .prompts import prompt_of

        return await prompt_of(self, run_context)

    async def get_all_tools(self, run_context: RunContextWrapper[TContext]) -> list[Tool]:
        """Return the tools that are enabled in this run."""
        return [
            tool
            for tool in self.tools
            if not isinstance(tool, FunctionTool)
            or tool.is_enabled is True
            or await is_enabled(tool.is_enabled, run_context, self)
        ]
