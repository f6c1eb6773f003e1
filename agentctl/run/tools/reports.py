"""Reports of running tool calls to the reader of a streamed run: their start, progress and end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from agentctl.agent.events import RunEvent, ToolFinished, ToolProgressed, ToolStarted
from agentctl.agent.items.run_items import ToolCallOutputItem
from agentctl.agent.tools.tool import FunctionToolResult

if TYPE_CHECKING:
    from agentctl.agent.context import OnProgress
    from agentctl.run.active_run import ActiveRun

    from .approvals import CallResult
    from .calls import FunctionCall
    from .local import LocalCall

Report: TypeAlias = Callable[[RunEvent], None]
"""Passes an event on to the reader."""


@contextmanager
def report_call(
    call: FunctionCall | LocalCall, report: Report, run: ActiveRun
) -> Iterator[Callable[[CallResult], None]]:
    """Report a call around its execution; yields a function that takes the result.

    A call that is cancelled, or that waits because a nested call needs approval, has no end.
    """
    agent, tool, call_id = run.agent, call.tool.name, call.call_id
    running, has_failed = run.turn.reported_calls, True

    def record_result(result: CallResult) -> None:
        nonlocal has_failed
        item = result.run_item if isinstance(result, FunctionToolResult) else result
        has_failed = isinstance(item, ToolCallOutputItem) and item.failed

    def report_end() -> None:
        seconds = time.monotonic() - began
        report(ToolFinished(agent=agent, tool=tool, call_id=call_id, failed=has_failed, seconds=seconds))

    running.add(call_id)
    report(ToolStarted(agent=agent, tool=tool, call_id=call_id))
    began = time.monotonic()
    try:
        yield record_result
    except Exception:
        report_end()
        raise
    else:
        if call_id not in run.turn.nested_runs:
            report_end()
    finally:
        running.discard(call_id)


def progress_reporter(call: FunctionCall | LocalCall, report: Report, run: ActiveRun) -> OnProgress:
    """Return what takes the progress of a call while it runs."""
    agent, tool, call_id = run.agent, call.tool.name, call.call_id
    running = run.turn.reported_calls

    def report_progress(progress: float | None, total: float | None, message: str | None) -> None:
        if call_id in running:
            report(
                ToolProgressed(
                    agent=agent,
                    tool=tool,
                    call_id=call_id,
                    progress=None if progress is None else float(progress),
                    total=None if total is None else float(total),
                    message=None if message is None else str(message),
                )
            )

    return report_progress
