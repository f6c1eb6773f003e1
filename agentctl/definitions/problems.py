"""What is wrong with an agent, or may be, found without running it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.guardrail import InputGuardrail, OutputGuardrail
from agentctl.agent.output import output_schema
from agentctl.agent.tools.tool import FunctionTool
from agentctl.errors import UserError
from agentctl.models.multi_provider import MultiProvider
from agentctl.net.endpoint import NO_KEY

from .description import guardrail_name, handoffs_of

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_CHOICES = ("auto", "required", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that a run would fail with, or that makes a model's work harder."""

    message: str
    is_fatal: bool = True


def problems_of(agent: Agent[Any]) -> list[Problem]:
    """Return what is wrong with an agent, in the order of its fields."""
    return [*_of_model(agent), *_of_tools(agent), *_of_guardrails(agent), *_of_output(agent)]


def _of_model(agent: Agent[Any]) -> Iterator[Problem]:
    if isinstance(agent.model, str):
        try:
            MultiProvider(openai_api_key=NO_KEY).get_model(agent.model)
        except UserError as error:
            yield Problem(message=error.message)
    choice = agent.model_settings.tool_choice
    names = {*_CHOICES, *(tool.name for tool in agent.tools), *(each.tool_name for each in handoffs_of(agent))}
    if isinstance(choice, str) and choice not in names:
        yield Problem(message=f"tool_choice names {choice!r}, and the agent has no such tool")


def _of_tools(agent: Agent[Any]) -> Iterator[Problem]:
    functions = [tool for tool in agent.tools if isinstance(tool, FunctionTool)]
    for name, count in Counter(tool.name for tool in functions).items():
        if count > 1:
            yield Problem(
                message=f"{count} tools are called {name!r}; the model is offered the last one that is enabled, "
                "and `name_override` gives one another name",
                is_fatal=False,
            )
    for tool in functions:
        yield from _of_function(tool)


def _of_function(tool: FunctionTool) -> Iterator[Problem]:
    if not _TOOL_NAME.fullmatch(tool.name):
        yield Problem(message=f"tool {tool.name!r}: a name has letters, digits, - and _, 128 at most")
    if not tool.description.strip():
        yield Problem(
            message=f"tool {tool.name!r} has no description; a docstring tells the model when to call it",
            is_fatal=False,
        )
    silent = [name for name, schema in _properties(tool) if not (isinstance(schema, dict) and "description" in schema)]
    if silent:
        yield Problem(
            message=f"tool {tool.name!r} does not say what is meant by {', '.join(silent)}; the docstring can "
            "(`Args:`)",
            is_fatal=False,
        )


def _properties(tool: FunctionTool) -> list[tuple[str, Any]]:
    properties = tool.params_json_schema.get("properties", {})
    return list(properties.items()) if isinstance(properties, dict) else []


def _of_guardrails(agent: Agent[Any]) -> Iterator[Problem]:
    stages: tuple[tuple[str, type, list[Any]], ...] = (
        ("input", InputGuardrail, agent.input_guardrails),
        ("output", OutputGuardrail, agent.output_guardrails),
    )
    for stage, kind, given in stages:
        for each in given:
            if not isinstance(each, kind):
                yield Problem(message=f"{stage}_guardrails has {guardrail_name(each)}, which lacks @{stage}_guardrail")


def _of_output(agent: Agent[Any]) -> Iterator[Problem]:
    schema = output_schema(agent.output_type)
    if schema is None or schema.is_plain_text():
        return
    try:
        schema.json_schema()
    except UserError as error:
        yield Problem(message=error.message)
