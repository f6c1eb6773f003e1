"""The spans of a run: one for the run, each agent, turn, model call, tool call, handoff and guardrail, or none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from agentctl.agent.ports import Model, ModelRequest, ModelTracing
from agentctl.agent.wire import JSONValue
from agentctl.tracing.process import is_tracing_heard

if TYPE_CHECKING:
    from agentctl.agent.run_config import RunConfig
    from agentctl.run.active_run import Progress
    from agentctl.run.tools.calls import FunctionCall
    from agentctl.run.tools.local import LocalCall


class Spans:
    """What the loop tells of a run that nobody traces: it goes nowhere."""

    @property
    def model_tracing(self) -> ModelTracing:
        """How much a model may trace of a call."""
        return ModelTracing.DISABLED

    def run(self, progress: Progress) -> AbstractContextManager[None]:
        """Be in the trace of a run, and in the spans of the run and its agent."""
        return nullcontext()

    def begin_turn(self, progress: Progress) -> None:
        """End the turn that went before, if there was one, and begin the one at hand; a new agent has a new span."""

    def end_turn(self, progress: Progress) -> None:
        """End the turn at hand: what follows, such as a guardrail of the output, is part of the agent alone."""

    def model_call(self, model: Model, request: ModelRequest) -> AbstractContextManager[Callable[[JSONValue], None]]:
        """Be in the span of a model call; it gives a function that takes the response, as JSON."""
        return nullcontext(_ignore)

    def tool_call(self, call: FunctionCall | LocalCall) -> AbstractContextManager[Callable[[str], None]]:
        """Be in the span of a tool call; it gives a function that takes the output."""
        return nullcontext(_ignore)

    def handoff(self, source: str, targets: list[str]) -> AbstractContextManager[None]:
        """Be in the span of a handoff to the first of the agents that were asked for."""
        return nullcontext()

    def guardrail(self, name: str) -> AbstractContextManager[Callable[[bool], None]]:
        """Be in the span of a guardrail that checks; it gives a function that takes whether the tripwire triggered."""
        return nullcontext(_ignore)


def spans_for(config: RunConfig) -> Spans:
    """Return what traces a run, as its configuration and the process want it."""
    if config.tracing_disabled or not is_tracing_heard((config.tracing or {}).get("api_key")):
        return Spans()
    # 5 ms that a run without tracing does not pay.
    from .recorded import RecordedSpans

    return RecordedSpans(config)


def _ignore(_: Any) -> None:
    pass
