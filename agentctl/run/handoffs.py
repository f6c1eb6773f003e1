"""Handoffs: those that a turn offers, and the switch to another agent when the model asks for one."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.handoff import Handoff, HandoffInputData, handoff
from agentctl.agent.handoff_history import nest_handoff_history
from agentctl.agent.items.run_items import HandoffOutputItem, RunItem, ToolCallOutputItem
from agentctl.agent.tools.tool import is_enabled
from agentctl.agent.wire import WireItem
from agentctl.errors import UserError
from agentctl.grammar import add_article

from .active_run import ActiveRun
from .history import HistoryOverride

if TYPE_CHECKING:
    from agentctl.run.tools.calls import HandoffCall


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """The outcome of a handoff."""

    agent: Agent[Any]
    """The new current agent."""
    items: list[RunItem]
    """The outputs of all handoff calls, in call order."""
    override: HistoryOverride | None = None
    """Replaces the history for the next calls, these outputs included; None leaves it unchanged.

    It is for `History.replace_beginning`, once the items were added.
    """
    warning: str | None = None
    """A warning for the user."""


async def enabled_handoffs(run: ActiveRun) -> list[Handoff[Any, Any]]:
    """Return the handoffs that the current agent has in this turn.

    Raises:
        UserError: an element of `Agent.handoffs` is neither an agent nor a handoff.
    """
    return [
        found
        for given in run.agent.handoffs
        if (found := _handoff(given, run)).is_enabled is True
        or await is_enabled(found.is_enabled, run.context, run.agent)
    ]


async def hand_over(calls: list[HandoffCall], turn_items: list[RunItem], run: ActiveRun) -> HandedOver:
    """Take the first of the handoffs that a response asks for, and reject the others.

    `turn_items` are the items of the turn so far, the newest of the run.

    Raises:
        ModelBehaviorError: the arguments of the handoff are not valid.
        UserError: an input filter is set while the service keeps the history, or returns no `HandoffInputData`.
    """
    call, source, taken = calls[0], run.agent, calls[0].handoff
    change, warning = _change(taken, run)
    with run.spans.handoff(source.name, [one.handoff.agent_name for one in calls]):
        agent = await taken.on_invoke_handoff(run.context, call.arguments)
        if not isinstance(agent, Agent):
            raise UserError(f"handoff {taken.tool_name!r} must return an Agent, not {type(agent).__name__}")
    items: list[RunItem] = [
        HandoffOutputItem(source, _output(call, taken.get_transfer_message(agent)), source, agent),
        *(_refusal(other, agent, source) for other in calls[1:]),
    ]
    await run.hook_calls.handoff(source, agent)
    override = None if change is None else await _apply_change(change, turn_items, items, run)
    return HandedOver(agent=agent, items=items, override=override, warning=warning)


def _handoff(given: Agent[Any] | Handoff[Any, Any], run: ActiveRun) -> Handoff[Any, Any]:
    if isinstance(given, Handoff):
        return given
    if not isinstance(given, Agent):
        raise UserError(
            f"Agent.handoffs of {run.agent.name!r} has {add_article(type(given).__name__)}; "
            "it takes agents and handoffs"
        )
    made = run.default_handoffs.get(id(given))
    if made is None:
        made = run.default_handoffs[id(given)] = handoff(given)
    return made


_Change: TypeAlias = Callable[[HandoffInputData], HandoffInputData | Awaitable[HandoffInputData]]


def _change(taken: Handoff[Any, Any], run: ActiveRun) -> tuple[_Change | None, str | None]:
    """Return the function that changes the history, and a warning; a filter precedes nesting."""
    config, is_kept = run.config, run.history.is_on_server
    change = taken.input_filter or config.handoff_input_filter
    if change is not None:
        if is_kept:
            raise UserError(
                f"handoff {taken.tool_name!r}: an input filter cannot change a history that the service keeps; run "
                "without conversation_id, previous_response_id and auto_previous_response_id, or without the filter"
            )
        if not callable(change):
            raise UserError(
                f"handoff {taken.tool_name!r}: its input filter must be a function, not {type(change).__name__}"
            )
        return change, None
    nests = config.nest_handoff_history if taken.nest_handoff_history is None else taken.nest_handoff_history
    if not nests:
        return None, None
    if is_kept:
        return None, f"handoff {taken.tool_name!r}: the service keeps the history, which is not nested"
    return partial(nest_handoff_history, history_mapper=config.handoff_history_mapper), None


async def _apply_change(
    change: _Change, turn_items: list[RunItem], outputs: list[RunItem], run: ActiveRun
) -> HistoryOverride:
    override, items = run.history.override, run.history.new_items
    before = len(items) - len(turn_items)
    given = run.history.input if isinstance(run.history.input, str) else tuple(run.history.input)
    answer = change(
        HandoffInputData(
            input_history=given if override is None else override.input,
            pre_handoff_items=tuple(items[:before])
            if override is None
            else (*override.items, *items[override.upto : before]),
            new_items=(*turn_items, *outputs),
            run_context=run.context,
        )
    )
    data = await answer if inspect.isawaitable(answer) else answer
    if not isinstance(data, HandoffInputData):
        raise UserError(f"a handoff's input filter must return a HandoffInputData, not {type(data).__name__}")
    return HistoryOverride(
        input=data.input_history,
        items=(*data.pre_handoff_items, *(data.new_items if data.input_items is None else data.input_items)),
        upto=len(items) + len(outputs),
    )


def _refusal(call: HandoffCall, taken: Agent[Any], source: Agent[Any]) -> ToolCallOutputItem:
    text = f"Not taken: the conversation went to the agent {taken.name}; only one handoff is taken at a time."
    return ToolCallOutputItem(source, _output(call, text), output=text)


def _output(call: HandoffCall, text: str) -> WireItem:
    return {"type": "function_call_output", "call_id": call.call_id, "output": text}
