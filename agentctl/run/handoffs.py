"""Handing over: which agents a turn may go on with, and what follows when the model asks for one."""

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

from .active_run import ActiveRun
from .history import HistoryOverride

if TYPE_CHECKING:
    from agentctl.run.tools.calls import HandoffCall


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """What a handoff comes to."""

    agent: Agent[Any]
    """The agent that has the word now."""
    items: list[RunItem]
    """The outputs of all handoff calls, in call order."""
    override: HistoryOverride | None = None
    """What the next calls show in place of the history, these outputs included; None leaves it as it is.

    It goes to `ActiveRun.show` after the items went to `ActiveRun.add`.
    """
    warning: str | None = None
    """What the user should know of it."""


async def enabled_handoffs(run: ActiveRun) -> list[Handoff[Any, Any]]:
    """Return the handoffs that the agent at hand has in this turn.

    Raises:
        UserError: what stands in `Agent.handoffs` is neither an agent nor a handoff.
    """
    return [
        found
        for given in run.agent.handoffs
        if (found := _handoff(given, run)).is_enabled is True
        or await is_enabled(found.is_enabled, run.context, run.agent)
    ]


async def hand_over(calls: list[HandoffCall], turn_items: list[RunItem], run: ActiveRun) -> HandedOver:
    """Take the first of the handoffs that a response asks for, and refuse the others.

    `turn_items` are the items of the turn so far, the newest of the run.

    Raises:
        ModelBehaviorError: what the model gave with the handoff does not fit.
        UserError: a filter where the service keeps the history, or one that gives no `HandoffInputData`.
    """
    call, source, taken = calls[0], run.agent, calls[0].handoff
    change, warning = _change(taken, run)
    with run.spans.handoff(source.name, [one.handoff.agent_name for one in calls]):
        agent = await taken.on_invoke_handoff(run.context, call.arguments)
        if not isinstance(agent, Agent):
            raise UserError(f"handoff {taken.tool_name!r} gave no agent, but {type(agent).__name__}")
    items: list[RunItem] = [
        HandoffOutputItem(source, _output(call, taken.get_transfer_message(agent)), source, agent),
        *(_refusal(other, agent, source) for other in calls[1:]),
    ]
    await run.hook_calls.handoff(source, agent)
    shown = None if change is None else await _changed(change, turn_items, items, run)
    return HandedOver(agent=agent, items=items, override=shown, warning=warning)


def _handoff(given: Agent[Any] | Handoff[Any, Any], run: ActiveRun) -> Handoff[Any, Any]:
    if isinstance(given, Handoff):
        return given
    if not isinstance(given, Agent):
        raise UserError(
            f"Agent.handoffs of {run.agent.name!r} has a {type(given).__name__}; it takes agents and handoffs"
        )
    made = run.default_handoffs.get(id(given))
    if made is None:
        made = run.default_handoffs[id(given)] = handoff(given)
    return made


_Change: TypeAlias = Callable[[HandoffInputData], HandoffInputData | Awaitable[HandoffInputData]]


def _change(taken: Handoff[Any, Any], run: ActiveRun) -> tuple[_Change | None, str | None]:
    """Return what changes the history at this handoff, and what is to be said of it: a filter goes before nesting."""
    config, is_kept = run.config, run.history.is_on_server
    change = taken.input_filter or config.handoff_input_filter
    if change is not None:
        if is_kept:
            raise UserError(
                f"handoff {taken.tool_name!r}: an input filter cannot change a history that the service keeps; run "
                "without conversation_id, previous_response_id and auto_previous_response_id, or without the filter"
            )
        if not callable(change):
            raise UserError(f"handoff {taken.tool_name!r}: its input filter is a function, not {type(change).__name__}")
        return change, None
    nests = config.nest_handoff_history if taken.nest_handoff_history is None else taken.nest_handoff_history
    if not nests:
        return None, None
    if is_kept:
        return None, f"handoff {taken.tool_name!r}: the service keeps the history, which is not nested"
    return partial(nest_handoff_history, history_mapper=config.handoff_history_mapper), None


async def _changed(
    change: _Change, turn_items: list[RunItem], outputs: list[RunItem], run: ActiveRun
) -> HistoryOverride:
    shown, items = run.history.override, run.history.new_items
    before = len(items) - len(turn_items)
    given = run.history.input if isinstance(run.history.input, str) else tuple(run.history.input)
    answer = change(
        HandoffInputData(
            input_history=given if shown is None else shown.input,
            pre_handoff_items=tuple(items[:before]) if shown is None else (*shown.items, *items[shown.upto : before]),
            new_items=(*turn_items, *outputs),
            run_context=run.context,
        )
    )
    data = await answer if inspect.isawaitable(answer) else answer
    if not isinstance(data, HandoffInputData):
        raise UserError(f"a handoff's input filter returns a HandoffInputData, not {type(data).__name__}")
    return HistoryOverride(
        input=data.input_history,
        items=(*data.pre_handoff_items, *(data.new_items if data.input_items is None else data.input_items)),
        upto=len(items) + len(outputs),
    )


def _refusal(call: HandoffCall, taken: Agent[Any], source: Agent[Any]) -> ToolCallOutputItem:
    text = f"Not taken: the conversation went to the agent {taken.name}, and one handoff is taken at a time."
    return ToolCallOutputItem(source, _output(call, text), output=text)


def _output(call: HandoffCall, text: str) -> WireItem:
    return {"type": "function_call_output", "call_id": call.call_id, "output": text}
