"""What an agent is, as JSON: what can be told of it without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentctl.agent.agent import Agent
from agentctl.agent.guardrail import InputGuardrail, OutputGuardrail
from agentctl.agent.handoff import Handoff, handoff
from agentctl.agent.output import output_schema
from agentctl.agent.tools.tool import FunctionTool
from agentctl.agent.wire import JSONValue

if TYPE_CHECKING:
    from agentctl.agent.tools.hosted_tools import Tool


def describe_agent(agent: Agent[Any]) -> dict[str, JSONValue]:
    """Return name, instructions, model, settings, tools, MCP servers, handoffs, guardrails and output type of an agent.

    No server is started: which tools it has is known once an agent runs.

    Raises:
        UserError: the output type has no JSON schema, or none that strict mode can express.
    """
    instructions = agent.instructions
    schema = output_schema(agent.output_type)
    settings = agent.model_settings.to_json_dict()
    return {
        "name": agent.name,
        "instructions": instructions if isinstance(instructions, str) else None,
        "instructions_function": _name_of(instructions) if callable(instructions) else None,
        "model": model_of(agent),
        "model_settings": {name: value for name, value in settings.items() if value is not None},
        "tools": [describe_tool(tool) for tool in agent.tools],
        "mcp_servers": [server.name for server in agent.mcp_servers],
        "handoffs": [handoff_json(each) for each in handoffs_of(agent)],
        "guardrails": [
            *({"stage": "input", "name": guardrail_name(each)} for each in agent.input_guardrails),
            *({"stage": "output", "name": guardrail_name(each)} for each in agent.output_guardrails),
        ],
        "output_type": None
        if schema is None or schema.is_plain_text()
        else {"name": schema.name(), "strict": schema.is_strict_json_schema(), "schema": schema.json_schema()},
    }


def model_of(agent: Agent[Any]) -> str | None:
    """Return the name of the agent's own model, or its class where it is an object; None where it has none."""
    return agent.model if agent.model is None or isinstance(agent.model, str) else type(agent.model).__name__


def describe_tool(tool: Tool) -> dict[str, JSONValue]:
    """Return what the model is told of a tool, and whether its calls need approval, or which function says so."""
    needed = tool.needs_approval
    return {
        **tool_json(tool),
        "needs_approval": needed if isinstance(needed, bool) else None,
        "needs_approval_function": _name_of(needed) if callable(needed) else None,
    }


def tool_json(tool: Tool) -> dict[str, JSONValue]:
    """Return what the model is told of a tool; one that the API itself knows is as the API has it."""
    if not isinstance(tool, FunctionTool):
        return {"name": tool.name, **tool.to_wire()}
    return {
        "name": tool.name,
        "description": tool.description,
        "strict": tool.strict_json_schema,
        "parameters": tool.params_json_schema,
    }


def handoffs_of(agent: Agent[Any]) -> list[Handoff[Any, Any]]:
    """Return the handoffs of an agent, those that are given as agents too."""
    return [each if isinstance(each, Handoff) else handoff(each) for each in agent.handoffs]


def handoff_json(given: Handoff[Any, Any]) -> JSONValue:
    """Return what the model is told of a handoff, and whom it is to."""
    return {
        "name": given.tool_name,
        "agent": given.agent_name,
        "description": given.tool_description,
        "strict": given.strict_json_schema,
        "parameters": given.input_json_schema,
    }


def guardrail_name(given: object) -> str:
    """Return the name of a guardrail, or of what stands in the place of one."""
    return given.get_name() if isinstance(given, InputGuardrail | OutputGuardrail) else _name_of(given)


def _name_of(function: object) -> str:
    # A partial or an object that can be called has no name of its own.
    return str(getattr(function, "__qualname__", type(function).__name__))
