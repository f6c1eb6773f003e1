"""Static checks of agents: errors and warnings found without running them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.guardrail import InputGuardrail, OutputGuardrail
from agentctl.agent.json_schema import JSONSchemaOutput
from agentctl.agent.output import output_schema
from agentctl.agent.tools.tool import FunctionTool
from agentctl.errors import UserError
from agentctl.models.multi_provider import MultiProvider
from agentctl.net.endpoint import NO_KEY

from .description import guardrail_name, handoffs_of
from .reachable import reachable_agents

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_CHOICES = ("auto", "required", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error that would fail a run, or a warning."""

    message: str
    is_fatal: bool = True


def problems_of(agent: Agent[Any]) -> list[Problem]:
    """Return the problems of an agent, in the order of its fields."""
    return [
        *_check_model(agent),
        *_check_packages(agent),
        *_check_tools(agent),
        *_check_guardrails(agent),
        *_check_output(agent),
    ]


def _check_model(agent: Agent[Any]) -> Iterator[Problem]:
    if isinstance(agent.model, str):
        try:
            MultiProvider(openai_api_key=NO_KEY).get_model(agent.model)
        except UserError as error:
            yield Problem(message=error.message)
    choice = agent.model_settings.tool_choice
    names = {*_CHOICES, *(tool.name for tool in agent.tools), *(each.tool_name for each in handoffs_of(agent))}
    if isinstance(choice, str) and choice not in names:
        yield Problem(message=f"tool_choice is {choice!r}, but the agent has no such tool")


def _check_packages(agent: Agent[Any]) -> Iterator[Problem]:
    """Yield a problem for each package that the agent, or one that it can reach, needs and that is not installed."""
    agents = reachable_agents(agent)
    checks: list[Callable[[], None]] = []
    if any(isinstance(each.model, str) and each.model.startswith("local/") for each in agents):
        from agentctl.models.local.runtime import check_installed

        checks.append(check_installed)
    if any(each.mcp_servers for each in agents):
        from agentctl.mcp.package import check_mcp
        from agentctl.mcp.session_server import SessionServer

        if any(isinstance(server, SessionServer) for each in agents for server in each.mcp_servers):
            checks.append(check_mcp)
    for check in checks:
        try:
            check()
        except UserError as error:
            yield Problem(message=error.message)


def _check_tools(agent: Agent[Any]) -> Iterator[Problem]:
    functions = [tool for tool in agent.tools if isinstance(tool, FunctionTool)]
    for name, count in Counter(tool.name for tool in functions).items():
        if count > 1:
            yield Problem(
                message=f"{count} tools are named {name!r}; only the last enabled one is offered to the model; "
                "use `name_override` to rename a tool",
                is_fatal=False,
            )
    for tool in functions:
        yield from _check_function(tool)


def _check_function(tool: FunctionTool) -> Iterator[Problem]:
    if not _TOOL_NAME.fullmatch(tool.name):
        yield Problem(message=f"tool {tool.name!r}: the name must be up to 128 letters, digits, - and _")
    if not tool.description.strip():
        yield Problem(
            message=f"tool {tool.name!r} has no description; add a docstring, in TOML a `description`, that tells the "
            "model when to call it",
            is_fatal=False,
        )
    missing = [name for name, schema in _properties(tool) if not (isinstance(schema, dict) and "description" in schema)]
    if missing and tool.agent is None:
        yield Problem(
            message=f"tool {tool.name!r} does not describe {', '.join(missing)}; document arguments in the docstring, "
            "below `Args:`, in TOML with `description`",
            is_fatal=False,
        )


def _properties(tool: FunctionTool) -> list[tuple[str, Any]]:
    properties = tool.params_json_schema.get("properties", {})
    return list(properties.items()) if isinstance(properties, dict) else []


def _check_guardrails(agent: Agent[Any]) -> Iterator[Problem]:
    stages: tuple[tuple[str, type, list[Any]], ...] = (
        ("input", InputGuardrail, agent.input_guardrails),
        ("output", OutputGuardrail, agent.output_guardrails),
    )
    for stage, kind, guardrails in stages:
        for each in guardrails:
            if not isinstance(each, kind):
                yield Problem(message=f"{stage}_guardrails has {guardrail_name(each)}, which lacks @{stage}_guardrail")


def _check_output(agent: Agent[Any]) -> Iterator[Problem]:
    schema = output_schema(agent.output_type)
    if schema is None or schema.is_plain_text():
        return
    try:
        schema.json_schema()
        if isinstance(schema, JSONSchemaOutput):
            schema.check()
    except UserError as error:
        yield Problem(message=error.message)
