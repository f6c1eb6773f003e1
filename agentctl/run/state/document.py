"""Runs as JSON and back: one version number, agents by name, and no key in it."""

from __future__ import annotations

import dataclasses
import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from agentctl.agent.agent import Agent
from agentctl.agent.approvals import Approvals
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.guardrail import GuardrailFunctionOutput, InputGuardrail, InputGuardrailResult
from agentctl.agent.items.run_items import ToolApprovalItem, ToolCallItem
from agentctl.agent.json_values import plain
from agentctl.agent.run_config import ReasoningItemIdPolicy, RunConfig
from agentctl.agent.tools.guardrails import (
    ToolGuardrailFunctionOutput,
    ToolInputGuardrail,
    ToolInputGuardrailResult,
    ToolOutputGuardrail,
    ToolOutputGuardrailResult,
)
from agentctl.agent.tools.tool import FunctionTool, FunctionToolResult
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.errors import UserError
from agentctl.grammar import count
from agentctl.log import logger
from agentctl.run.active_run import ActiveRun
from agentctl.run.history import History, HistoryOverride
from agentctl.run.results import Results
from agentctl.run.spec import RunSpec
from agentctl.run.tools.approvals import CallResult
from agentctl.run.turn import TurnState

from .items import (
    item_json,
    origin_json,
    read_item,
    read_origin,
    read_response,
    read_usage,
    response_json,
)
from .reader import Fields, broken

VERSION = 1


def run_json(
    run: ActiveRun,
    *,
    context_serializer: ContextSerializer | None,
    strict_context: bool,
) -> dict[str, JSONValue]:
    """Return a run as JSON.

    Raises:
        UserError: `strict_context`, and the context is not JSON and has no serializer.
    """
    context = run.context
    return {
        "version": VERSION,
        **_run_json(run),
        "context": context_json(context.context, context_serializer, strict=strict_context),
        "context_is_serialized": context_serializer is not None,
        "approvals": context.approvals.to_json(),
        "trace": run.known_trace,
        "cache_key": run.cache_key,
    }


def read_run(
    initial_agent: Agent[Any],
    state: JSONValue,
    *,
    context_override: Any,
    context_deserializer: ContextDeserializer | None,
    strict_context: bool,
) -> ActiveRun:
    """Return the run saved as JSON.

    Raises:
        UserError: it has another version, names an agent that is not found, or is not output of `run_json`.
    """
    agents, fields = Agents(initial_agent), Fields(state, "the state")
    version = fields.value("version")
    if version != VERSION or isinstance(version, bool):
        raise UserError(f"the state has version {version!r}, and this agentctl reads version {VERSION}")
    context = RunContextWrapper(
        read_context(fields, context_override, context_deserializer, strict=strict_context),
        approvals=Approvals.from_json(_approvals(fields)),
    )
    run = _read_run(fields, agents, context)
    run.cache_key = fields.optional("cache_key", str) if fields.has("cache_key") else None
    if fields.optional("trace", dict) is not None:
        run.trace_json = _read_trace(fields.inner("trace"))
    return run


def _run_json(run: ActiveRun) -> dict[str, Any]:
    return {
        "input": run.history.input,
        "own_input": run.history.own_input,
        "saved": run.history.saved,
        "agent": run.agent.name,
        "turn": run.turn.number,
        "max_turns": run.spec.max_turns,
        "turn_begins": run.turn.first_item,
        "interrupted_at": run.turn.interrupted_at,
        "items": [item_json(item) for item in run.history.new_items],
        "responses": [response_json(response) for response in run.results.raw_responses],
        "usage": dataclasses.asdict(run.context.usage),
        "used_tools": sorted(run.turn.tool_users),
        "shown": None if run.history.override is None else _override_json(run.history.override),
        "pending_input": run.history.pending_input,
        "held": {call_id: _result_json(given) for call_id, given in run.turn.completed_results.items()},
        "interruptions": [_interruption_json(item, run) for item in run.turn.interruptions],
        "paused": {call_id: _run_json(nested) for call_id, nested in run.turn.nested_runs.items()},
        "guardrails": guardrails_json(run),
        "previous_response_id": run.history.previous_response_id,
        "auto_previous_response_id": run.history.auto_previous_response_id,
        "conversation_id": run.history.conversation_id,
        "kept": run.history.on_server,
        "still_unsent": run.history.still_unsent,
        "reasoning_item_id_policy": run.config.reasoning_item_id_policy,
        "has_ended": run.results.has_ended,
        "final_output": plain(run.results.final_output),
    }


def _read_run(fields: Fields, agents: Agents, context: RunContextWrapper[Any]) -> ActiveRun:
    given = fields.value("input")
    agent = agents(fields.text("agent"))
    policy = _policy(fields)
    history = History(
        input=given if isinstance(given, str) else fields.objects("input"),
        own_input=None if fields.value("own_input") is None else fields.objects("own_input"),
        saved=fields.number("saved"),
        new_items=[read_item(item, agents) for item in fields.inners("items")],
        pending_input=fields.objects("pending_input"),
        reasoning_ids=policy,
        previous_response_id=fields.optional("previous_response_id", str),
        auto_previous_response_id=fields.flag("auto_previous_response_id"),
        conversation_id=fields.optional("conversation_id", str),
        on_server=fields.number("kept"),
        still_unsent=fields.objects("still_unsent"),
    )
    run = ActiveRun(
        spec=RunSpec(
            context=context,
            config=RunConfig(reasoning_item_id_policy=policy),
            max_turns=fields.optional("max_turns", int),
        ),
        history=history,
        turn=TurnState(
            agent=agent,
            number=fields.number("turn"),
            first_item=fields.number("turn_begins"),
            tool_users=set(fields.texts("used_tools")),
            interrupted_at=fields.optional_time("interrupted_at") if fields.has("interrupted_at") else None,
        ),
        results=Results(
            raw_responses=[read_response(response) for response in fields.inners("responses")],
            has_ended=fields.flag("has_ended"),
            final_output=fields.value("final_output"),
        ),
    )
    context.usage = read_usage(fields.inner("usage"))
    if fields.optional("shown", dict) is not None:
        history.override = _read_override(fields.inner("shown"), agents)
    history.rebuild()
    for call_id, nested in fields.inner("paused").inner_items():
        inner = Agents(agents.behind_tool(agent, _tool_of(run, call_id)))
        run.turn.nested_runs[call_id] = _read_run(nested, inner, RunContextWrapper(None, approvals=context.approvals))
    for call_id, held in fields.inner("held").inner_items():
        run.turn.completed_results[call_id] = read_item(held, agents)
    for waiting in fields.inners("interruptions"):
        run.turn.interruptions.append(_read_interruption(waiting, run))
    read_guardrails(fields.inner("guardrails"), run, agents.all())
    _check(run)
    return run


def _tool_of(run: ActiveRun, call_id: str) -> str:
    for item in reversed(run.history.new_items):
        if isinstance(item, ToolCallItem) and item.call_id == call_id and item.tool_name:
            return item.tool_name
    raise broken(f"there is no tool call {call_id!r}")


def _override_json(shown: HistoryOverride) -> dict[str, Any]:
    given = shown.input if isinstance(shown.input, str) else list(shown.input)
    return {"input": given, "items": [item_json(item) for item in shown.items], "upto": shown.upto}


def _read_override(fields: Fields, agents: Agents) -> HistoryOverride:
    given = fields.value("input")
    return HistoryOverride(
        input=given if isinstance(given, str) else tuple(fields.objects("input")),
        items=tuple(read_item(item, agents) for item in fields.inners("items")),
        upto=fields.number("upto"),
    )


def _result_json(result: CallResult) -> dict[str, JSONValue]:
    return item_json(result.run_item if isinstance(result, FunctionToolResult) else result)


def _interruption_json(item: ToolApprovalItem, run: ActiveRun) -> dict[str, JSONValue]:
    """Return a reference to the call that waits: its content is saved only once, with the items."""
    for call_id, nested in run.turn.nested_runs.items():
        for place, inner in enumerate(nested.turn.interruptions):
            if inner is item:
                return {"within": call_id, "place": place}
    return {"call": item.call_id, "tool": item.name, "tool_origin": origin_json(item.tool_origin)}


def _read_interruption(fields: Fields, run: ActiveRun) -> ToolApprovalItem:
    if fields.has("call"):
        call = _calls(run).get(fields.text("call"))
        if call is None:
            raise broken(f"the last response has no call {fields.text('call')!r}")
        if call.get("type") in ("function_call", "custom_tool_call") and call.get("name") != fields.text("tool"):
            raise broken(f"call {fields.text('call')!r} is not one of tool {fields.text('tool')!r}")
        return ToolApprovalItem(run.agent, call, fields.text("tool"), tool_origin=read_origin(fields))
    nested, place = run.turn.nested_runs.get(fields.text("within")), fields.number("place")
    if nested is None or place >= len(nested.turn.interruptions):
        raise broken("a call that waits for approval is missing")
    return nested.turn.interruptions[place]


def _calls(run: ActiveRun) -> dict[str, WireItem]:
    """Return the calls of the turn at hand, by their ids."""
    asked = run.results.raw_responses[-1].wire_output if run.results.raw_responses else []
    by_id = ((item.get("call_id") or item.get("id"), item) for item in asked)
    return {call_id: item for call_id, item in by_id if isinstance(call_id, str)}


def _has_id(item: WireItem) -> bool:
    return isinstance(item.get("call_id") or item.get("id"), str)


def _check(run: ActiveRun) -> None:
    """Check that the parts of the run fit together."""
    calls = _calls(run)
    if run.turn.interruptions and len(calls) < sum(map(_has_id, run.results.raw_responses[-1].wire_output)):
        raise broken("two items of its last response have the same id")
    for call_id in (*run.turn.completed_results, *run.turn.nested_runs):
        if call_id not in calls:
            raise broken(f"the last response has no call {call_id!r}")
    if run.turn.interruptions and run.results.has_ended:
        raise broken("it has ended, and a call of it waits")
    if run.turn.first_item > len(run.history.new_items) or run.history.on_server > len(run.history.items):
        raise broken("it has fewer items than it says")
    if run.history.saved > len(run.history.given_items()) + len(run.history.new_items):
        raise broken("it has fewer items than it says")
    if run.history.override is not None and run.history.override.upto > len(run.history.new_items):
        raise broken("it has fewer items than it says")
    added = {_canonical(item.wire) for item in run.history.new_items[run.turn.first_item :]}
    if run.turn.interruptions and any(_canonical(call) not in added for call in calls.values()):
        raise broken("the calls of its last response are not among its items")


def _canonical(wire: WireItem) -> str:
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


class Agents:
    """The agents reachable from one by handoffs, by name."""

    def __init__(self, initial: Agent[Any]) -> None:
        """Collect the agents reachable from this one.

        Raises:
            UserError: it is not an Agent.
        """
        if not isinstance(initial, Agent):
            raise UserError(f"the state of a run is read with its first Agent, not {type(initial).__name__}")
        self._initial = initial
        self._by_name: dict[str, list[Agent[Any]]] = {}
        waiting, seen = deque([initial]), {id(initial)}
        while waiting:
            agent = waiting.popleft()
            self._by_name.setdefault(agent.name, []).append(agent)
            for target in _targets(agent):
                if id(target) not in seen:
                    seen.add(id(target))
                    waiting.append(target)

    def __call__(self, name: str) -> Agent[Any]:
        """Return the agent of a name.

        Raises:
            UserError: there is none, or there are several.
        """
        found = self._by_name.get(name, [])
        if len(found) == 1:
            return found[0]
        known = ", ".join(sorted(self._by_name))
        if not found:
            raise UserError(
                f"the state names agent {name!r}, which {self._initial.name!r} does not lead to (it leads to: {known})"
            )
        raise UserError(
            f"the state names agent {name!r}, and {self._initial.name!r} leads to {count(len(found), 'agent')} "
            "of that name"
        )

    def all(self) -> list[Agent[Any]]:
        """Return every agent."""
        return [agent for found in self._by_name.values() for agent in found]

    def behind_tool(self, agent: Agent[Any], tool_name: str) -> Agent[Any]:
        """Return the agent behind a tool of another agent.

        Raises:
            UserError: the agent has no such tool.
        """
        for tool in agent.tools:
            if isinstance(tool, FunctionTool) and tool.name == tool_name and tool.agent is not None:
                return tool.agent
        raise UserError(
            f"the state has a run within a call of tool {tool_name!r}, which is not an agent tool of {agent.name!r}"
        )


def _targets(agent: Agent[Any]) -> list[Agent[Any]]:
    targets = (given if isinstance(given, Agent) else given.agent for given in agent.handoffs)
    return [target for target in targets if target is not None]


ContextSerializer: TypeAlias = Callable[[Any], Mapping[str, Any]]
"""Returns the context as JSON."""

ContextDeserializer: TypeAlias = Callable[[Mapping[str, Any]], Any]
"""Returns the context from the JSON of the serializer."""


def context_json(context: Any, serializer: ContextSerializer | None, *, strict: bool) -> JSONValue:
    """Return the context as JSON; a context that cannot be saved is left out with a warning, or an error.

    Raises:
        UserError: `strict`, and it is not JSON and has no serializer; the serializer returns no JSON.
    """
    saved: JSONValue
    if serializer is not None:
        fields: Any = serializer(context)
        if not isinstance(fields, Mapping):
            raise UserError(f"context_serializer must return a mapping, not {type(fields).__name__}")
        try:
            saved = json.loads(json.dumps(dict(fields)))
        except (TypeError, ValueError, RecursionError) as error:
            raise UserError(f"the result of context_serializer is not JSON: {error}") from error
        return saved
    try:
        saved = json.loads(json.dumps(context, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        kind = type(context).__name__
    else:
        return saved
    if strict:
        raise UserError(f"the context of the run, of type {kind}, is not JSON; pass a context_serializer to to_json")
    saved = plain(context)
    if isinstance(saved, str):
        logger.warning("the context of the run, of type %s, is left out of its state: it is not JSON", kind)
        return None
    logger.warning(
        "the context of the run, of type %s, is saved in its state as JSON: objects as their fields, "
        "other values as text",
        kind,
    )
    return saved


def read_context(fields: Fields, override: Any, deserializer: ContextDeserializer | None, *, strict: bool) -> Any:
    """Return the context saved as JSON, or its override.

    Raises:
        UserError: `strict`, and it was saved by a serializer and has no deserializer; the deserializer failed.
    """
    saved, is_serialized = fields.value("context"), fields.flag("context_is_serialized")
    if override is not None:
        return override.context if isinstance(override, RunContextWrapper) else override
    if deserializer is not None and saved is not None:
        if not isinstance(saved, dict):
            raise UserError(f"context_deserializer takes a mapping, but the context of the state is {saved!r}")
        return _deserialize(saved, deserializer)
    if strict and is_serialized:
        raise UserError("the context of the run was saved by a serializer; pass its context_deserializer to from_json")
    return saved


def _deserialize(saved: dict[str, JSONValue], deserializer: ContextDeserializer) -> Any:
    try:
        return deserializer(saved)
    except Exception as error:
        raise UserError(f"context_deserializer failed: {type(error).__name__}: {error}") from error


def guardrails_json(run: ActiveRun) -> dict[str, JSONValue]:
    """Return the guardrail results so far; a state never has results of output guardrails."""
    return {
        "input": [
            {
                "name": result.guardrail.get_name(),
                "output_info": plain(result.output.output_info),
                "tripwire_triggered": result.output.tripwire_triggered,
            }
            for result in run.results.input_guardrail_results
        ],
        "tool_input": [_tool_json(result) for result in run.results.tool_input_guardrail_results],
        "tool_output": [_tool_json(result) for result in run.results.tool_output_guardrail_results],
    }


def read_guardrails(fields: Fields, run: ActiveRun, agents: list[Agent[Any]]) -> None:
    """Restore the guardrail results of a run; a guardrail that no longer exists is replaced by one that passes."""
    tools = [tool for agent in agents for tool in agent.tools if isinstance(tool, FunctionTool)]
    inputs = {one.get_name(): one for agent in agents for one in agent.input_guardrails}
    of_calls = {one.get_name(): one for tool in tools for one in tool.tool_input_guardrails or ()}
    of_outputs = {one.get_name(): one for tool in tools for one in tool.tool_output_guardrails or ()}
    for found in fields.inners("input"):
        name = found.text("name")
        output = GuardrailFunctionOutput(found.value("output_info"), found.flag("tripwire_triggered"))
        run.results.input_guardrail_results.append(
            InputGuardrailResult(inputs.get(name) or InputGuardrail(_pass_input, name), output)
        )
    for found in fields.inners("tool_input"):
        name = found.text("name")
        run.results.tool_input_guardrail_results.append(
            ToolInputGuardrailResult(of_calls.get(name) or ToolInputGuardrail(_pass_call, name), _tool_output(found))
        )
    for found in fields.inners("tool_output"):
        name = found.text("name")
        run.results.tool_output_guardrail_results.append(
            ToolOutputGuardrailResult(
                of_outputs.get(name) or ToolOutputGuardrail(_pass_call, name), _tool_output(found)
            )
        )


def _tool_json(result: ToolInputGuardrailResult | ToolOutputGuardrailResult) -> dict[str, JSONValue]:
    message = result.output.behavior.get("message")
    return {
        "name": result.guardrail.get_name(),
        "output_info": plain(result.output.output_info),
        "message": message if isinstance(message, str) else None,
    }


def _tool_output(found: Fields) -> ToolGuardrailFunctionOutput:
    info, message = found.value("output_info"), found.optional("message", str)
    if message is None:
        return ToolGuardrailFunctionOutput.allow(info)
    return ToolGuardrailFunctionOutput.reject_content(message, info)


def _pass_input(*_: Any) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(None, False)


def _pass_call(_: Any) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.allow()
