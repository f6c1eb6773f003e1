"""How far a run has come: the one mutable value of the engine, owned by the loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agentctl.agent.agent import Agent
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.items import ItemHelpers, ModelResponse, RunItem, ToolApprovalItem, ToolCallOutputItem
from agentctl.agent.wire import WireItem
from agentctl.errors import UserError

from .config import RunConfig, run_config
from .hooks import Hooks, check_run_hooks
from .open_calls import NO_OUTPUT, answers_of_open_calls
from .spans import Spans, spans_for

if TYPE_CHECKING:
    from agentctl.agent.guardrail import InputGuardrailResult, OutputGuardrailResult
    from agentctl.agent.handoff import Handoff
    from agentctl.agent.lifecycle import RunHooks
    from agentctl.agent.ports import RunAgent
    from agentctl.agent.tool_guardrails import ToolInputGuardrailResult, ToolOutputGuardrailResult

    from .approvals import Given
    from .error_handlers import RunErrorHandlers


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
    final_output: Any = None
    spans: Spans = field(init=False)
    """What the run tells of itself to who traces it."""
    _kept: int = field(init=False, default=0)
    """How many items of the history the service has, those apart that were left out."""
    left_out: list[WireItem] = field(init=False, default_factory=list)
    """What a filter left out of the call at hand."""
    _still_unsent: list[WireItem] = field(init=False, default_factory=list)
    """What was left out until now of all that the service is to keep."""

    def __post_init__(self) -> None:
        self.spans = spans_for(self.config)
        self.history = ItemHelpers.input_to_new_input_list(self.input)

    def add(self, item: RunItem) -> None:
        """Take a new item into the run, unless it was broken off."""
        if self.is_broken_off:
            return
        self.new_items.append(item)
        self.history.append(input_item(item, self.config))

    def break_off(self) -> None:
        """End the run where it is: what ran counts no longer, and tool calls without an output get one that says so."""
        answers = answers_of_open_calls([item.to_input_item() for item in self.new_items])
        for wire in answers:
            self.add(ToolCallOutputItem(self.agent, wire, output=NO_OUTPUT))
        self.is_broken_off = True

    def show(self, shown: Shown) -> None:
        """Send this, and what is added to it, from now on; what the run has produced stays as it is."""
        self.shown = shown
        self.history = shown.to_input_list(self.config)
        self._kept = 0
        self._still_unsent = []

    def unsent(self) -> list[WireItem]:
        """Return the items that the next call must send: all of them, unless the service keeps the history."""
        return [*self._still_unsent, *self.history[self._kept :]]

    def note_what_the_service_keeps(self, response: ModelResponse) -> None:
        """Remember, where the service keeps the history, that it has all up to this response that was not left out."""
        goes_on = self.auto_previous_response_id or self.previous_response_id is not None
        if self.conversation_id is None and goes_on and response.response_id is not None:
            self.previous_response_id = response.response_id
        if self.conversation_id is not None or self.previous_response_id is not None:
            self._kept = len(self.history)
            self._still_unsent = self.left_out

    @property
    def hook_calls(self) -> Hooks:
        """What tells the hooks of the run and of its agents: made when asked, so that the run does not hold itself."""
        return Hooks(self)

    async def close(self) -> None:
        """Let go of what was made for this run alone."""
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
) -> Progress:
    """Return a run before its first turn.

    Raises:
        UserError: there can be no such run.
        TypeError: the hooks are none.
    """
    if not isinstance(agent, Agent):
        raise UserError(f"the agent to run is an Agent, not {type(agent).__name__}")
    if not isinstance(input, str | list):
        raise UserError(f"the input of a run is a text or a list of items, not {type(input).__name__}")
    if max_turns is not None and max_turns < 1:
        raise UserError(f"max_turns is at least 1, or None for no limit, not {max_turns}")
    check_run_hooks(hooks)
    if conversation_id is not None and (previous_response_id is not None or auto_previous_response_id):
        raise UserError("a run goes on from a conversation_id or from a previous_response_id, not from both")
    return Progress(
        input=input,
        agent=agent,
        context=context if isinstance(context, RunContextWrapper) else RunContextWrapper(context),
        config=run_config(config),
        max_turns=max_turns,
        hooks=hooks,
        error_handlers=error_handlers,
        owns_provider=not isinstance(config, RunConfig) and "model_provider" not in (config or {}),
        previous_response_id=previous_response_id,
        auto_previous_response_id=auto_previous_response_id,
        conversation_id=conversation_id,
    )
