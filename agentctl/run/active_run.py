"""A run between two steps: its specification, history, current turn and results."""

from __future__ import annotations

from copy import copy, deepcopy
from dataclasses import field, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.items.run_items import RunItem, ToolCallOutputItem
from agentctl.agent.tools.tool import FunctionToolResult
from agentctl.agent.wire import WireItem
from agentctl.errors import UserError
from agentctl.log import logger

from .history import History, check_history_keepers, input_items
from .hooks import HookCalls
from .open_calls import NO_OUTPUT, answers_of_open_calls
from .results import Results
from .spans.select import spans_for
from .spec import RunSpec, check_max_turns, make_spec
from .turn import TurnState

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentctl.agent.approvals import Approvals
    from agentctl.agent.events import RunEvent
    from agentctl.agent.handoff import Handoff
    from agentctl.agent.lifecycle import RunHooks
    from agentctl.agent.ports import RunAgent
    from agentctl.agent.run_config import RunConfig
    from agentctl.agent.session import Session
    from agentctl.tracing.spans import Trace

    from .error_handlers import RunErrorHandlers
    from .spans.spans import Spans

_T = TypeVar("_T", History, TurnState, Results)


@dataclass(slots=True, kw_only=True)
class ActiveRun:
    """A run under way, owned by the loop, which continues from these values alone."""

    spec: RunSpec
    history: History
    turn: TurnState
    results: Results = field(default_factory=Results)
    trace: Trace | None = None
    """The trace that the run is in."""
    trace_json: dict[str, Any] | None = None
    """The trace that the run was in, where it resumes in another process."""
    cache_key: str | None = None
    """The key under which the service caches the prompts of the run, once it has one."""
    is_aborted: bool = False
    """Whether the run was ended from outside, in the middle of a turn."""
    stops_after_turn: bool = False
    """Whether the run ends after the current turn, because it was cancelled."""
    default_handoffs: dict[int, Handoff[Any, Any]] = field(default_factory=dict)
    """The handoffs made of plain agents in `Agent.handoffs`, by the agent's id."""
    report: Callable[[RunEvent], None] | None = None
    """Passes on an event of the tool calls that are running, from any thread; None if nothing reads the events."""
    warned: set[str] = field(default_factory=set)
    """Warnings that were logged and are not repeated."""
    spans: Spans = field(init=False)

    def __post_init__(self) -> None:
        self.spans = spans_for(self.spec.config)

    @property
    def agent(self) -> Agent[Any]:
        """The current agent."""
        return self.turn.agent

    @property
    def context(self) -> RunContextWrapper[Any]:
        """The context that hooks, tools and guardrails are given."""
        return self.spec.context

    @property
    def config(self) -> RunConfig:
        """The configuration of the run."""
        return self.spec.config

    @property
    def hook_calls(self) -> HookCalls:
        """Calls the hooks of the run and its agents; made on demand, so that the run does not refer to itself."""
        return HookCalls(self)

    def add(self, item: RunItem) -> None:
        """Append a new item, unless the run was aborted."""
        if not self.is_aborted:
            self.history.add(item)

    def abort(self) -> None:
        """End the run in the middle of a turn: open tool calls get an output that says so, later items are dropped."""
        self.answer_open_calls()
        if self.spec.memory is not None and not self.is_aborted:
            self.spec.memory.begin_to_save(self)
        self.is_aborted = True

    def answer_open_calls(self) -> None:
        """Give each call without an output its completed result, or an output that says there is none."""
        turn = self.turn
        completed = {
            call_id: result.run_item if isinstance(result, FunctionToolResult) else result
            for call_id, result in turn.completed_results.items()
        }
        for wire in answers_of_open_calls([item.to_input_item() for item in self.history.new_items]):
            call_id = str(wire["call_id"])
            self.context.approvals.spend(turn.agent.name, call_id)
            item = completed.pop(call_id, None)
            self.add(ToolCallOutputItem(turn.agent, wire, output=NO_OUTPUT) if item is None else item)
        for item in completed.values():
            self.add(item)
        for nested in turn.nested_runs.values():
            nested.answer_open_calls()
        turn.completed_results.clear()
        turn.nested_runs.clear()
        turn.interruptions = []

    def copy(self) -> ActiveRun:
        """Return an independent copy: items that are added to either are not in the other."""
        twin = copy(self)
        twin.report = None
        context = copy(self.context)
        context.usage = deepcopy(context.usage)
        twin.spec = replace(self.spec, context=context, memory=None)
        twin.history, twin.results = _copy_part(self.history), _copy_part(self.results)
        twin.history.share()
        twin.turn, twin.warned = _copy_part(self.turn), set(self.warned)
        twin.turn.nested_runs = {call_id: nested.copy() for call_id, nested in self.turn.nested_runs.items()}
        twin.share_approvals(self.context.approvals.copy())
        return twin

    def share_approvals(self, approvals: Approvals) -> None:
        """Use the approvals of the run around this one."""
        self.context.approvals = approvals
        for nested in self.turn.nested_runs.values():
            nested.share_approvals(approvals)

    def attach_to(self, fresh: ActiveRun) -> ActiveRun:
        """Return this run, resumed within the tool call that `fresh` was begun for."""
        self.spec = replace(fresh.spec, max_turns=self.spec.max_turns, error_handlers=self.spec.error_handlers)
        self.share_approvals(fresh.context.approvals)
        self.resume()
        return self

    def resume(self) -> None:
        """Make ready for the next step, under the current configuration."""
        self.spans = spans_for(self.config)
        self.history.reasoning_ids = self.config.reasoning_item_id_policy
        self.history.rebuild()
        self.results.has_ended, self.results.final_output = False, None
        self.is_aborted = self.stops_after_turn = False

    @property
    def known_trace(self) -> dict[str, Any] | None:
        """The trace that the run is in, or was, as JSON."""
        return self.trace_json if self.trace is None else self.trace.to_json()

    async def close(self) -> None:
        """Wait for pending saves, and close the provider if it was made for this run; a failure is logged."""
        try:
            if self.spec.memory is not None:
                await self.spec.memory.close()
        finally:
            if self.spec.owns_provider:
                try:
                    await self.config.model_provider.aclose()
                except Exception as error:
                    logger.warning("the model provider of a run was not closed: %s: %s", type(error).__name__, error)


def begin(
    agent: Agent[Any],
    input: str | list[WireItem],
    *,
    context: Any,
    max_turns: int | None,
    config: RunConfig | dict[str, Any] | None,
    hooks: RunHooks[Any] | None = None,
    error_handlers: RunErrorHandlers[Any] | None = None,
    run_agent: RunAgent | None = None,
    previous_response_id: str | None = None,
    auto_previous_response_id: bool = False,
    conversation_id: str | None = None,
    session: Session | None = None,
) -> ActiveRun:
    """Return a run before its first turn.

    Raises:
        UserError: an argument is not valid.
        TypeError: the hooks are not run hooks.
    """
    if not isinstance(agent, Agent):
        raise UserError(f"the agent to run must be an Agent, not {type(agent).__name__}")
    check_max_turns(max_turns)
    check_history_keepers(session, conversation_id, previous_response_id, auto_previous_response_id)
    spec = make_spec(
        context=context if isinstance(context, RunContextWrapper) else RunContextWrapper(context),
        max_turns=max_turns,
        config=config,
        hooks=hooks,
        error_handlers=error_handlers,
        run_agent=run_agent,
        session=session,
    )
    history = History(
        input=input if isinstance(input, str) else input_items(input),
        reasoning_ids=spec.config.reasoning_item_id_policy,
        previous_response_id=previous_response_id,
        auto_previous_response_id=auto_previous_response_id,
        conversation_id=conversation_id,
    )
    return ActiveRun(spec=spec, history=history, turn=TurnState(agent=agent))


def _copy_part(part: _T) -> _T:
    """Return a copy of a part of a run with containers of its own."""
    twin = copy(part)
    for one in fields(part):
        value = getattr(part, one.name, None)  # A released agent is gone.
        if isinstance(value, list | dict | set):
            setattr(twin, one.name, copy(value))
    return twin
