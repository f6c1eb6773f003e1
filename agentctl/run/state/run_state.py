"""The state of a run: decide its interruptions, save it as JSON, and resume it, here or in another process."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Self

from typing_extensions import TypeVar

from agentctl.agent.agent import Agent
from agentctl.agent.context import RunContextWrapper, TContext
from agentctl.agent.items.run_items import HandoffCallItem, ItemHelpers, ToolApprovalItem, ToolCallItem
from agentctl.agent.run_config import DEFAULT_MAX_TURNS, ReasoningItemIdPolicy, RunConfig
from agentctl.agent.wire import JSONValue, WireItem, check_depth, decode_json
from agentctl.errors import UserError
from agentctl.grammar import count
from agentctl.run.active_run import ActiveRun, begin
from agentctl.run.history import check_history_keepers
from agentctl.run.hooks import check_run_hooks
from agentctl.run.spec import make_spec

from .document import ContextDeserializer, ContextSerializer, read_run, run_json
from .reader import broken

if TYPE_CHECKING:
    from agentctl.agent.lifecycle import RunHooks
    from agentctl.agent.ports import RunAgent
    from agentctl.agent.session import Session
    from agentctl.agent.usage import Usage
    from agentctl.run.error_handlers import RunErrorHandlers
    from agentctl.tracing.spans import Trace

TAgent = TypeVar("TAgent", bound="Agent[Any]", default="Agent[Any]")


class RunState(Generic[TContext, TAgent]):
    """A snapshot of a run between two steps: `Runner.run(agent, state)` resumes it.

    Resuming does not change the state, so that it can be resumed again.
    """

    def __init__(
        self,
        context: RunContextWrapper[TContext],
        original_input: str | list[Any],
        starting_agent: TAgent,
        max_turns: int | None = DEFAULT_MAX_TURNS,
        *,
        conversation_id: str | None = None,
        previous_response_id: str | None = None,
        auto_previous_response_id: bool = False,
    ) -> None:
        """Make the state of a run that has not begun."""
        self._run = begin(
            starting_agent,
            original_input,
            context=context,
            max_turns=max_turns,
            config=None,
            conversation_id=conversation_id,
            previous_response_id=previous_response_id,
            auto_previous_response_id=auto_previous_response_id,
        )

    @classmethod
    def of_run(cls, run: ActiveRun) -> Self:
        """Return the state of a run, given a copy of it that is used nowhere else."""
        state = cls.__new__(cls)
        state._run = run
        return state

    @property
    def pending_input(self) -> list[WireItem]:
        """Input that is added before the next model call."""
        return list(self._run.history.pending_input)

    @property
    def usage(self) -> Usage:
        """The usage of the run so far."""
        return self._run.context.usage

    @property
    def current_agent(self) -> Agent[Any]:
        """The current agent."""
        return self._run.agent

    @property
    def current_turn(self) -> int:
        """The current turn, counted from 1."""
        return self._run.turn.number

    def add_input(self, input: str | list[WireItem]) -> None:
        """Add input for the next model call, after the outputs of the calls that wait.

        Raises:
            UserError: there may be no next model call; the input is neither a text nor a list of items.
        """
        if not isinstance(input, str | list) or (isinstance(input, list) and not all(map(_is_item, input))):
            raise UserError(f"input added to a run must be a text or a list of items, not {input!r}")
        if reason := _no_next_call(self._run):
            raise UserError(f"no input can be added to this run: {reason}")
        self._run.history.pending_input.extend(deepcopy(ItemHelpers.input_to_new_input_list(input)))

    def clear_pending_input(self) -> None:
        """Discard the pending input."""
        self._run.history.pending_input.clear()

    def get_interruptions(self) -> list[ToolApprovalItem]:
        """Return the calls that wait for approval; decided ones stay until the run is resumed."""
        return list(self._run.turn.interruptions)

    def approve(self, approval_item: ToolApprovalItem, always_approve: bool = False) -> None:
        """Approve a call, or every call of its tool from now on.

        Raises:
            UserError: the call does not wait in this state.
        """
        self._run.context.approvals.decide(self._find_interruption(approval_item), True, always=always_approve)

    def reject(
        self, approval_item: ToolApprovalItem, always_reject: bool = False, *, rejection_message: str | None = None
    ) -> None:
        """Reject a call, or every call of its tool from now on; the model reads the message.

        Raises:
            UserError: the call does not wait in this state.
        """
        item = self._find_interruption(approval_item)
        self._run.context.approvals.decide(item, False, always=always_reject, message=rejection_message)

    def to_json(
        self,
        *,
        context_serializer: ContextSerializer | None = None,
        strict_context: bool = False,
        include_tracing_api_key: bool = False,
    ) -> dict[str, JSONValue]:
        """Return the state as JSON, without any key in it.

        The context is saved as JSON: as it is, as `context_serializer` returns it, or as the fields of a dataclass or
        pydantic object. Any other context is left out with a warning; with `strict_context` it is an error.

        Raises:
            UserError: `strict_context`, and the context is not JSON and has no serializer; the input is not JSON;
                `include_tracing_api_key`, since a state has no key.
        """
        if include_tracing_api_key:
            raise UserError(
                "the state of a run has no key in it: set the tracing key again where the run is resumed "
                "(set_tracing_export_api_key, or RunConfig.tracing)"
            )
        state = run_json(self._run, context_serializer=context_serializer, strict_context=strict_context)
        try:
            own: dict[str, JSONValue] = decode_json(json.dumps(state))
        except (TypeError, ValueError, RecursionError) as error:
            raise UserError(f"the run cannot be saved, since its input is not JSON: {error}") from error
        return own

    def to_string(
        self,
        *,
        context_serializer: ContextSerializer | None = None,
        strict_context: bool = False,
        include_tracing_api_key: bool = False,
    ) -> str:
        """Return the state of `to_json` as a JSON text."""
        return json.dumps(
            self.to_json(
                context_serializer=context_serializer,
                strict_context=strict_context,
                include_tracing_api_key=include_tracing_api_key,
            ),
            ensure_ascii=False,
        )

    @staticmethod
    async def from_json(
        initial_agent: Agent[Any],
        state_json: dict[str, JSONValue],
        *,
        context_override: Any = None,
        context_deserializer: ContextDeserializer | None = None,
        strict_context: bool = False,
    ) -> RunState[Any, Agent[Any]]:
        """Return the state saved as JSON; its agents are found by name, starting from `initial_agent`.

        The context is `context_override`, else the result of `context_deserializer`, else the JSON.

        Raises:
            UserError: it has another version, names an agent that is not found, or is not output of `to_json`;
                `strict_context`, and a context that was saved by a serializer has no deserializer.
        """
        try:
            check_depth(state_json)
        except ValueError as error:
            raise broken("it is nested too deeply") from error
        try:
            run = read_run(
                initial_agent,
                deepcopy(state_json),
                context_override=context_override,
                context_deserializer=context_deserializer,
                strict_context=strict_context,
            )
        except RecursionError as error:
            raise broken("it is nested too deeply") from error
        return RunState.of_run(run)

    @staticmethod
    async def from_string(
        initial_agent: Agent[Any],
        state_string: str,
        *,
        context_override: Any = None,
        context_deserializer: ContextDeserializer | None = None,
        strict_context: bool = False,
    ) -> RunState[Any, Agent[Any]]:
        """Return the state saved as a JSON text, as `from_json` does."""
        try:
            state_json = decode_json(state_string)
        except (TypeError, ValueError, RecursionError) as error:
            raise UserError(f"the state of a run is not a JSON text: {error}") from error
        return await RunState.from_json(
            initial_agent,
            state_json,
            context_override=context_override,
            context_deserializer=context_deserializer,
            strict_context=strict_context,
        )

    def set_trace(self, trace: Trace | None) -> None:
        """Resume the run in this trace."""
        self._run.trace = trace
        self._run.trace_json = None

    def get_tool_use_tracker_snapshot(self) -> dict[str, list[str]]:
        """Return the tools that each agent has used so far, by the agent's name."""
        used: dict[str, list[str]] = {name: [] for name in sorted(self._run.turn.tool_users)}
        for item in self._run.history.new_items:
            if isinstance(item, ToolCallItem | HandoffCallItem) and item.agent.name in used and item.tool_name:
                used[item.agent.name].append(item.tool_name)
        return used

    def set_tool_use_tracker_snapshot(self, snapshot: Mapping[str, Sequence[str]] | None) -> None:
        """Set the agents that have used a tool, whose tool choice `reset_tool_choice` resets."""
        self._run.turn.tool_users = set(snapshot or ())

    def set_reasoning_item_id_policy(self, policy: ReasoningItemIdPolicy | None) -> None:
        """Send reasoning items with or without their ids, unless the configuration says otherwise."""
        config = replace(self._run.config, reasoning_item_id_policy=policy)
        self._run.spec = replace(self._run.spec, config=config)

    def copy_run(self) -> ActiveRun:
        """Return a copy of the run, to be resumed."""
        return self._run.copy()

    def _find_interruption(self, wanted: ToolApprovalItem) -> ToolApprovalItem:
        if not isinstance(wanted, ToolApprovalItem):
            raise UserError(f"a decision is about a ToolApprovalItem, not {type(wanted).__name__}")
        for item in self._run.turn.interruptions:
            if (item.call_id, item.name, item.agent.name) == (wanted.call_id, wanted.name, wanted.agent.name):
                return item
        raise UserError(f"no call {wanted.call_id!r} of tool {wanted.name!r} waits in this state")


def resume_run(
    state: object,
    *,
    context: Any,
    config: RunConfig | dict[str, Any] | None,
    hooks: RunHooks[Any] | None,
    error_handlers: RunErrorHandlers[Any] | None,
    run_agent: RunAgent,
    previous_response_id: str | None,
    auto_previous_response_id: bool,
    conversation_id: str | None,
    session: Session | None,
) -> ActiveRun:
    """Return a run resumed from its state: with its own turn limit, and its own context unless a new one is given.

    A call in progress when the run failed or was aborted gets an output that says there is none.

    Raises:
        UserError: it is not the state of a run, or the run has ended; the service keeps its history, and a session
            is given.
        TypeError: the hooks are not run hooks.
    """
    if not isinstance(state, RunState):
        raise UserError(f"the input of a run must be a text, a list of items or a RunState, not {type(state).__name__}")
    check_run_hooks(hooks)
    run = state.copy_run()
    if run.results.has_ended:
        raise UserError("the run of this state has ended: start a new run with its result's to_input_list()")
    history = run.history
    is_new_keeper = not history.is_on_server and bool(conversation_id or previous_response_id)
    history.conversation_id = conversation_id or history.conversation_id
    history.previous_response_id = previous_response_id or history.previous_response_id
    history.auto_previous_response_id = auto_previous_response_id or history.auto_previous_response_id
    check_history_keepers(
        session, history.conversation_id, history.previous_response_id, history.auto_previous_response_id
    )
    if isinstance(context, RunContextWrapper):
        run.context.context = context.context
    elif context is not None:
        run.context.context = context
    spec = make_spec(
        context=run.context,
        max_turns=run.spec.max_turns,
        config=config,
        hooks=hooks,
        error_handlers=error_handlers,
        run_agent=run_agent,
        session=session,
        tokens_used=run.context.usage.total_tokens,
    )
    policy = run.config.reasoning_item_id_policy
    if policy is not None and spec.config.reasoning_item_id_policy is None:
        spec = replace(spec, config=replace(spec.config, reasoning_item_id_policy=policy))
    run.spec = spec
    run.resume()
    if is_new_keeper:
        history.on_server = len(history.items)  # The caller says that the service has the run so far.
    if not run.turn.interruptions:
        run.answer_open_calls()
    return run


def _is_item(item: object) -> bool:
    return isinstance(item, dict)


def _no_next_call(run: ActiveRun) -> str | None:
    """Return the reason why there may be no next model call, None if there is one."""
    if run.results.has_ended:
        return "it has ended"
    if run.spec.max_turns is not None and run.turn.number >= run.spec.max_turns:
        return f"it has used its {count(run.spec.max_turns, 'turn')}"
    behavior = run.agent.tool_use_behavior
    if not run.turn.interruptions or behavior == "run_llm_again":
        return None
    asked = run.results.raw_responses[-1].wire_output
    called = {str(item.get("name")) for item in asked if item.get("type") == "function_call"}
    if isinstance(behavior, dict) and called.isdisjoint(behavior.get("stop_at_tool_names", ())):
        return None
    if any(isinstance(item, HandoffCallItem) for item in run.history.new_items[run.turn.first_item :]):
        return None
    return "the outputs of its tools may be its final output"
