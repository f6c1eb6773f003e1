"""The state of a run that waits or was stopped: decided about, kept as JSON, and gone on with, here or elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

from agentctl.agent.agent import Agent
from agentctl.agent.context import RunContextWrapper, TContext
from agentctl.agent.items.run_items import HandoffCallItem, ItemHelpers, ToolApprovalItem, ToolCallItem
from agentctl.agent.run_config import ReasoningItemIdPolicy, RunConfig
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.errors import UserError
from agentctl.run.active_run import ActiveRun
from agentctl.run.history import check_history_keepers
from agentctl.run.hooks import check_run_hooks
from agentctl.run.spec import make_spec

from .document import ContextDeserializer, ContextSerializer, read_run, run_json
from .reader import broken

if TYPE_CHECKING:
    from agentctl.agent.lifecycle import RunHooks
    from agentctl.agent.ports import RunAgent
    from agentctl.agent.session import Session
    from agentctl.run.error_handlers import RunErrorHandlers
    from agentctl.tracing.spans import Trace

TAgent = TypeVar("TAgent", bound="Agent[Any]", default="Agent[Any]")


class RunState(Generic[TContext, TAgent]):
    """A run between two steps, apart from the result that it was taken of: `Runner.run(agent, state)` goes on from it.

    Going on leaves the state as it is, so that it can be gone on from again.
    """

    def __init__(self, run: ActiveRun) -> None:
        """Hold a run that nothing else goes on with."""
        self._run = run

    @property
    def pending_input(self) -> list[WireItem]:
        """What joins the run before its next model call."""
        return list(self._run.history.pending_input)

    @property
    def current_agent(self) -> Agent[Any]:
        """The agent that has the word."""
        return self._run.agent

    @property
    def current_turn(self) -> int:
        """The turn at hand, counted from 1."""
        return self._run.turn.number

    def add_input(self, input: str | list[WireItem]) -> None:
        """Give the run more input: the next model call reads it, after the outputs of the calls that wait.

        Raises:
            UserError: there is no next model call, or may be none; the input is neither a text nor a list of items.
        """
        if not isinstance(input, str | list) or (isinstance(input, list) and not all(map(_is_item, input))):
            raise UserError(f"what is added to a run is a text or a list of items, not {input!r}")
        if reason := _no_next_call(self._run):
            raise UserError(f"nothing can be added to this run: {reason}")
        self._run.history.pending_input.extend(deepcopy(ItemHelpers.input_to_new_input_list(input)))

    def clear_pending_input(self) -> None:
        """Take back what was added and not yet read."""
        self._run.history.pending_input.clear()

    def get_interruptions(self) -> list[ToolApprovalItem]:
        """Return the calls that wait for somebody's yes; those that were decided about stay until the run goes on."""
        return list(self._run.turn.interruptions)

    def approve(self, approval_item: ToolApprovalItem, always_approve: bool = False) -> None:
        """Let a call run, or every call of its tool from now on.

        Raises:
            UserError: the call does not wait in this state.
        """
        self._run.context.approvals.decide(self._waiting(approval_item), True, always=always_approve)

    def reject(
        self, approval_item: ToolApprovalItem, always_reject: bool = False, *, rejection_message: str | None = None
    ) -> None:
        """Keep a call from running, or every call of its tool from now on; the model is told the message.

        Raises:
            UserError: the call does not wait in this state.
        """
        item = self._waiting(approval_item)
        self._run.context.approvals.decide(item, False, always=always_reject, message=rejection_message)

    def to_json(
        self,
        *,
        context_serializer: ContextSerializer | None = None,
        strict_context: bool = False,
        include_tracing_api_key: bool = False,
    ) -> dict[str, JSONValue]:
        """Return the state as JSON, without any key in it.

        The context is kept as JSON: as it is, as `context_serializer` gives it, or as the fields of a dataclass or
        pydantic object. What cannot be kept is left out with a warning; with `strict_context` it is refused.

        Raises:
            UserError: `strict_context`, and the context is no JSON and has no serializer; the input is no JSON;
                `include_tracing_api_key`, since no state holds a key.
        """
        if include_tracing_api_key:
            raise UserError(
                "the state of a run holds no key: give the tracing key again where the run goes on "
                "(set_tracing_export_api_key, or RunConfig.tracing)"
            )
        state = run_json(self._run, context_serializer=context_serializer, strict_context=strict_context)
        try:
            own: dict[str, JSONValue] = json.loads(json.dumps(state))
        except (TypeError, ValueError, RecursionError) as error:
            raise UserError(f"the run cannot be kept, since its input is no JSON: {error}") from error
        return own

    def to_string(
        self,
        *,
        context_serializer: ContextSerializer | None = None,
        strict_context: bool = False,
        include_tracing_api_key: bool = False,
    ) -> str:
        """Return the state as a JSON text, as `to_json` does."""
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
        """Return the state that was JSON; its agents are found by name, from `initial_agent` on.

        The context is `context_override`, else what `context_deserializer` makes of the JSON, else the JSON.

        Raises:
            UserError: it is of another version, names an agent that is not found, or is not what `to_json` gave;
                `strict_context`, and a context that was kept through a serializer has no deserializer.
        """
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
        return RunState(run)

    @staticmethod
    async def from_string(
        initial_agent: Agent[Any],
        state_string: str,
        *,
        context_override: Any = None,
        context_deserializer: ContextDeserializer | None = None,
        strict_context: bool = False,
    ) -> RunState[Any, Agent[Any]]:
        """Return the state that was a JSON text, as `from_json` does."""
        try:
            state_json = json.loads(state_string)
        except (TypeError, ValueError, RecursionError) as error:
            raise UserError(f"the state of a run is a JSON text, and this is none: {error}") from error
        return await RunState.from_json(
            initial_agent,
            state_json,
            context_override=context_override,
            context_deserializer=context_deserializer,
            strict_context=strict_context,
        )

    def set_trace(self, trace: Trace | None) -> None:
        """Have the run go on in this trace."""
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
        """Say which agents have used a tool: `reset_tool_choice` frees their choice from then on."""
        self._run.turn.tool_users = set(snapshot or ())

    def set_reasoning_item_id_policy(self, policy: ReasoningItemIdPolicy | None) -> None:
        """Have reasoning go back to the model with its ids or without, where the configuration does not say."""
        config = replace(self._run.config, reasoning_item_id_policy=policy)
        self._run.spec = replace(self._run.spec, config=config)

    def copy_run(self) -> ActiveRun:
        """Return the run, to be gone on with: a copy of its own for every time."""
        return self._run.copy()

    def _waiting(self, wanted: ToolApprovalItem) -> ToolApprovalItem:
        if not isinstance(wanted, ToolApprovalItem):
            raise UserError(f"what is decided about is a ToolApprovalItem, not {type(wanted).__name__}")
        for item in self._run.turn.interruptions:
            if (item.call_id, item.name, item.agent.name) == (wanted.call_id, wanted.name, wanted.agent.name):
                return item
        raise UserError(f"no call {wanted.call_id!r} of tool {wanted.name!r} waits in this state")


def resumed(
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
    """Return a run that goes on from its state: with the turns it was given, its context unless there is a new one.

    A call that was under way when the run failed or was broken off is told to have no output.

    Raises:
        UserError: it is no state of a run, or of one that has ended; the service keeps its history, and there is a
            session.
        TypeError: the hooks are none.
    """
    if not isinstance(state, RunState):
        raise UserError(f"the input of a run is a text, a list of items or a RunState, not {type(state).__name__}")
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
    """Return why there is no next model call for sure, None if there is one."""
    if run.results.has_ended:
        return "it has ended"
    if run.spec.max_turns is not None and run.turn.number >= run.spec.max_turns:
        return f"it has used its {run.spec.max_turns} turns"
    behavior = run.agent.tool_use_behavior
    if not run.turn.interruptions or behavior == "run_llm_again":
        return None
    asked = run.results.raw_responses[-1].wire_output
    called = {str(item.get("name")) for item in asked if item.get("type") == "function_call"}
    if isinstance(behavior, dict) and called.isdisjoint(behavior.get("stop_at_tool_names", ())):
        return None
    if any(isinstance(item, HandoffCallItem) for item in run.history.new_items[run.turn.first_item :]):
        return None
    return "what its tools give may be its final output"
