"""What guardrails found, as JSON and back: each found again by its name, among those of the agents."""

from __future__ import annotations

from typing import Any

from agentctl.agent.agent import Agent
from agentctl.agent.guardrail import GuardrailFunctionOutput, InputGuardrail, InputGuardrailResult
from agentctl.agent.tool import FunctionTool
from agentctl.agent.tool_guardrails import (
    ToolGuardrailFunctionOutput,
    ToolInputGuardrail,
    ToolInputGuardrailResult,
    ToolOutputGuardrail,
    ToolOutputGuardrailResult,
)
from agentctl.agent.wire import JSONValue

from .progress import Progress
from .state_items import plain
from .state_reader import Fields


def guardrails_json(progress: Progress) -> dict[str, JSONValue]:
    """Return what guardrails found so far; those of the final output come after everything that a state can hold."""
    return {
        "input": [
            {
                "name": result.guardrail.get_name(),
                "output_info": plain(result.output.output_info),
                "tripwire_triggered": result.output.tripwire_triggered,
            }
            for result in progress.input_guardrail_results
        ],
        "tool_input": [_tool_json(result) for result in progress.tool_input_guardrail_results],
        "tool_output": [_tool_json(result) for result in progress.tool_output_guardrail_results],
    }


def read_guardrails(fields: Fields, progress: Progress, agents: list[Agent[Any]]) -> None:
    """Give a run what its guardrails had found; a guardrail that is gone has one in its place that checks nothing."""
    tools = [tool for agent in agents for tool in agent.tools if isinstance(tool, FunctionTool)]
    inputs = {one.get_name(): one for agent in agents for one in agent.input_guardrails}
    of_calls = {one.get_name(): one for tool in tools for one in tool.tool_input_guardrails or ()}
    of_outputs = {one.get_name(): one for tool in tools for one in tool.tool_output_guardrails or ()}
    for found in fields.inners("input"):
        name = found.text("name")
        output = GuardrailFunctionOutput(found.value("output_info"), found.flag("tripwire_triggered"))
        progress.input_guardrail_results.append(
            InputGuardrailResult(inputs.get(name) or InputGuardrail(_nothing, name), output)
        )
    for found in fields.inners("tool_input"):
        name = found.text("name")
        progress.tool_input_guardrail_results.append(
            ToolInputGuardrailResult(of_calls.get(name) or ToolInputGuardrail(_allowed, name), _tool_output(found))
        )
    for found in fields.inners("tool_output"):
        name = found.text("name")
        progress.tool_output_guardrail_results.append(
            ToolOutputGuardrailResult(of_outputs.get(name) or ToolOutputGuardrail(_allowed, name), _tool_output(found))
        )


def _tool_json(result: ToolInputGuardrailResult | ToolOutputGuardrailResult) -> dict[str, JSONValue]:
    message = result.output.behavior.get("message")
    return {
        "name": result.guardrail.get_name(),
        "output_info": plain(result.output.output_info),
        "message": message if isinstance(message, str) else None,
    }


def _tool_output(found: Fields) -> ToolGuardrailFunctionOutput:
    info, message = found.value("output_info"), found.optional("message", str)
    if message is None:
        return ToolGuardrailFunctionOutput.allow(info)
    return ToolGuardrailFunctionOutput.reject_content(message, info)


def _nothing(*_: Any) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(None, False)


def _allowed(_: Any) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.allow()
