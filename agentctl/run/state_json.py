"""A run as JSON and back: one version for the whole, agents by their names, and no key in it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from agentctl.agent.agent import Agent
from agentctl.agent.approvals import Approvals
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.items import ToolApprovalItem, ToolCallItem
from agentctl.agent.tool_use import FunctionToolResult
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.errors import UserError

from .approvals import Given
from .config import ReasoningItemIdPolicy, RunConfig
from .progress import Progress, Shown
from .state_agents import Agents
from .state_context import ContextDeserializer, ContextSerializer, context_json, read_context
from .state_guardrails import guardrails_json, read_guardrails
from .state_items import (
    item_json,
    origin_json,
    plain,
    read_item,
    read_origin,
    read_response,
    read_usage,
    response_json,
)
from .state_reader import Fields, broken

VERSION = 1


def run_json(
    progress: Progress,
    *,
    context_serializer: ContextSerializer | None,
    strict_context: bool,
) -> dict[str, JSONValue]:
    """Return a run as JSON.

    Raises:
        UserError: `strict_context`, and the context is no JSON and has no serializer.
    """
    context = progress.context
    return {
        "version": VERSION,
        **_run_json(progress),
        "context": context_json(context.context, context_serializer, strict=strict_context),
        "context_is_serialized": context_serializer is not None,
        "approvals": context.approvals.to_json(),
        "trace": progress.known_trace,
    }


def read_run(
    initial_agent: Agent[Any],
    state: JSONValue,
    *,
    context_override: Any,
    context_deserializer: ContextDeserializer | None,
    strict_context: bool,
) -> Progress:
    """Return the run that was JSON.

    Raises:
        UserError: it is of another version, names an agent that is not found, or is not what `run_json` gave.
    """
    agents, fields = Agents(initial_agent), Fields(state, "the state")
    version = fields.value("version")
    if version != VERSION or isinstance(version, bool):
        raise UserError(f"the state is of version {version!r}, and this agentctl reads version {VERSION}")
    context = RunContextWrapper(
        read_context(fields, context_override, context_deserializer, strict=strict_context),
        approvals=Approvals.from_json(_approvals(fields)),
    )
    progress = _read_run(fields, agents, context)
    if fields.optional("trace", dict) is not None:
        progress.trace_json = _read_trace(fields.inner("trace"))
    return progress


def _run_json(progress: Progress) -> dict[str, JSONValue]:
    return {
        "input": progress.input,
        "own_input": progress.own_input,
        "saved": progress.saved,
        "agent": progress.agent.name,
        "turn": progress.turn,
        "max_turns": progress.max_turns,
        "turn_begins": progress.turn_begins,
        "items": [item_json(item) for item in progress.new_items],
        "responses": [response_json(response) for response in progress.raw_responses],
        "usage": dataclasses.asdict(progress.context.usage),
        "used_tools": sorted(progress.used_tools),
        "shown": None if progress.shown is None else _shown_json(progress.shown),
        "pending_input": progress.pending_input,
        "held": {call_id: _held_json(given) for call_id, given in progress.held.items()},
        "interruptions": [_interruption_json(item, progress) for item in progress.interruptions],
        "paused": {call_id: _run_json(paused) for call_id, paused in progress.paused.items()},
        "guardrails": guardrails_json(progress),
        "previous_response_id": progress.previous_response_id,
        "auto_previous_response_id": progress.auto_previous_response_id,
        "conversation_id": progress.conversation_id,
        "kept": progress.kept,
        "still_unsent": progress.still_unsent,
        "reasoning_item_id_policy": progress.config.reasoning_item_id_policy,
        "has_ended": progress.has_ended,
        "final_output": plain(progress.final_output),
    }


def _read_run(fields: Fields, agents: Agents, context: RunContextWrapper[Any]) -> Progress:
    given = fields.value("input")
    agent = agents(fields.text("agent"))
    progress = Progress(
        input=given if isinstance(given, str) else fields.objects("input"),
        own_input=None if fields.value("own_input") is None else fields.objects("own_input"),
        saved=fields.number("saved"),
        agent=agent,
        context=context,
        config=RunConfig(reasoning_item_id_policy=_policy(fields)),
        max_turns=fields.optional("max_turns", int),
        turn=fields.number("turn"),
        turn_begins=fields.number("turn_begins"),
        new_items=[read_item(item, agents) for item in fields.inners("items")],
        raw_responses=[read_response(response) for response in fields.inners("responses")],
        used_tools=set(fields.texts("used_tools")),
        pending_input=fields.objects("pending_input"),
        previous_response_id=fields.optional("previous_response_id", str),
        auto_previous_response_id=fields.flag("auto_previous_response_id"),
        conversation_id=fields.optional("conversation_id", str),
        has_ended=fields.flag("has_ended"),
        final_output=fields.value("final_output"),
        kept=fields.number("kept"),
        still_unsent=fields.objects("still_unsent"),
    )
    context.usage = read_usage(fields.inner("usage"))
    if fields.optional("shown", dict) is not None:
        progress.shown = _read_shown(fields.inner("shown"), agents)
    progress.rebuild_history()
    for call_id, paused in fields.inner("paused").inner_items():
        inner = Agents(agents.behind_tool(agent, _tool_of(progress, call_id)))
        progress.paused[call_id] = _read_run(paused, inner, RunContextWrapper(None, approvals=context.approvals))
    for call_id, held in fields.inner("held").inner_items():
        progress.held[call_id] = read_item(held, agents)
    for waiting in fields.inners("interruptions"):
        progress.interruptions.append(_read_interruption(waiting, progress))
    read_guardrails(fields.inner("guardrails"), progress, agents.all())
    _check(progress)
    return progress


def _tool_of(progress: Progress, call_id: str) -> str:
    for item in reversed(progress.new_items):
        if isinstance(item, ToolCallItem) and item.call_id == call_id and item.tool_name:
            return item.tool_name
    raise broken(f"there is no tool call {call_id!r}")


def _shown_json(shown: Shown) -> dict[str, JSONValue]:
    given = shown.input if isinstance(shown.input, str) else list(shown.input)
    return {"input": given, "items": [item_json(item) for item in shown.items], "upto": shown.upto}


def _read_shown(fields: Fields, agents: Agents) -> Shown:
    given = fields.value("input")
    return Shown(
        input=given if isinstance(given, str) else tuple(fields.objects("input")),
        items=tuple(read_item(item, agents) for item in fields.inners("items")),
        upto=fields.number("upto"),
    )


def _held_json(given: Given) -> dict[str, JSONValue]:
    return item_json(given.run_item if isinstance(given, FunctionToolResult) else given)


def _interruption_json(item: ToolApprovalItem, progress: Progress) -> dict[str, JSONValue]:
    """Return where the call is that waits: what it asks for stands there, and nowhere else."""
    for call_id, paused in progress.paused.items():
        for place, inner in enumerate(paused.interruptions):
            if inner is item:
                return {"within": call_id, "place": place}
    return {"call": item.call_id, "tool": item.name, "tool_origin": origin_json(item.tool_origin)}


def _read_interruption(fields: Fields, progress: Progress) -> ToolApprovalItem:
    if fields.has("call"):
        call = _calls(progress).get(fields.text("call"))
        if call is None:
            raise broken(f"the last response has no call {fields.text('call')!r}")
        return ToolApprovalItem(progress.agent, call, fields.text("tool"), tool_origin=read_origin(fields))
    paused, place = progress.paused.get(fields.text("within")), fields.number("place")
    if paused is None or place >= len(paused.interruptions):
        raise broken("a call that waits for a yes is not there")
    return paused.interruptions[place]


def _calls(progress: Progress) -> dict[str, WireItem]:
    """Return the calls of the turn at hand, by their ids."""
    asked = progress.raw_responses[-1].wire_output if progress.raw_responses else []
    by_id = ((item.get("call_id") or item.get("id"), item) for item in asked)
    return {call_id: item for call_id, item in by_id if isinstance(call_id, str)}


def _check(progress: Progress) -> None:
    """See that what belongs together is there."""
    calls = _calls(progress)
    for call_id in (*progress.held, *progress.paused):
        if call_id not in calls:
            raise broken(f"the last response has no call {call_id!r}")
    if progress.interruptions and progress.has_ended:
        raise broken("it has ended, and a call of it waits")
    if progress.turn_begins > len(progress.new_items) or progress.kept > len(progress.history):
        raise broken("it has fewer items than it says")
    if progress.saved > len(progress.given_items()) + len(progress.new_items):
        raise broken("it has fewer items than it says")
    if progress.shown is not None and progress.shown.upto > len(progress.new_items):
        raise broken("it has fewer items than it says")
    added = {_said(item.wire) for item in progress.new_items[progress.turn_begins :]}
    if progress.interruptions and any(_said(call) not in added for call in calls.values()):
        raise broken("the calls of its last response are not among its items")


def _said(wire: WireItem) -> str:
    return json.dumps(wire, sort_keys=True)


def _policy(fields: Fields) -> ReasoningItemIdPolicy | None:
    match fields.value("reasoning_item_id_policy"):
        case None | "preserve" | "omit" as policy:
            return policy
        case other:
            raise broken(f"there is no reasoning_item_id_policy {other!r}")


def _read_trace(fields: Fields) -> dict[str, JSONValue]:
    return {
        "object": "trace",
        "id": fields.text("id"),
        "workflow_name": fields.text("workflow_name"),
        "group_id": fields.optional("group_id", str),
        "metadata": fields.optional("metadata", dict),
    }


def _approvals(fields: Fields) -> list[dict[str, JSONValue]]:
    decided = fields.objects("approvals")
    for one in fields.inners("approvals"):
        one.text("agent")
        one.optional("server", str)
        one.text("tool")
        decisions = [decision for _, decision in one.inner("calls").inner_items()]
        if one.value("always") is not None:
            decisions.append(one.inner("always"))
        for decision in decisions:
            decision.flag("approved")
            decision.optional("message", str)
            decision.flag("is_spent")
            decision.only("approved", "message", "is_spent")
    return decided
