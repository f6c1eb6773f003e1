"""Whether the tools of a turn gave the final output: the agent's `tool_use_behavior`, applied."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from agentctl.agent.tool_output import output_text
from agentctl.agent.tool_use import FunctionToolResult, ToolsToFinalOutputResult
from agentctl.errors import UserError

if TYPE_CHECKING:
    from .progress import Progress

_RUN_AGAIN = ToolsToFinalOutputResult(is_final_output=False)


async def final_output_of(results: list[FunctionToolResult], progress: Progress) -> ToolsToFinalOutputResult:
    """Return whether the run ends with what these tools gave, and with which output.

    An agent without an output type gives a text: the one that the model would have read.

    Raises:
        UserError: the function `tool_use_behavior` returned something else.
    """
    if not results or progress.agent.tool_use_behavior == "run_llm_again":
        return _RUN_AGAIN
    decided = await _decided(results, progress)
    if decided.is_final_output and progress.agent.output_type in (None, str):
        return ToolsToFinalOutputResult(is_final_output=True, final_output=output_text(decided.final_output))
    return decided


async def _decided(results: list[FunctionToolResult], progress: Progress) -> ToolsToFinalOutputResult:
    behavior = progress.agent.tool_use_behavior
    if isinstance(behavior, str):
        return ToolsToFinalOutputResult(is_final_output=True, final_output=results[0].output)
    if isinstance(behavior, dict):
        names = behavior.get("stop_at_tool_names", ())
        stopping = next((result for result in results if result.tool.name in names), None)
        return _RUN_AGAIN if stopping is None else ToolsToFinalOutputResult(True, stopping.output)
    decided = behavior(progress.context, results)
    if inspect.isawaitable(decided):
        decided = await decided
    if not isinstance(decided, ToolsToFinalOutputResult):
        raise UserError(
            f"agent {progress.agent.name!r}: the function tool_use_behavior returned a {type(decided).__name__}, "
            "not a ToolsToFinalOutputResult"
        )
    return decided
