"""The spans of a run: one each for the run, an agent, a turn, a model call, a tool call, a handoff, a guardrail."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from agentctl.agent.ports import Model, ModelRequest, ModelTracing

if TYPE_CHECKING:
    from agentctl.agent.events import Notice, RetryScheduled
    from agentctl.agent.wire import WireEvent
    from agentctl.run.active_run import ActiveRun
    from agentctl.run.tools.calls import FunctionCall
    from agentctl.run.tools.local import LocalCall


class ModelCallRecord(Protocol):
    """Takes what a model call yields."""

    def observe(self, event: WireEvent | Notice) -> bool:
        """Take an event; return whether the next one matters, too: the first token and retries do."""
        ...

    def finish(self, response: dict[str, Any]) -> None:
        """Take the response, as JSON."""
        ...


class Spans(Protocol):
    """Receives each step of a run as the loop takes it."""

    @property
    def model_tracing(self) -> ModelTracing:
        """The level of detail at which a model may trace a call."""
        ...

    def run(self, run: ActiveRun) -> AbstractContextManager[None]:
        """Enter the trace of a run, and the spans of the run and its agent."""
        ...

    def begin_turn(self, run: ActiveRun) -> None:
        """End the previous turn, if there was one, and begin the current one; a new agent gets a new span."""
        ...

    def end_turn(self, run: ActiveRun) -> None:
        """End the current turn: what follows, such as a guardrail of the output, is part of the agent alone."""
        ...

    def fail_turn(self, message: str, error: Exception) -> None:
        """Record an error of the current turn, which ends the run."""
        ...

    def model_call(self, model: Model, request: ModelRequest) -> AbstractContextManager[ModelCallRecord]:
        """Enter the span of a model call; yields what takes its events and its response."""
        ...

    def retry_wait(self, notice: RetryScheduled) -> AbstractContextManager[None]:
        """Enter the span of the wait before a model is called again."""
        ...

    def tool_call(self, call: FunctionCall | LocalCall) -> AbstractContextManager[Callable[[str], None]]:
        """Enter the span of a tool call; yields a function that takes the output."""
        ...

    def handoff(self, source: str, targets: list[str]) -> AbstractContextManager[None]:
        """Enter the span of a handoff to the first of the agents that the model asked for."""
        ...

    def guardrail(self, name: str) -> AbstractContextManager[Callable[[bool], None]]:
        """Enter the span of a guardrail; yields a function that takes whether its tripwire triggered."""
        ...


class NullRecord:
    """The record of a model call that is not traced."""

    def observe(self, event: WireEvent | Notice) -> bool:
        """Do nothing."""
        return False

    def finish(self, response: dict[str, Any]) -> None:
        """Do nothing."""


NULL_RECORD = NullRecord()


class NullSpans:
    """The spans of a run that is not traced."""

    @property
    def model_tracing(self) -> ModelTracing:
        """Models trace nothing."""
        return ModelTracing.DISABLED

    def run(self, run: ActiveRun) -> AbstractContextManager[None]:
        """Do nothing."""
        return nullcontext()

    def begin_turn(self, run: ActiveRun) -> None:
        """Do nothing."""

    def end_turn(self, run: ActiveRun) -> None:
        """Do nothing."""

    def fail_turn(self, message: str, error: Exception) -> None:
        """Do nothing."""

    def model_call(self, model: Model, request: ModelRequest) -> AbstractContextManager[ModelCallRecord]:
        """Do nothing."""
        return nullcontext(NULL_RECORD)

    def retry_wait(self, notice: RetryScheduled) -> AbstractContextManager[None]:
        """Do nothing."""
        return nullcontext()

    def tool_call(self, call: FunctionCall | LocalCall) -> AbstractContextManager[Callable[[str], None]]:
        """Do nothing."""
        return nullcontext(_ignore)

    def handoff(self, source: str, targets: list[str]) -> AbstractContextManager[None]:
        """Do nothing."""
        return nullcontext()

    def guardrail(self, name: str) -> AbstractContextManager[Callable[[bool], None]]:
        """Do nothing."""
        return nullcontext(_ignore)


def _ignore(_: object) -> None:
    pass
