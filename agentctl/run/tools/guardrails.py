"""Runs the guardrails of a tool, one after the other, and records their results.

A verdict that stops the run is not among the results: the exception has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentctl.agent.context import ToolContext
from agentctl.agent.tape import current_tape
from agentctl.agent.tools.guardrails import (
    ToolInputGuardrailData,
    ToolInputGuardrailResult,
    ToolOutputGuardrailData,
    ToolOutputGuardrailResult,
)
from agentctl.agent.tools.tool import FunctionTool
from agentctl.errors import ToolInputGuardrailTripwireTriggered, ToolOutputGuardrailTripwireTriggered
from agentctl.log import logger

if TYPE_CHECKING:
    from agentctl.run.active_run import ActiveRun


async def check_call(tool: FunctionTool, context: ToolContext[Any], run: ActiveRun) -> str | None:
    """Return the text that the model reads instead of an output if a guardrail rejects the call, else None.

    Raises:
        ToolInputGuardrailTripwireTriggered: a guardrail stopped the run.
    """
    for guardrail in tool.tool_input_guardrails or ():
        output = await guardrail.run(ToolInputGuardrailData(context, run.agent))
        behavior = output.behavior
        _note_verdict("tool_input", guardrail.get_name(), tool, behavior["type"])
        logger.debug("input guardrail %s of tool %s: %s", guardrail.get_name(), tool.name, behavior["type"])
        if behavior["type"] == "raise_exception":
            raise ToolInputGuardrailTripwireTriggered(guardrail, output)
        run.results.tool_input_guardrail_results.append(ToolInputGuardrailResult(guardrail, output))
        if behavior["type"] == "reject_content":
            return behavior["message"]
    return None


async def check_tool_output(tool: FunctionTool, context: ToolContext[Any], output: Any, run: ActiveRun) -> Any:
    """Return the output of a tool, or the text that the model reads instead if a guardrail rejects it.

    Raises:
        ToolOutputGuardrailTripwireTriggered: a guardrail stopped the run.
    """
    for guardrail in tool.tool_output_guardrails or ():
        verdict = await guardrail.run(ToolOutputGuardrailData(context, run.agent, output))
        behavior = verdict.behavior
        _note_verdict("tool_output", guardrail.get_name(), tool, behavior["type"])
        logger.debug("output guardrail %s of tool %s: %s", guardrail.get_name(), tool.name, behavior["type"])
        if behavior["type"] == "raise_exception":
            raise ToolOutputGuardrailTripwireTriggered(guardrail, verdict)
        run.results.tool_output_guardrail_results.append(ToolOutputGuardrailResult(guardrail, verdict))
        if behavior["type"] == "reject_content":
            return behavior["message"]
    return output


def _note_verdict(stage: str, name: str, tool: FunctionTool, behavior: str) -> None:
    if (tape := current_tape()) is not None:
        tape.note("guardrail", stage=stage, name=name, tool=tool.name, behavior=behavior)
