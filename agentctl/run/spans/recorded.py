"""The recorded spans of a traced run, each below the span that it is part of."""

from __future__ import annotations

import time
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

from agentctl.agent.agent import Agent
from agentctl.agent.events import Notice, RetryScheduled
from agentctl.agent.items.run_items import ItemHelpers
from agentctl.agent.ports import Model, ModelRequest, ModelTracing, WireModel
from agentctl.agent.run_config import RunConfig
from agentctl.agent.usage import MeasuredResponse, Usage
from agentctl.agent.wire import WireEvent, WireItem
from agentctl.errors import IncompleteStreamError
from agentctl.tracing.create import TraceCtxManager, agent_span, guardrail_span, handoff_span, task_span
from agentctl.tracing.current import get_current_trace
from agentctl.tracing.process import get_trace_provider
from agentctl.tracing.span_data import (
    AgentSpanData,
    CustomSpanData,
    FunctionSpanData,
    GenerationSpanData,
    ResponseSpanData,
    TurnSpanData,
)
from agentctl.tracing.spans import Span, SpanError

from .spans import NULL_RECORD, ModelCallRecord

if TYPE_CHECKING:
    from agentctl.run.active_run import ActiveRun
    from agentctl.run.tools.calls import FunctionCall
    from agentctl.run.tools.local import LocalCall

_T = TypeVar("_T")

_UNCOUNTED = Usage(requests=1).to_wire()
"""The usage of a generation whose tokens the service did not count."""


class RecordedSpans:
    """Records the steps of a run as spans; with inputs and outputs only if the configuration allows them."""

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._has_data = config.trace_include_sensitive_data
        self._has_turns = (config.tracing or {}).get("include_task_and_turn_spans", True)
        self._described_agent: Agent[Any] | None = None
        self._is_undescribed = True
        self._agent: Span[AgentSpanData] | None = None
        self._turn: Span[TurnSpanData] | None = None
        self._make = get_trace_provider().create_span

    @property
    def model_tracing(self) -> ModelTracing:
        """The level of detail at which a model may trace a call."""
        return ModelTracing.ENABLED if self._has_data else ModelTracing.ENABLED_WITHOUT_DATA

    @contextmanager
    def run(self, run: ActiveRun) -> Iterator[None]:
        """Enter a new trace, unless there is a current one, and the spans of the run and its agent."""
        config = self._config
        known = None if config.trace_id else run.known_trace  # A resumed run stays in its trace.
        names = known or {
            "workflow_name": config.workflow_name,
            "id": config.trace_id,
            "group_id": config.group_id,
            "metadata": config.trace_metadata,
        }
        trace = TraceCtxManager(
            names["workflow_name"], names["id"], names["group_id"], names["metadata"], config.tracing, False
        )
        with trace, self._task(run):
            run.trace = get_current_trace()
            self._begin_agent(run)
            self._record_approvals(run)
            try:
                yield
            except (Exception, CancelledError) as error:
                self._fail(self._current_agent_span, error)
                raise
            finally:
                self.end_turn(run)
                self._current_agent_span.finish(reset_current=True)

    def begin_turn(self, run: ActiveRun) -> None:
        """End the previous turn, if there was one, and begin the current one; a new agent gets a new span."""
        self.end_turn(run)
        if run.agent is not self._described_agent:
            self._current_agent_span.finish(reset_current=True)
            self._begin_agent(run)
        if self._has_turns:
            self._turn = self._make(TurnSpanData(run.turn.number, run.agent.name))
            self._turn.start(mark_as_current=True)

    def end_turn(self, run: ActiveRun) -> None:
        """End the current turn, if there is one."""
        turn, self._turn = self._turn, None
        if turn is None:
            return
        if len(run.results.raw_responses) == turn.span_data.turn:
            turn.span_data.usage = _tokens(run.results.raw_responses[-1].usage)
        turn.finish(reset_current=True)

    def fail_turn(self, message: str, error: Exception) -> None:
        """Record an error of the current turn."""
        if self._turn is not None:
            self._fail(self._turn, error, message)

    def model_call(self, model: Model, request: ModelRequest) -> AbstractContextManager[ModelCallRecord]:
        """Enter the span of a model call; a custom model makes its own."""
        if self._is_undescribed:
            self._describe_agent(request)
        if not isinstance(model, WireModel):
            return nullcontext(NULL_RECORD)
        match model.traced_as:
            case "response":
                return self._response(model, request)
            case "generation":
                return self._generation(model, request)
            case None:
                return nullcontext(NULL_RECORD)
            case never:
                assert_never(never)

    def retry_wait(self, notice: RetryScheduled) -> AbstractContextManager[None]:
        """Enter the span of the wait before a retry."""
        data = {"attempt": notice.attempt, "max_retries": notice.max_retries, "error": type(notice.error).__name__}
        return _SpanScope(self._make(CustomSpanData("retry", data)), None, self._fail)

    def tool_call(self, call: FunctionCall | LocalCall) -> AbstractContextManager[Callable[[str], None]]:
        """Enter the span of a tool call."""
        data = FunctionSpanData(call.tool.name, call.arguments if self._has_data else None, None)

        def record_output(output: str) -> None:
            if self._has_data:
                data.output = output

        return _SpanScope(self._make(data), record_output, self._fail)

    @contextmanager
    def handoff(self, source: str, targets: list[str]) -> Iterator[None]:
        """Enter the span of a handoff to the first agent; further requested agents are recorded as its error."""
        span = handoff_span(source, targets[0])
        if len(targets) > 1:
            span.set_error(SpanError(message="Multiple handoffs requested", data={"requested_agents": targets}))
        with _SpanScope(span, _ignore, self._fail):
            yield

    def guardrail(self, name: str) -> AbstractContextManager[Callable[[bool], None]]:
        """Enter the span of a guardrail."""
        span = guardrail_span(name)
        data = span.span_data

        def record_verdict(triggered: bool) -> None:
            data.triggered = triggered

        return _SpanScope(span, record_verdict, self._fail)

    def _response(self, model: WireModel, request: ModelRequest) -> AbstractContextManager[ModelCallRecord]:
        data = ResponseSpanData(input=request.input if self._has_data else None)

        def record_response(response: dict[str, Any]) -> None:
            data.response = response if self._has_data else {"id": response.get("id")}
            data.usage = response.get("usage")

        return self._model_call(model, self._make(data), record_response, self._fail)

    def _generation(self, model: WireModel, request: ModelRequest) -> AbstractContextManager[ModelCallRecord]:
        traceable = request.model_settings.to_traceable_dict()
        settings = {name: value for name, value in traceable.items() if value is not None}
        messages = _messages(request) if self._has_data else None
        data = GenerationSpanData(messages, model=model.model_name, model_config=settings)

        def record_response(response: dict[str, Any]) -> None:
            if self._has_data:
                data.output = response.get("output")
            usage = response.get("usage")
            data.usage = {**usage, "requests": 1} if usage else _UNCOUNTED

        def fail(span: Span[Any], error: BaseException) -> None:
            if isinstance(error, IncompleteStreamError):
                data.usage = _UNCOUNTED
            self._fail(span, error)

        return self._model_call(model, self._make(data), record_response, fail)

    def _model_call(
        self,
        model: WireModel,
        span: Span[Any],
        record: Callable[[dict[str, Any]], None],
        fail: Callable[[Span[Any], BaseException], None],
    ) -> AbstractContextManager[ModelCallRecord]:
        url = model.endpoint_url
        span.details = {"model": model.model_name, "endpoint": url, "transport": None if url is None else "http"}
        return _SpanScope(span, _CallObserver(span.details, record), fail)

    def _record_approvals(self, run: ActiveRun) -> None:
        """Record the calls that waited for approval, from the end of the run's last part until now.

        Their spans began before the others of this part, and are directly in the trace.
        """
        for item in run.turn.interruptions:
            data = CustomSpanData("approval", {"tool": item.name or "", "call_id": item.call_id or ""})
            span = self._make(data, parent=run.trace)
            decision = run.context.approvals.find(item.name or "", item.call_id or "")
            span.details = {"approved": None if decision is None else decision.approved}
            began, now = run.turn.interrupted_at, time.time()
            span.start(at=None if began is None else min(began, now))  # Clocks may differ.
            span.finish()

    @contextmanager
    def _task(self, run: ActiveRun) -> Iterator[None]:
        if not self._has_turns:
            yield
            return
        with task_span(self._config.workflow_name) as span:
            try:
                yield
            finally:
                usage = run.context.usage
                span.span_data.usage = {
                    "requests": usage.requests,
                    **_tokens(usage),
                    "total_tokens": usage.total_tokens,
                }

    @property
    def _current_agent_span(self) -> Span[AgentSpanData]:
        assert self._agent is not None
        return self._agent

    def _begin_agent(self, run: ActiveRun) -> None:
        self._described_agent, self._is_undescribed = run.agent, True
        self._agent = agent_span(run.agent.name, handoffs=[])
        self._agent.start(mark_as_current=True)

    def _describe_agent(self, request: ModelRequest) -> None:
        self._is_undescribed = False
        data = self._current_agent_span.span_data
        data.handoffs = [handoff.agent_name for handoff in request.handoffs]
        data.tools = [tool.name for tool in request.tools]
        data.output_type = request.output_schema.name() if request.output_schema else "str"

    def _fail(self, span: Span[Any], error: BaseException, message: str | None = None) -> None:
        text = str(error) if self._has_data else ""
        span.set_error(SpanError(message=message or type(error).__name__, data={"error": text} if text else None))


class _CallObserver:
    """Records the first token and the retries of a model call, and its response."""

    __slots__ = ("_details", "_record", "_started")

    def __init__(self, details: dict[str, Any], record: Callable[[dict[str, Any]], None]) -> None:
        self._details = details
        self._record = record
        self._started = time.monotonic()

    def observe(self, event: WireEvent | Notice) -> bool:
        if isinstance(event, dict):
            if not str(event.get("type")).endswith(".delta"):
                return True
            self._details["first_token_seconds"] = time.monotonic() - self._started
            return False
        if isinstance(event, RetryScheduled):
            retry = {"attempt": event.attempt, "delay": event.delay, "error": type(event.error).__name__}
            self._details.setdefault("retries", []).append(retry)
        return True

    def finish(self, response: dict[str, Any]) -> None:
        if isinstance(response, MeasuredResponse) and response.transport is not None:
            self._details["transport"] = "websocket"
            self._details["websocket"] = asdict(response.transport)
        compactions = [item for item in response.get("output") or () if item.get("type") == "compaction"]
        if compactions:
            self._details["compactions"] = len(compactions)
        self._record(response)


class _SpanScope(AbstractContextManager[_T]):
    """Enters a span, which records a failure inside it; yields what takes the result.

    A class, since a generator would cost as much as the span.
    """

    __slots__ = ("_fail", "_record", "_span")

    def __init__(self, span: Span[Any], record: _T, fail: Callable[[Span[Any], BaseException], None]) -> None:
        self._span = span
        self._record = record
        self._fail = fail

    def __enter__(self) -> _T:
        self._span.start(mark_as_current=True)
        return self._record

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception | CancelledError):
            self._fail(self._span, error)
        self._span.finish(reset_current=True)


def _ignore(_: object) -> None:
    pass


def _messages(request: ModelRequest) -> list[WireItem]:
    instructions = request.system_instructions
    system = [{"role": "system", "content": instructions}] if instructions else []
    given = request.input
    return [*system, *(given if isinstance(given, list) else ItemHelpers.input_to_new_input_list(given))]


def _tokens(usage: Usage) -> dict[str, int]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_input_tokens": usage.input_tokens_details.cached_tokens,
        "cache_write_input_tokens": usage.input_tokens_details.cache_write_tokens,
    }
