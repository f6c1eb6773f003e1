"""The context of a tool call, and its span's record of a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentctl.agent.context import ToolContext
from agentctl.tracing.current import get_current_span

if TYPE_CHECKING:
    from agentctl.agent.context import OnProgress
    from agentctl.run.active_run import ActiveRun
    from agentctl.run.journal import JournalScope
    from agentctl.run.tools.calls import FunctionCall

    from .local import LocalCall


def tool_context(call: FunctionCall | LocalCall, run: ActiveRun) -> ToolContext[Any]:
    """Return the context of a call."""
    return ToolContext(
        run.context.context,
        run.context.usage,
        call.tool.name,
        call.call_id,
        call.arguments,
        call.item,
        turn_input=run.context.turn_input,
        tool_input=run.context.tool_input,
        agent=run.agent,
        run_config=run.config,
        run_agent=run.spec.run_agent,
        approvals=run.context.approvals,
        nested_runs=run.turn.nested_runs,
        budget=run.spec.budget,
        on_progress=_progress_reporter(call, run),
    )


def call_scope(call: FunctionCall | LocalCall, journal: JournalScope, run: ActiveRun) -> JournalScope:
    """Return the part of the run's journal for a call; of calls with the same id, each gets its own as it starts."""
    return journal.inner(f"turn {run.turn.number} {call.call_id}")


def _progress_reporter(call: FunctionCall | LocalCall, run: ActiveRun) -> OnProgress | None:
    if run.report is None:
        return None
    # 1 ms that a run whose events are not read does not pay.
    from .reports import progress_reporter

    return progress_reporter(call, run.report, run)


def record_failure(error: BaseException, run: ActiveRun) -> None:
    """Record on the span of the tool call a failure that only the model is told of."""
    span = get_current_span()
    if span is not None and span.span_data.type == "function":
        data = {"error": str(error)} if run.config.trace_include_sensitive_data else None
        span.set_error({"message": type(error).__name__, "data": data})
