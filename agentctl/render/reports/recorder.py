"""Records what a report says about a run, from its events."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agentctl.agent.events import ModelRequested, RunEvent, RunFinished, RunItemStreamEvent, RunStarted
from agentctl.agent.items.run_items import HandoffCallItem, ToolCallItem
from agentctl.errors import ModelBehaviorError, Outcome, exit_for
from agentctl.render.json_value import to_json
from agentctl.render.tools import ToolNames, failed_output

from .report import ReportedRun, ToolSummary, place_of

if TYPE_CHECKING:
    from agentctl.render.notes import CostOf

_FAILURES = frozenset(
    {
        Outcome.COMPLETED,
        Outcome.INVALID_OUTPUT,
        Outcome.GUARDRAIL,
        Outcome.MAX_TURNS,
        Outcome.BUDGET,
        Outcome.DENIED,
        Outcome.SUSPENDED,
        Outcome.REFUSED,
    }
)
"""Outcomes of the agent's work; with the others, it could not do it."""


class RunRecorder:
    """Observes the events of a run, and returns it as a report shows it."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._names = ToolNames()
        self._calls: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._model: str | None = None

    def observe(self, event: RunEvent) -> None:
        """Record a model or a tool call."""
        match event:
            case RunStarted(calls=calls):
                self._names.remember(calls)
            case ModelRequested(model=model):
                self._model = model
            case RunItemStreamEvent(item=(ToolCallItem() | HandoffCallItem()) as item):
                self._calls[self._names.call_name(item)] += 1
            case _:
                output = failed_output(event)
                if output is not None:
                    self._failed[self._names.output_name(output) or "tool"] += 1

    def run(
        self,
        end: RunFinished,
        *,
        name: str,
        error: str | None,
        cost_of: CostOf,
        trace_file: Path | None = None,
    ) -> ReportedRun:
        """Return the run that ended with `end`; `error` is the message about its failure."""
        row = exit_for(end.error)
        reply = end.error.reply if isinstance(end.error, ModelBehaviorError) else None
        return ReportedRun(
            name=name,
            outcome=row.outcome.value,
            exit_code=row.code,
            is_error=row.outcome not in _FAILURES,
            seconds=self._clock() - self._started,
            text=final_text(end.final_output) if end.final_output is not None else reply or "",
            agent=None if end.agent is None else end.agent.name,
            model=self._model,
            tools=tuple(ToolSummary(name=name, calls=n, failed=self._failed[name]) for name, n in self._calls.items()),
            usage=end.usage,
            cost=cost_of(end.usage),
            error=error,
            place=place_of(end.error, Path.cwd()),
            trace_id=end.trace_id,
            trace_file=trace_file,
        )


def final_text(output: object) -> str:
    """Return a final output as text: a value that is none is JSON."""
    if output is None:
        return ""
    return output if isinstance(output, str) else to_json(output)
