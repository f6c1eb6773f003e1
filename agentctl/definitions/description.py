"""Descriptions of agents as JSON, made without running them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent, has_default_settings
from agentctl.agent.guardrail import InputGuardrail, OutputGuardrail
from agentctl.agent.handoff import Handoff, handoff
from agentctl.agent.output import output_schema
from agentctl.agent.tools.tool import FunctionTool
from agentctl.agent.wire import JSONValue

if TYPE_CHECKING:
    from agentctl.agent.tools.hosted_tools import Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailDescription:
    """A guardrail of an agent."""

    stage: str
    """`input` or `output`."""
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDescription:
    """The output type of an agent."""

    name: str
    strict: bool
    schema: Mapping[str, JSONValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDescription:
    """An agent as data; tools and handoffs are in the form of `describe_tool` and `handoff_json`."""

    name: str
    instructions: str | None
    instructions_function: str | None
    model: str | None
    model_settings: Mapping[str, JSONValue]
    tools: Sequence[dict[str, JSONValue]]
    mcp_servers: Sequence[str]
    handoffs: Sequence[dict[str, JSONValue]]
    guardrails: Sequence[GuardrailDescription]
    output_type: OutputDescription | None
    """None for text."""

    def to_json(self) -> dict[str, JSONValue]:
        """Return the description as JSON."""
        return asdict(self)


def describe_agent(agent: Agent[Any]) -> AgentDescription:
    """Return the name, instructions, model, settings, tools, servers, handoffs, guardrails and output type of an agent.

    MCP servers are not started, so their tools are not included.

    Raises:
        UserError: the output type has no JSON schema, or none that is valid in strict mode.
    """
    instructions = agent.instructions
    schema = output_schema(agent.output_type)
    settings = {} if has_default_settings(agent) else agent.model_settings.to_json_dict()
    return AgentDescription(
        name=agent.name,
        instructions=instructions if isinstance(instructions, str) else None,
        instructions_function=_name_of(instructions) if callable(instructions) else None,
        model=model_of(agent),
        model_settings={name: value for name, value in settings.items() if value is not None},
        tools=[describe_tool(tool) for tool in agent.tools],
        mcp_servers=[server.name for server in agent.mcp_servers],
        handoffs=[handoff_json(each) for each in handoffs_of(agent)],
        guardrails=[
            *(GuardrailDescription(stage="input", name=guardrail_name(each)) for each in agent.input_guardrails),
            *(GuardrailDescription(stage="output", name=guardrail_name(each)) for each in agent.output_guardrails),
        ],
        output_type=None
        if schema is None or schema.is_plain_text()
        else OutputDescription(name=schema.name(), strict=schema.is_strict_json_schema(), schema=schema.json_schema()),
    )


def model_of(agent: Agent[Any]) -> str | None:
    """Return the name of the agent's own model, or the class name of a model object; None if it has none."""
    return agent.model if agent.model is None or isinstance(agent.model, str) else type(agent.model).__name__


def describe_tool(tool: Tool) -> dict[str, JSONValue]:
    """Return the tool as JSON, with whether its calls need approval or the function that decides it."""
    needs_approval = tool.needs_approval
    return {
        **tool_json(tool),
        "needs_approval": needs_approval if isinstance(needs_approval, bool) else None,
        "needs_approval_function": _name_of(needs_approval) if callable(needs_approval) else None,
    }


def tool_json(tool: Tool) -> dict[str, JSONValue]:
    """Return a tool as the model sees it; a hosted tool in its API form."""
    if not isinstance(tool, FunctionTool):
        return {"name": tool.name, **tool.to_wire()}
    return {
        "name": tool.name,
        "description": tool.description,
        "strict": tool.strict_json_schema,
        "parameters": tool.params_json_schema,
    }


def handoffs_of(agent: Agent[Any]) -> list[Handoff[Any, Any]]:
    """Return the handoffs of an agent, with plain agents converted to handoffs."""
    return [each if isinstance(each, Handoff) else handoff(each) for each in agent.handoffs]


def handoff_json(target: Handoff[Any, Any]) -> dict[str, JSONValue]:
    """Return a handoff as the model sees it, with its target agent."""
    return {
        "name": target.tool_name,
        "agent": target.agent_name,
        "description": target.tool_description,
        "strict": target.strict_json_schema,
        "parameters": target.input_json_schema,
    }


def guardrail_name(guardrail: object) -> str:
    """Return the name of a guardrail, or of an invalid object in its place."""
    return guardrail.get_name() if isinstance(guardrail, InputGuardrail | OutputGuardrail) else _name_of(guardrail)


def _name_of(function: object) -> str:
    # A partial or a callable object has no name of its own.
    return str(getattr(function, "__qualname__", type(function).__name__))
