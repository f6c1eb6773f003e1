"""Records a case from the events of its runs: what is compared with the expectations, and a timeline."""

from __future__ import annotations

import json
import time
from dataclasses import field
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.agent.events import (
    ApprovalRequired,
    GuardrailChecked,
    ModelRequested,
    ModelResponded,
    RetryScheduled,
    RunEvent,
    RunFinished,
    RunItemStreamEvent,
    Warned,
)
from agentctl.agent.items.run_items import HandoffCallItem, HandoffOutputItem, ToolCallItem, ToolCallOutputItem
from agentctl.errors import Outcome, exit_for
from agentctl.prices.cost import Cost, cost_of
from agentctl.prices.prices import Prices
from agentctl.redaction import redact_text
from agentctl.render.reports.recorder import RunRecorder, final_text
from agentctl.render.tools import ToolNames

from .expectations import CalledTool, Observed

_LONGEST = 120
"""Characters of a text in a line of the timeline."""


@dataclass(slots=True)
class CaseObserver:
    """Observes the runs of one attempt at a case."""

    recorder: RunRecorder = field(default_factory=RunRecorder)
    tools: list[CalledTool] = field(default_factory=list)
    handoffs: list[str] = field(default_factory=list)
    timeline: list[str] = field(default_factory=list)
    turns: int = 0
    tokens: int = 0
    cost: Cost | None = None
    _names: ToolNames = field(default_factory=ToolNames)
    _started: float = field(default_factory=time.monotonic)

    def observe(self, event: RunEvent) -> None:
        """Record an event."""
        self.recorder.observe(event)
        match event:
            case ModelRequested(agent=agent, model=model):
                self.turns += 1
                self._add(f"{self.turns}. {agent.name} asks {model}")
            case ModelResponded(response=response):
                for item in response.wire_output:
                    if item.get("type") == "message":
                        self._add(f"   answer: {_message(item)}")
            case RunItemStreamEvent(item=(ToolCallItem() | HandoffCallItem()) as item):
                name = self._names.call_name(item)
                arguments = _arguments(item.wire)
                if isinstance(item, ToolCallItem):
                    self.tools.append(CalledTool(name=name, arguments=arguments))
                self._add(f"   calls {name}({arguments})")
            case RunItemStreamEvent(item=ToolCallOutputItem() as output):
                verb = "denied" if output.denied else "failed" if output.failed else "returned"
                self._add(f"   {self._names.output_name(output) or 'tool'} {verb}: {final_text(output.output)}")
            case RunItemStreamEvent(item=HandoffOutputItem() as handoff):
                self.handoffs.append(handoff.target_agent.name)
                self._add(f"   hands over to {handoff.target_agent.name}")
            case GuardrailChecked(name=name, tripwire_triggered=triggered):
                self._add(f"   guardrail {name}: {'stopped the run' if triggered else 'passed'}")
            case ApprovalRequired(item=item):
                self._add(f"   {item.name} needs approval")
            case RetryScheduled(error=error):
                self._add(f"   retry after: {error}")
            case Warned(message=message):
                self._add(f"   note: {message}")
            case _:
                pass

    def end_run(self, end: RunFinished, prices: Prices) -> None:
        """Record the end of a run."""
        self.tokens += end.usage.total_tokens
        cost = cost_of(end.usage, prices)
        self.cost = cost if self.cost is None else _sum(self.cost, cost)
        if end.error is not None:
            self._add(f"   {exit_for(end.error).outcome.value}: {end.error}")

    def result(self, end: RunFinished) -> Observed:
        """Return what was observed, once the last run has ended."""
        return Observed(
            error=end.error,
            final_output=end.final_output,
            text=final_text(end.final_output),
            tools=self.tools,
            handoffs=self.handoffs,
            turns=self.turns,
            tokens=self.tokens,
            usd=None if self.cost is None else self.cost.usd,
            seconds=time.monotonic() - self._started,
        )

    def _add(self, line: str) -> None:
        line = " ".join(redact_text(line).splitlines()) if line.strip() else line
        self.timeline.append(line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…")


def is_failure_of_case(end: RunFinished) -> bool:
    """Return whether a run has ended for a reason of its agent, rather than of its surroundings."""
    return exit_for(end.error).outcome not in (Outcome.MISCONFIGURED, Outcome.UNAUTHORIZED, Outcome.UNAVAILABLE)


def _sum(first: Cost, second: Cost) -> Cost:
    if first.usd is None or second.usd is None:
        return first if first.usd is None else second
    return Cost(first.usd + second.usd, second.basis)


def _message(item: dict[str, Any]) -> str:
    parts = item.get("content")
    texts = [part.get("text") or part.get("refusal") or "" for part in parts] if isinstance(parts, list) else []
    return json.dumps("".join(texts), ensure_ascii=False)


def _arguments(wire: dict[str, Any]) -> str:
    arguments = wire.get("arguments")
    if isinstance(arguments, str):
        return arguments
    action = wire.get("action") or wire.get("operation") or wire.get("input") or {}
    return json.dumps(action, ensure_ascii=False)
