"""A run as JSON and back: one version for the whole, agents by their names, and no key in it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from agentctl.agent.agent import Agent
from agentctl.agent.approvals import Approvals
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.items import RunItem, ToolApprovalItem, ToolCallItem
from agentctl.agent.tool import FunctionTool
from agentctl.agent.tool_use import FunctionToolResult
from agentctl.agent.wire import JSONValue
from agentctl.errors import UserError
from agentctl.log import logger

from .approvals import Given
from .config import RunConfig
from .progress import Progress, Shown
from .state_agents import Agents
from .state_guardrails import guardrails_json, read_guardrails
from .state_items import item_json, plain, read_approval, read_item, read_response, read_usage, response_json
from .state_reader import Fields, broken

VERSION = 1

ContextSerializer: TypeAlias = Callable[[Any], Mapping[str, Any]]
"""Returns the user's context as JSON."""

ContextDeserializer: TypeAlias = Callable[[Mapping[str, Any]], Any]
"""Makes the user's context of what the serializer gave."""


def run_json(
    progress: Progress,
    *,
    context_serializer: ContextSerializer | None,
    strict_context: bool,
    include_tracing_api_key: bool,
) -> dict[str, JSONValue]:
    """Return a run as JSON.

    Raises:
        UserError: `strict_context`, and the context is no JSON and has no serializer.
    """
    context, trace = progress.context, progress.trace
    return {
        "version": VERSION,
        **_run_json(progress),
        "context": _context_json(context.context, context_serializer, strict=strict_context),
        "context_is_serialized": context_serializer is not None,
        "approvals": context.approvals.to_json(),
        "trace": None if trace is None else trace.to_json(include_tracing_api_key=include_tracing_api_key),
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
        _context(fields, context_override, context_deserializer, strict=strict_context),
        approvals=Approvals.from_json(_approvals(fields)),
    )
    progress = _read_run(fields, agents, context)
    progress.trace_json = fields.optional("trace", dict)
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
        "held": {call_id: _given_json(given) for call_id, given in progress.held.items()},
        "interruptions": [_interruption_json(item, progress) for item in progress.interruptions],
        "paused": {call_id: _run_json(paused) for call_id, paused in progress.paused.items()},
        "guardrails": guardrails_json(progress),
        "previous_response_id": progress.previous_response_id,
        "auto_previous_response_id": progress.auto_previous_response_id,
        "conversation_id": progress.conversation_id,
        "kept": progress.kept,
        "still_unsent": progress.still_unsent,
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
        config=RunConfig(),
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
        progress.held[call_id] = _read_given(held, agents, agent)
    for item in fields.inners("interruptions"):
        progress.interruptions.append(_read_interruption(item, progress, agents))
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


def _given_json(given: Given) -> dict[str, JSONValue]:
    if isinstance(given, FunctionToolResult):
        return {"tool": given.tool.name, "item": item_json(given.run_item)}
    return {"tool": None, "item": item_json(given)}


def _read_given(fields: Fields, agents: Agents, agent: Agent[Any]) -> Given:
    item: RunItem = read_item(fields.inner("item"), agents)
    name = fields.optional("tool", str)
    if name is None:
        return item
    tool = next((tool for tool in agent.tools if isinstance(tool, FunctionTool) and tool.name == name), None)
    if tool is None:
        raise UserError(f"the state names tool {name!r}, which agent {agent.name!r} does not have")
    return FunctionToolResult(tool=tool, output=getattr(item, "output", None), run_item=item)


def _interruption_json(item: ToolApprovalItem, progress: Progress) -> dict[str, JSONValue]:
    for call_id, paused in progress.paused.items():
        for place, inner in enumerate(paused.interruptions):
            if inner is item:
                return {"within": call_id, "place": place}
    return item_json(item)


def _read_interruption(fields: Fields, progress: Progress, agents: Agents) -> ToolApprovalItem:
    if not fields.has("within"):
        return read_approval(fields, agents)
    paused, place = progress.paused.get(fields.text("within")), fields.number("place")
    if paused is None or place >= len(paused.interruptions):
        raise broken("a call that waits for a yes is not there")
    return paused.interruptions[place]


def _check(progress: Progress) -> None:
    """See that what belongs together is there."""
    asked = progress.raw_responses[-1].wire_output if progress.raw_responses else []
    calls = {item.get("call_id") or item.get("id") for item in asked}
    inner = {id(item) for paused in progress.paused.values() for item in paused.interruptions}
    own = [item.call_id for item in progress.interruptions if id(item) not in inner]
    for call_id in (*own, *progress.held, *progress.paused):
        if call_id not in calls:
            raise broken(f"the last response has no call {call_id!r}")
    if progress.turn_begins > len(progress.new_items) or progress.kept > len(progress.history):
        raise broken("it has fewer items than it says")
    if progress.saved > len(progress.given_items()) + len(progress.new_items):
        raise broken("it has fewer items than it says")
    if progress.shown is not None and progress.shown.upto > len(progress.new_items):
        raise broken("it has fewer items than it says")


def _approvals(fields: Fields) -> list[dict[str, JSONValue]]:
    decided = fields.objects("approvals")
    for one in fields.inners("approvals"):
        one.text("agent")
        one.text("tool")
        one.optional("always", bool)
        one.optional("message", str)
        if not all(isinstance(value, bool) for value in one.inner("calls").values()):
            raise broken("a decision is neither yes nor no")
        if not all(isinstance(value, str) for value in one.inner("messages").values()):
            raise broken("the message of a decision is no text")
    return decided


def _context_json(context: Any, serializer: ContextSerializer | None, *, strict: bool) -> JSONValue:
    if serializer is not None:
        kept = serializer(context)
        if not isinstance(kept, Mapping):
            raise UserError(f"context_serializer gives a mapping, not a {type(kept).__name__}")
        return plain(dict(kept))
    try:
        return json.loads(json.dumps(context))
    except (TypeError, ValueError):
        kind = type(context).__name__
    if strict:
        raise UserError(f"the context of the run is a {kind}, which is no JSON: give to_json a context_serializer")
    kept = plain(context)
    if isinstance(kept, str):
        logger.warning("the context of the run, a %s, is left out of its state: it is no JSON", kind)
        return None
    logger.warning("the context of the run, a %s, is kept in its state as a dict of its fields", kind)
    return kept


def _context(fields: Fields, override: Any, deserializer: ContextDeserializer | None, *, strict: bool) -> Any:
    kept = fields.value("context")
    if override is not None:
        return override
    if deserializer is not None:
        return deserializer(kept)
    if strict and fields.flag("context_is_serialized"):
        raise UserError("the context of the run was kept by a serializer: give from_json its context_deserializer")
    return kept
