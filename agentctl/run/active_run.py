"""How far a run has come: the one mutable value of the engine, owned by the loop."""

from __future__ import annotations

from copy import copy, deepcopy
from dataclasses import field
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.context import RunContextWrapper, ToolContext
from agentctl.agent.items.run_items import (
    InputItem,
    ItemHelpers,
    ModelResponse,
    RunItem,
    RunItemBase,
    ToolApprovalItem,
    ToolCallOutputItem,
)
from agentctl.agent.items.views import to_wire
from agentctl.agent.run_config import RunConfig, run_config
from agentctl.agent.tools.tool import FunctionToolResult
from agentctl.agent.wire import WireItem
from agentctl.errors import UserError
from agentctl.run.spans.spans import Spans, spans_for

from .hooks import Hooks, check_run_hooks
from .open_calls import NO_OUTPUT, answers_of_open_calls

if TYPE_CHECKING:
    from agentctl.agent.approvals import Approvals
    from agentctl.agent.guardrail import InputGuardrailResult, OutputGuardrailResult
    from agentctl.agent.handoff import Handoff
    from agentctl.agent.lifecycle import RunHooks
    from agentctl.agent.ports import RunAgent
    from agentctl.agent.session import Session
    from agentctl.agent.tools.guardrails import ToolInputGuardrailResult, ToolOutputGuardrailResult
    from agentctl.run.tools.approvals import Given
    from agentctl.tracing.spans import Trace

    from .budget import Budget
    from .error_handlers import RunErrorHandlers
    from .memory import Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the model is shown in place of the beginning of a run, since a handoff changed it."""

    input: str | tuple[WireItem, ...]
    items: tuple[RunItem, ...]
    upto: int
    """How many of the run's new items this stands for."""

    def to_input_list(self, config: RunConfig) -> list[WireItem]:
        """Return it as input for a model call."""
        given = self.input if isinstance(self.input, str) else list(self.input)
        return [*ItemHelpers.input_to_new_input_list(given), *(input_item(item, config) for item in self.items)]


@dataclass(slots=True, kw_only=True)
class Progress:
    """A run between two steps: with the same values the loop goes on from here."""

    input: str | list[WireItem]
    """The input as the caller gave it."""
    agent: Agent[Any]
    """The agent that has the word."""
    context: RunContextWrapper[Any]
    config: RunConfig
    max_turns: int | None
    owns_provider: bool = False
    """Whether the provider was made for this run, which then closes it."""
    hooks: RunHooks[Any] | None = None
    error_handlers: RunErrorHandlers[Any] | None = None
    run_agent: RunAgent | None = None
    """Runs the agents that are tools in this run."""
    turn: int = 0
    """The turn at hand, counted from 1; 0 before the first."""
    new_items: list[RunItem] = field(default_factory=list)
    raw_responses: list[ModelResponse] = field(default_factory=list)
    history: list[WireItem] = field(init=False)
    """The input and every item after it, as the next model call sends them."""
    used_tools: set[str] = field(default_factory=set)
    """The names of the agents that have called a tool."""
    shown: Shown | None = None
    """What stands in the history in place of the run's beginning, if a handoff changed it."""
    default_handoffs: dict[int, Handoff[Any, Any]] = field(default_factory=dict)
    """The handoffs to agents that were given as such, by the agent's id: made once in a run."""
    input_guardrail_results: list[InputGuardrailResult] = field(default_factory=list)
    output_guardrail_results: list[OutputGuardrailResult] = field(default_factory=list)
    tool_input_guardrail_results: list[ToolInputGuardrailResult] = field(default_factory=list)
    tool_output_guardrail_results: list[ToolOutputGuardrailResult] = field(default_factory=list)
    warned: set[str] = field(default_factory=set)
    """What the user was told once, and need not be told again."""
    turn_begins: int = 0
    """How many items the run had before the turn at hand."""
    held: dict[str, Given] = field(default_factory=dict)
    """What calls of the turn at hand gave, by call id, while others of it wait for a yes."""
    paused: dict[str, Progress] = field(default_factory=dict)
    """The runs within calls of the turn at hand that wait for a yes, by call id."""
    interruptions: list[ToolApprovalItem] = field(default_factory=list)
    """The calls that wait for a yes: the run goes on once somebody decided."""
    pending_input: list[WireItem] = field(default_factory=list)
    """What joins the run before its next model call."""
    memory: Memory | None = None
    """What joins the run and its session."""
    own_input: list[WireItem] | None = None
    """What the caller gave of the input, where the rest is from a session; None is all of it."""
    saved: int = 0
    """How many items are in the session, of the caller's input and of the new items."""
    is_broken_off: bool = False
    """Whether the run was ended from outside, in the middle of a turn."""
    ends_after_turn: bool = False
    """Whether the run is to stop once the turn at hand is over."""
    previous_response_id: str | None = None
    """The response that the next call goes on from, where the service keeps the history."""
    auto_previous_response_id: bool = False
    """Whether each call goes on from the response before it, from the second one on."""
    conversation_id: str | None = None
    """The conversation in which the service keeps the history."""
    budget: Budget | None = None
    """The tokens that the run may use, shared with the run around it."""
    final_output: Any = None
    has_ended: bool = False
    """Whether the run has its final output."""
    trace: Trace | None = None
    """The trace that the run is in."""
    trace_json: dict[str, Any] | None = None
    """The trace that the run was in, where it goes on in another process."""
    spans: Spans = field(init=False)
    """What the run tells of itself to who traces it."""
    kept: int = 0
    """How many items of the history the service has, those apart that were left out."""
    left_out: list[WireItem] = field(init=False, default_factory=list)
    """What a filter left out of the call at hand."""
    still_unsent: list[WireItem] = field(default_factory=list)
    """What was left out until now of all that the service is to keep."""

    def __post_init__(self) -> None:
        self.spans = spans_for(self.config)
        self.rebuild_history()

    def add(self, item: RunItem) -> None:
        """Take a new item into the run, unless it was broken off."""
        if self.is_broken_off:
            return
        self.new_items.append(item)
        self.history.append(input_item(item, self.config))

    def break_off(self) -> None:
        """End the run where it is: what ran counts no longer, and tool calls without an output get one that says so."""
        self.answer_open_calls()
        if self.memory is not None and not self.is_broken_off:
            self.memory.begin_to_save(self)
        self.is_broken_off = True

    def answer_open_calls(self) -> None:
        """Give each call without an output the one that is held for it, else one that says that there is none."""
        held = {
            call_id: given.run_item if isinstance(given, FunctionToolResult) else given
            for call_id, given in self.held.items()
        }
        for wire in answers_of_open_calls([item.to_input_item() for item in self.new_items]):
            call_id = str(wire["call_id"])
            self.context.approvals.spend(self.agent.name, call_id)
            given = held.pop(call_id, None)
            self.add(ToolCallOutputItem(self.agent, wire, output=NO_OUTPUT) if given is None else given)
        for given in held.values():
            self.add(given)
        for paused in self.paused.values():
            paused.answer_open_calls()
        self.held.clear()
        self.paused.clear()
        self.interruptions = []

    def rebuild_history(self) -> None:
        """Make the history of what is shown of the run's beginning, and of the items after it."""
        shown = self.shown
        begin = ItemHelpers.input_to_new_input_list(self.input) if shown is None else shown.to_input_list(self.config)
        after = self.new_items if shown is None else self.new_items[shown.upto :]
        self.history = [*begin, *(input_item(item, self.config) for item in after)]

    def show(self, shown: Shown) -> None:
        """Send this, and what is added to it, from now on; what the run has produced stays as it is."""
        self.shown = shown
        self.rebuild_history()
        self.kept = 0
        self.still_unsent = []

    def unsent(self) -> list[WireItem]:
        """Return the items that the next call must send: all of them, unless the service keeps the history."""
        return [*self.still_unsent, *self.history[self.kept :]]

    def note_what_the_service_keeps(self, response: ModelResponse) -> None:
        """Remember, where the service keeps the history, that it has all up to this response that was not left out."""
        goes_on = self.auto_previous_response_id or self.previous_response_id is not None
        if self.conversation_id is None and goes_on and response.response_id is not None:
            self.previous_response_id = response.response_id
        if self.conversation_id is not None or self.previous_response_id is not None:
            self.kept = len(self.history)
            self.still_unsent = self.left_out

    def given_items(self) -> list[WireItem]:
        """Return what the caller gave, as items."""
        return ItemHelpers.input_to_new_input_list(self.input) if self.own_input is None else self.own_input

    def added_items(self) -> list[WireItem]:
        """Return the new items as input for a model call."""
        return [input_item(item, self.config) for item in self.new_items]

    def unsaved(self) -> list[WireItem]:
        """Return what the session is still to hold."""
        given = self.given_items()
        new = self.new_items[max(0, self.saved - len(given)) :]
        return [*given[self.saved :], *(input_item(item, self.config) for item in new)]

    def copy(self) -> Progress:
        """Return the run as it is now, apart from this one: what is added to either is not in the other."""
        twin = copy(self)
        twin.memory = None
        twin.context = copy(self.context)
        twin.context.usage = deepcopy(self.context.usage)
        twin.new_items, twin.raw_responses = list(self.new_items), list(self.raw_responses)
        twin.history, twin.pending_input = list(self.history), list(self.pending_input)
        twin.used_tools, twin.warned = set(self.used_tools), set(self.warned)
        twin.input_guardrail_results = list(self.input_guardrail_results)
        twin.output_guardrail_results = list(self.output_guardrail_results)
        twin.tool_input_guardrail_results = list(self.tool_input_guardrail_results)
        twin.tool_output_guardrail_results = list(self.tool_output_guardrail_results)
        twin.held, twin.interruptions = dict(self.held), list(self.interruptions)
        twin.paused = {call_id: paused.copy() for call_id, paused in self.paused.items()}
        twin.share_approvals(self.context.approvals.copy())
        return twin

    def share_approvals(self, approvals: Approvals) -> None:
        """Decide as the run around this one does."""
        self.context.approvals = approvals
        for paused in self.paused.values():
            paused.share_approvals(approvals)

    def under(self, fresh: Progress) -> Progress:
        """Return this run within the call that it is made in now, and that `fresh` was begun for."""
        self.context, self.config, self.hooks = fresh.context, fresh.config, fresh.hooks
        self.owns_provider, self.memory = fresh.owns_provider, fresh.memory
        self.budget = fresh.budget
        self.share_approvals(fresh.context.approvals)
        self.go_on()
        return self

    def go_on(self) -> None:
        """Be ready for the next step, under what is now the configuration."""
        self.spans = spans_for(self.config)
        self.rebuild_history()
        self.has_ended, self.final_output = False, None
        self.is_broken_off = self.ends_after_turn = False

    @property
    def known_trace(self) -> dict[str, Any] | None:
        """The trace that the run is in, or was, as JSON."""
        return self.trace_json if self.trace is None else self.trace.to_json()

    def take_pending_input(self) -> list[RunItem]:
        """Return what joins the run now, as items that are yet to be added."""
        items: list[RunItem] = [InputItem(self.agent, wire) for wire in self.pending_input]
        self.pending_input = []
        return items

    @property
    def hook_calls(self) -> Hooks:
        """What tells the hooks of the run and of its agents: made when asked, so that the run does not hold itself."""
        return Hooks(self)

    async def close(self) -> None:
        """Wait for what is being saved, and let go of what was made for this run alone."""
        try:
            if self.memory is not None:
                await self.memory.close()
        finally:
            if self.owns_provider:
                await self.config.model_provider.aclose()

    @property
    def is_history_kept(self) -> bool:
        """Whether the service keeps the history, or will from the first response on."""
        return bool(self.conversation_id or self.previous_response_id or self.auto_previous_response_id)

    @property
    def last_response_id(self) -> str | None:
        """The id of the newest response."""
        return self.raw_responses[-1].response_id if self.raw_responses else None


def input_item(item: RunItem, config: RunConfig) -> WireItem:
    """Return an item as input for a model call, as `RunConfig.reasoning_item_id_policy` wants it."""
    wire = item.to_input_item()
    if config.reasoning_item_id_policy == "omit" and wire.get("type") == "reasoning":
        return {name: value for name, value in wire.items() if name != "id"}
    return wire


def memory_of(session: Session) -> Memory:
    """Return what joins a run and its session."""
    # 3 ms that a run without memory does not pay.
    from .memory import Memory

    return Memory(session)


def budget_of(config: RunConfig, context: RunContextWrapper[Any], *, used: int = 0) -> Budget | None:
    """Return the tokens that a run may use: what the run around it may, where there is one."""
    if isinstance(context, ToolContext) and context.budget is not None:
        return context.budget
    if config.max_tokens_total is None:
        return None
    # 2 ms that a run without a budget does not pay.
    from .budget import Budget

    return Budget(limit=config.max_tokens_total, used=used)


def is_own_provider(config: RunConfig | dict[str, Any] | None) -> bool:
    """Return whether the provider is made for a run of this configuration, which then closes it."""
    return not isinstance(config, RunConfig) and "model_provider" not in (config or {})


def begin(
    agent: Agent[Any],
    input: str | list[WireItem],
    *,
    context: Any,
    max_turns: int | None,
    config: RunConfig | dict[str, Any] | None,
    hooks: RunHooks[Any] | None = None,
    error_handlers: RunErrorHandlers[Any] | None = None,
    previous_response_id: str | None = None,
    auto_previous_response_id: bool = False,
    conversation_id: str | None = None,
    session: Session | None = None,
) -> Progress:
    """Return a run before its first turn.

    Raises:
        UserError: there can be no such run.
        TypeError: the hooks are none.
    """
    if not isinstance(agent, Agent):
        raise UserError(f"the agent to run is an Agent, not {type(agent).__name__}")
    if max_turns is not None and not (isinstance(max_turns, int) and max_turns >= 1):
        raise UserError(f"max_turns is at least 1, or None for no limit, not {max_turns!r}")
    check_run_hooks(hooks)
    check_history_keepers(session, conversation_id, previous_response_id, auto_previous_response_id)
    context = context if isinstance(context, RunContextWrapper) else RunContextWrapper(context)
    config_of_run = run_config(config)
    return Progress(
        input=input if isinstance(input, str) else _items(input),
        agent=agent,
        context=context,
        config=config_of_run,
        budget=budget_of(config_of_run, context),
        max_turns=max_turns,
        hooks=hooks,
        error_handlers=error_handlers,
        owns_provider=is_own_provider(config),
        previous_response_id=previous_response_id,
        auto_previous_response_id=auto_previous_response_id,
        conversation_id=conversation_id,
        memory=None if session is None else memory_of(session),
    )


def _items(given: list[Any]) -> list[WireItem]:
    """Return input items, `openai` objects among them as JSON; where there are none, the very list."""
    for place, item in enumerate(given):
        if not isinstance(item, dict) and not hasattr(item, "model_dump"):
            way_out = "; its to_input_item() is one" if isinstance(item, RunItemBase) else ""
            raise UserError(f"input[{place}] of the run is a {type(item).__name__}, and an item is a dict{way_out}")
    return given if all(isinstance(item, dict) for item in given) else [to_wire(item) for item in given]


def check_history_keepers(
    session: Session | None,
    conversation_id: str | None,
    previous_response_id: str | None,
    auto_previous_response_id: bool,
) -> None:
    """See that the history of a run is kept in one place.

    Raises:
        UserError: it is not.
    """
    if conversation_id is not None and (previous_response_id is not None or auto_previous_response_id):
        raise UserError("a run goes on from a conversation_id or from a previous_response_id, not from both")
    if session is not None and (conversation_id or previous_response_id or auto_previous_response_id):
        raise UserError(
            "a run with a session has its history there: it takes no conversation_id, previous_response_id or "
            "auto_previous_response_id"
        )
