"""A tool call under way: what the tool is handed of the run, and the mark of a failure that the run does not see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentctl.agent.context import ToolContext
from agentctl.tracing.current import get_current_span

if TYPE_CHECKING:
    from agentctl.run.active_run import Progress
    from agentctl.run.tools.calls import FunctionCall


def tool_context(call: FunctionCall, progress: Progress) -> ToolContext[Any]:
    """Return the context of a call."""
    return ToolContext(
        progress.context.context,
        progress.context.usage,
        call.tool.name,
        call.call_id,
        call.arguments,
        call.item,
        turn_input=progress.context.turn_input,
        tool_input=progress.context.tool_input,
        agent=progress.agent,
        run_config=progress.config,
        run_agent=progress.run_agent,
        approvals=progress.context.approvals,
        paused=progress.paused,
        budget=progress.budget,
    )


def mark_failed(error: BaseException, progress: Progress) -> None:
    """Let the span of the tool call show what the model is told in a text, and the run does not see at all."""
    span = get_current_span()
    if span is not None and span.span_data.type == "function":
        data = {"error": str(error)} if progress.config.trace_include_sensitive_data else None
        span.set_error({"message": type(error).__name__, "data": data})
