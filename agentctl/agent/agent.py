"""The agent: instructions, a model, tools, and other agents to hand over to."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import field
from typing import TYPE_CHECKING, Any, Generic, NotRequired, TypeAlias, TypedDict

from agentctl._dataclass import dataclass
from agentctl.agent.tools.tool import FunctionTool, default_tool_error_function, is_enabled
from agentctl.errors import UserError

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


class MCPConfig(TypedDict):
    """What an agent makes of the tools of its MCP servers."""

    convert_schemas_to_strict: NotRequired[bool]
    """Whether schemas are made strict where they can be; False unless said."""
    failure_error_function: NotRequired[ToolErrorFunction | None]
    """Gives the model's text for a call that failed; None lets the failure end the run."""
    include_server_in_tool_names: NotRequired[bool]
    """Whether names tell the server, so that two servers may have tools of one name; False unless said."""


@dataclass
class Agent(Generic[TContext]):
    """A model with instructions and tools; it holds no state of a run, so one agent serves many."""

    name: str
    handoff_description: str | None = None
    """What other agents are told of it, to know when to hand over to it."""
    tools: list[Tool] = field(default_factory=list)
    mcp_servers: list[MCPServer] = field(default_factory=list)
    """The MCP servers whose tools it has beside its own: whoever runs it connects them before, and cleans up after."""
    mcp_config: MCPConfig = field(default_factory=MCPConfig)
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
    tool_use_behavior: ToolUseBehavior = "run_llm_again"
    """Whether what tools gave goes back to the model, or is the final output."""
    reset_tool_choice: bool = True
    """Whether a forced `tool_choice` is lifted once the agent has called a tool, so that it can come to an end."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"Agent.name is a text, not {type(self.name).__name__}")
        for name, value in (
            ("tools", self.tools),
            ("mcp_servers", self.mcp_servers),
            ("handoffs", self.handoffs),
            ("input_guardrails", self.input_guardrails),
            ("output_guardrails", self.output_guardrails),
        ):
            if not isinstance(value, list):
                raise TypeError(f"Agent.{name} is a list, not {type(value).__name__}")
        for tool in self.tools:
            if not isinstance(tool, FunctionTool):
                _check_tool(tool, self.name)
        for handoff in self.handoffs:
            if not isinstance(handoff, Agent):
                _check_handoff(handoff, self.name)
        if not (self.model is None or isinstance(self.model, str | Model)):
            raise TypeError(f"Agent.model is a name or a Model, not {type(self.model).__name__}")
        if not isinstance(self.mcp_config, dict):
            raise TypeError(f"Agent.mcp_config is a dict, not {type(self.mcp_config).__name__}")
        if not (self.instructions is None or isinstance(self.instructions, str) or callable(self.instructions)):
            raise TypeError(f"Agent.instructions is a text or a function, not {type(self.instructions).__name__}")
        if not (
            self.tool_use_behavior in ("run_llm_again", "stop_on_first_tool")
            or isinstance(self.tool_use_behavior, dict)
            or callable(self.tool_use_behavior)
        ):
            raise TypeError(
                "Agent.tool_use_behavior is run_llm_again, stop_on_first_tool, StopAtTools or a function, "
                f"not {self.tool_use_behavior!r}"
            )
        self.model_settings = model_settings(self.model_settings)

    def clone(self, **kwargs: Any) -> Agent[TContext]:
        """Return a copy with these fields changed; lists in it are shared unless given anew."""
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
        """Return a tool that runs this agent within a call of another one, which goes on with what this one says.

        The run has the user's context object and, unless told otherwise, the configuration of the run around it, which
        counts its usage.

        Args:
            tool_name: What the model calls the tool; None takes the agent's name.
            tool_description: What the model is told of it.
            custom_output_extractor: Makes the tool's output of the result, in place of the final output.
            is_enabled: Whether the model is offered it, or a function that says so at every turn.
            on_stream: Told of each event of the run, in order; what it raises is logged.
            run_config: The configuration of the run.
            max_turns: The limit of turns of the run.
            hooks: The hooks of the run; those of the run around it are not told.
            previous_response_id: The response that the run goes on from.
            conversation_id: The conversation that the run is part of.
            session: What the run goes on from, and is kept in.
            failure_error_function: Gives the model's text for what the run raises; None lets it end the run around it.
            needs_approval: Whether a call waits for somebody's yes, or a function that says so of each.
            parameters: The type of the tool's arguments, a dataclass or pydantic model; None is one text, `input`.
            input_builder: Makes the input of the run from the arguments.
            include_input_schema: Whether the input of the run has the schema of the arguments beside them.
            on_stream_max_pending_events: How many events may wait for it before the run waits; None is any number.

        Raises:
            UserError: there can be no such tool.
            TypeError: `parameters` is neither a dataclass nor a pydantic model.
        """
        # Only agents that are tools pay for it.
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
            UserError: the function `instructions` gave no text.
        """
        if not callable(self.instructions):
            return self.instructions
        given: Any = self.instructions(run_context, self)
        if inspect.isawaitable(given):
            given = await given
        if not (given is None or isinstance(given, str)):
            raise UserError(f"Agent.instructions of {self.name!r} returned a {type(given).__name__}, not a text")
        return given

    async def get_prompt(self, run_context: RunContextWrapper[TContext]) -> dict[str, Any] | None:
        """Return the prompt object for a turn of this run, as the Responses API has it.

        Raises:
            UserError: it is no prompt.
        """
        # Only agents with a prompt pay for it.
        from .prompts import prompt_of

        return await prompt_of(self, run_context)

    async def get_mcp_tools(self, run_context: RunContextWrapper[TContext]) -> list[Tool]:
        """Return the tools of the MCP servers, as they are in this run.

        Raises:
            UserError: a server is not connected, or two tools have the same name.
            ServiceUnavailableError: a server cannot be reached.
        """
        if not self.mcp_servers:
            return []
        # Only agents with servers pay for it.
        from agentctl.agent.mcp.tools import mcp_tools_of

        return await mcp_tools_of(self, run_context)

    async def get_all_tools(self, run_context: RunContextWrapper[TContext]) -> list[Tool]:
        """Return the tools of the MCP servers, and its own that are enabled in this run."""
        return await self.get_mcp_tools(run_context) + [
            tool
            for tool in self.tools
            if not isinstance(tool, FunctionTool)
            or tool.is_enabled is True
            or await is_enabled(tool.is_enabled, run_context, self)
        ]


def _check_tool(given: object, agent_name: str) -> None:
    # 3 ms that an agent with function tools alone does not pay.
    from agentctl.agent.tools.api_tool import ApiTool

    if isinstance(given, ApiTool):
        return
    way_out = "as_tool makes one of an agent" if isinstance(given, Agent) else "@function_tool makes one of a function"
    raise TypeError(f"Agent.tools of {agent_name!r} has {_described(given)}, which is no tool: {way_out}")


def _check_handoff(given: object, agent_name: str) -> None:
    # 3 ms that an agent without handoffs of its own making does not pay.
    from .handoff import Handoff

    if not isinstance(given, Handoff):
        raise TypeError(f"Agent.handoffs of {agent_name!r} has {_described(given)}; it takes agents and handoffs")


def _described(given: object) -> str:
    name = given.name if isinstance(given, Agent) else getattr(given, "__name__", None)
    return f"a {type(given).__name__}{f' {name!r}' if isinstance(name, str) else ''}"


if TYPE_CHECKING:
    AgentBase: TypeAlias = Agent[TContext]
    """The Agents SDK's name of what its kinds of agents have in common; here there is one kind."""
else:
    AgentBase = Agent  # Which `isinstance` takes, unlike the alias.
