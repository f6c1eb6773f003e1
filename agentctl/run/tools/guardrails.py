"""The guardrails of tools at work: each asked in turn, what it said kept for the results of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentctl.agent.context import ToolContext
from agentctl.agent.tools.guardrails import (
    ToolInputGuardrailData,
    ToolInputGuardrailResult,
    ToolOutputGuardrailData,
    ToolOutputGuardrailResult,
)
from agentctl.agent.tools.tool import FunctionTool
from agentctl.errors import ToolInputGuardrailTripwireTriggered, ToolOutputGuardrailTripwireTriggered

if TYPE_CHECKING:
    from agentctl.run.active_run import ActiveRun


async def objection_to_call(tool: FunctionTool, context: ToolContext[Any], run: ActiveRun) -> str | None:
    """Return what the model reads in place of an output, if a guardrail does not let the tool be called.

    Raises:
        ToolInputGuardrailTripwireTriggered: a guardrail stopped the run.
    """
    for guardrail in tool.tool_input_guardrails or ():
        output = await guardrail.run(ToolInputGuardrailData(context, run.agent))
        run.results.tool_input_guardrail_results.append(ToolInputGuardrailResult(guardrail, output))
        behavior = output.behavior
        if behavior["type"] == "raise_exception":
            raise ToolInputGuardrailTripwireTriggered(guardrail, output)
        if behavior["type"] == "reject_content":
            return behavior["message"]
    return None


async def checked_output(tool: FunctionTool, context: ToolContext[Any], output: Any, run: ActiveRun) -> Any:
    """Return the output of a tool, or what the model reads in its place if a guardrail does not let it through.

    Raises:
        ToolOutputGuardrailTripwireTriggered: a guardrail stopped the run.
    """
    for guardrail in tool.tool_output_guardrails or ():
        said = await guardrail.run(ToolOutputGuardrailData(context, run.agent, output))
        run.results.tool_output_guardrail_results.append(ToolOutputGuardrailResult(guardrail, said))
        behavior = said.behavior
        if behavior["type"] == "raise_exception":
            raise ToolOutputGuardrailTripwireTriggered(guardrail, said)
        if behavior["type"] == "reject_content":
            return behavior["message"]
    return output
