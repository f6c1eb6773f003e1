"""The agent: instructions, a model, tools, and other agents to hand off to."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import field
from typing import TYPE_CHECKING, Any, Generic, NotRequired, TypeAlias, TypedDict

from agentctl._dataclass import dataclass
from agentctl.agent.tools.tool import FunctionTool, default_tool_error_function, is_enabled
from agentctl.errors import UserError
from agentctl.grammar import add_article

from .context import RunContextWrapper, TContext
from .model_settings import ModelSettings, model_settings
from .output import AgentOutputSchemaBase
from .ports import Model

if TYPE_CHECKING:
    from agentctl.agent.mcp.server import MCPServer
    from agentctl.agent.tools.hosted_tools import Tool
    from agentctl.agent.tools.tool import Enablement, NeedsApproval, ToolErrorFunction, ToolUseBehavior
    from agentctl.run.result import RunResult, RunResultStreaming

    from .agent_tool import AgentToolStreamEvent, StructuredToolInputBuilder
    from .guardrail import InputGuardrail, OutputGuardrail
    from .handoff import Handoff
    from .lifecycle import AgentHooks, RunHooks
    from .prompts import DynamicPromptFunction, Prompt
    from .run_config import RunConfig
    from .session import Session


_DEFAULT = ModelSettings()
"""Stands for the default settings of the agent's model."""


class MCPConfig(TypedDict):
    """Options for the tools of an agent's MCP servers."""

    convert_schemas_to_strict: NotRequired[bool]
    """Whether to convert schemas to strict mode where possible; False by default."""
    failure_error_function: NotRequired[ToolErrorFunction | None]
    """Returns the model's text for a failed call; None lets the failure end the run."""
    include_server_in_tool_names: NotRequired[bool]
    """Whether tool names include the server's, so that two servers can share a tool name; False by default."""


@dataclass
class Agent(Generic[TContext]):
    """A model with instructions and tools; it holds no run state, so one agent can serve many runs."""

    name: str
    handoff_description: str | None = None
    """Description for other agents' models, which tells them when to hand off to this agent."""
    tools: list[Tool] = field(default_factory=list)
    mcp_servers: list[MCPServer] = field(default_factory=list)
    """MCP servers whose tools the agent has besides its own; the caller connects them and cleans them up."""
    mcp_config: MCPConfig = field(default_factory=MCPConfig)
    instructions: str | Callable[[RunContextWrapper[TContext], Agent[TContext]], str | Awaitable[str]] | None = None
    """The system prompt, or a function of the run's context and the agent that returns it, called at every turn."""
    prompt: Prompt | DynamicPromptFunction | None = None
    """A prompt object stored by the service, or a function that returns one, called at every turn."""
    handoffs: list[Agent[Any] | Handoff[TContext, Any]] = field(default_factory=list)
    """Agents that it may hand off to."""
    model: str | Model | None = None
    """A name that the run's provider knows, or a model; None takes the run's, then the provider's default."""
    model_settings: ModelSettings = field(default_factory=lambda: _DEFAULT)
    """Settings of its model calls; by default those of `get_default_model_settings` for its model."""
    input_guardrails: list[InputGuardrail[TContext]] = field(default_factory=list)
    """Checks of the input of runs that start with this agent."""
    output_guardrails: list[OutputGuardrail[TContext]] = field(default_factory=list)
    """Checks of the final output when this agent produces it."""
    output_type: type[Any] | AgentOutputSchemaBase | None = None
    """The type of the final output; None is text."""
    hooks: AgentHooks[TContext] | None = None
    """Callbacks for the steps of this agent."""
    tool_use_behavior: ToolUseBehavior = "run_llm_again"
    """Whether tool outputs go back to the model or become the final output."""
    reset_tool_choice: bool = True
    """Whether to reset a forced `tool_choice` once the agent has called a tool, so that the run can finish."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"Agent.name must be a string, not {type(self.name).__name__}")
        for name, value in (
            ("tools", self.tools),
            ("mcp_servers", self.mcp_servers),
            ("handoffs", self.handoffs),
            ("input_guardrails", self.input_guardrails),
            ("output_guardrails", self.output_guardrails),
        ):
            if not isinstance(value, list):
                raise TypeError(f"Agent.{name} must be a list, not {type(value).__name__}")
        for tool in self.tools:
            if not isinstance(tool, FunctionTool):
                _check_tool(tool, self.name)
        for handoff in self.handoffs:
            if not isinstance(handoff, Agent):
                _check_handoff(handoff, self.name)
        if not (self.model is None or isinstance(self.model, str | Model)):
            raise TypeError(f"Agent.model must be a name or a Model, not {type(self.model).__name__}")
        if not isinstance(self.mcp_config, dict):
            raise TypeError(f"Agent.mcp_config must be a dict, not {type(self.mcp_config).__name__}")
        if not (self.instructions is None or isinstance(self.instructions, str) or callable(self.instructions)):
            raise TypeError(
                f"Agent.instructions must be a string or a function, not {type(self.instructions).__name__}"
            )
        if not (
            self.tool_use_behavior in ("run_llm_again", "stop_on_first_tool")
            or isinstance(self.tool_use_behavior, dict)
            or callable(self.tool_use_behavior)
        ):
            raise TypeError(
                "Agent.tool_use_behavior must be run_llm_again, stop_on_first_tool, StopAtTools or a function, "
                f"not {self.tool_use_behavior!r}"
            )
        if self.model_settings is _DEFAULT:
            self.model_settings = _default_settings(self.model)
            self._default_settings = copy(self.model_settings)
        else:
            self.model_settings = model_settings(self.model_settings)

    def clone(self, **kwargs: Any) -> Agent[TContext]:
        """Return a copy with these fields changed; lists that are not replaced are shared.

        Default settings become those of the copy's model.
        """
        if has_default_settings(self):
            kwargs.setdefault("model_settings", _DEFAULT)
        return dataclasses.replace(self, **kwargs)

    def as_tool(
        self,
        tool_name: str | None,
        tool_description: str | None,
        custom_output_extractor: Callable[[RunResult | RunResultStreaming], Awaitable[str]] | None = None,
        is_enabled: Enablement = True,
        on_stream: Callable[[AgentToolStreamEvent], Awaitable[None] | None] | None = None,
        run_config: RunConfig | dict[str, Any] | None = None,
        max_turns: int | None = None,
        hooks: RunHooks[TContext] | None = None,
        previous_response_id: str | None = None,
        conversation_id: str | None = None,
        session: Session | None = None,
        failure_error_function: ToolErrorFunction | None = default_tool_error_function,
        needs_approval: NeedsApproval = False,
        parameters: type[Any] | None = None,
        input_builder: StructuredToolInputBuilder | None = None,
        include_input_schema: bool = False,
        on_stream_max_pending_events: int | None = 1024,
    ) -> FunctionTool:
        """Return a tool that runs this agent as part of another agent's turn and returns its output.

        The nested run shares the user's context object and, by default, the configuration of the outer run, which
        counts its usage.

        Args:
            tool_name: Name of the tool; None uses the agent's name.
            tool_description: Description of the tool for the model.
            custom_output_extractor: Returns the tool's output for a result, in place of the final output.
            is_enabled: Whether the tool is offered to the model, or a function that decides it at every turn.
            on_stream: Called with each event of the nested run, in order; its exceptions are logged.
            run_config: Configuration of the nested run.
            max_turns: Maximum number of turns of the nested run.
            hooks: Hooks of the nested run; those of the outer run are not called.
            previous_response_id: Response that the nested run continues.
            conversation_id: Conversation that the nested run belongs to.
            session: Session that the nested run continues and is saved in.
            failure_error_function: Returns the model's text for an exception of the nested run; None raises it.
            needs_approval: Whether calls need approval, or a function that decides it for each call.
            parameters: Type of the tool's arguments, a dataclass or pydantic model; None is a single string, `input`.
            input_builder: Returns the nested run's input for the arguments.
            include_input_schema: Whether the nested run's input includes the schema of the arguments.
            on_stream_max_pending_events: Maximum number of events queued for `on_stream` before the run waits;
                None is no limit.

        Raises:
            UserError: the options are invalid or contradict each other.
            TypeError: `parameters` is neither a dataclass nor a pydantic model.
        """
        # Imported only for agents used as tools.
        from .agent_tool import agent_tool

        return agent_tool(
            self,
            tool_name,
            tool_description,
            custom_output_extractor=custom_output_extractor,
            is_enabled=is_enabled,
            on_stream=on_stream,
            run_config=run_config,
            max_turns=max_turns,
            hooks=hooks,
            previous_response_id=previous_response_id,
            conversation_id=conversation_id,
            session=session,
            failure_error_function=failure_error_function,
            needs_approval=needs_approval,
            parameters=parameters,
            input_builder=input_builder,
            include_input_schema=include_input_schema,
            on_stream_max_pending_events=on_stream_max_pending_events,
        )

    async def get_system_prompt(self, run_context: RunContextWrapper[TContext]) -> str | None:
        """Return the instructions for a turn of this run.

        Raises:
            UserError: the function `instructions` did not return a string.
        """
        if not callable(self.instructions):
            return self.instructions
        _check_instructions(self.instructions, self.name)
        instructions: Any = self.instructions(run_context, self)
        if inspect.isawaitable(instructions):
            instructions = await instructions
        if not (instructions is None or isinstance(instructions, str)):
            kind = type(instructions).__name__
            raise UserError(f"Agent.instructions of {self.name!r} must return a string, not {kind}")
        return instructions

    async def get_prompt(self, run_context: RunContextWrapper[TContext]) -> dict[str, Any] | None:
        """Return the prompt object for a turn of this run, as the Responses API takes it.

        Raises:
            UserError: the prompt is invalid.
        """
        # Imported only for agents with a prompt.
        from .prompts import resolve_prompt

        return await resolve_prompt(self, run_context)

    async def get_mcp_tools(self, run_context: RunContextWrapper[TContext]) -> list[Tool]:
        """Return the tools of the MCP servers for this run.

        Raises:
            UserError: a server is not connected, or two tools have the same name.
            ServiceUnavailableError: a server cannot be reached.
        """
        if not self.mcp_servers:
            return []
        # Imported only for agents with servers.
        from agentctl.agent.mcp.tools import mcp_tools_of

        return await mcp_tools_of(self, run_context)

    async def get_all_tools(self, run_context: RunContextWrapper[TContext]) -> list[Tool]:
        """Return the tools of the MCP servers and the agent's own tools that are enabled in this run."""
        return await self.get_mcp_tools(run_context) + [
            tool
            for tool in list(self.tools)
            if not isinstance(tool, FunctionTool)
            or tool.is_enabled is True
            or await is_enabled(tool.is_enabled, run_context, self)
        ]


def settings_for(agent: Agent[Any], model: str | Model | None) -> ModelSettings:
    """Return the settings of an agent in a run with this model, None for the agent's own."""
    if not has_default_settings(agent):
        return agent.model_settings
    return _default_settings(agent.model if model is None else model)


def has_default_settings(agent: Agent[Any]) -> bool:
    """Return whether an agent was made without settings, and they were not changed since."""
    default: ModelSettings | None = vars(agent).get("_default_settings")
    return default is not None and agent.model_settings == default


def _default_settings(model: str | Model | None) -> ModelSettings:
    if isinstance(model, Model):
        return ModelSettings()
    # 2 ms, only for an agent without settings.
    from .default_model import get_default_model_settings

    return get_default_model_settings(model)


def _check_instructions(function: Callable[..., Any], agent_name: str) -> None:
    try:
        names = list(inspect.signature(function).parameters)
    except ValueError:
        return  # A function of C, which is called as it is.
    if len(names) != 2:
        raise TypeError(
            f"the function Agent.instructions of {agent_name!r} must accept exactly 2 arguments (context, agent), "
            f"but got {len(names)}: {names}"
        )


def _check_tool(value: object, agent_name: str) -> None:
    # 3 ms, saved for agents with function tools only.
    from agentctl.agent.tools.api_tool import ApiTool

    if isinstance(value, ApiTool):
        return
    advice = "use as_tool to turn an agent into one" if isinstance(value, Agent) else "decorate it with @function_tool"
    raise TypeError(f"Agent.tools of {agent_name!r} has {_description(value)}, which is not a tool: {advice}")


def _check_handoff(value: object, agent_name: str) -> None:
    # 3 ms, saved for agents without Handoff objects.
    from .handoff import Handoff

    if not isinstance(value, Handoff):
        raise TypeError(f"Agent.handoffs of {agent_name!r} has {_description(value)}; it takes agents and handoffs")


def _description(value: object) -> str:
    """Return the type of a value, with an article, and its name if it has one."""
    kind = type(value).__name__
    name = value.name if isinstance(value, Agent) else getattr(value, "__name__", None)
    return f"{add_article(kind)}{f' {name!r}' if isinstance(name, str) else ''}"


if TYPE_CHECKING:
    AgentBase: TypeAlias = Agent[TContext]
    """The Agents SDK's name for the base of its kinds of agents; here there is only one kind."""
else:
    AgentBase = Agent  # `isinstance` does not accept the alias.
