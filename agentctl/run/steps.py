"""The steps of a turn: `plan` reads what a response asks for, `decide` what follows from it. Values in, values out."""

from __future__ import annotations

import inspect
import json
from dataclasses import field
from typing import TYPE_CHECKING, Any, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.items.run_items import (
    HandoffCallItem,
    MCPApprovalRequestItem,
    MessageOutputItem,
    ModelResponse,
    RunItem,
    ToolApprovalItem,
    ToolCallItem,
    ToolSearchCallItem,
    message_refusal,
    message_text,
    run_item,
)
from agentctl.agent.items.tool_output import output_text
from agentctl.agent.output import AgentOutputSchemaBase
from agentctl.agent.ports import ModelRequest
from agentctl.agent.run_config import ToolNotFoundBehavior
from agentctl.agent.tools.tool import FunctionTool, FunctionToolResult, ToolsToFinalOutputResult
from agentctl.agent.wire import WireItem
from agentctl.errors import ModelBehaviorError, ModelRefusalError, UserError
from agentctl.grammar import add_article

from .tools.calls import FunctionCall, HandoffCall, HostedCall, ToolCall, UnknownCall

if TYPE_CHECKING:
    from agentctl.agent.handoff import Handoff
    from agentctl.agent.tools.hosted_tools import Tool

    from .tools.local import LocalCall


_LOCAL_CALLS = frozenset({"shell_call", "local_shell_call", "apply_patch_call", "custom_tool_call"})
"""The calls of tools that the API defines and that run here."""

_MOST_NAMES = 20
"""The number of tools that a message names: an MCP server may have thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The items of a response, and the calls that it asks for."""

    items: list[RunItem]
    """In the order of the response."""
    calls: list[ToolCall] = field(default_factory=list)
    handoffs: list[HandoffCall] = field(default_factory=list)

    @property
    def uses_tools(self) -> bool:
        """Return whether the model used a tool, including one that the service runs."""
        return any(isinstance(item, ToolCallItem | HandoffCallItem | ToolSearchCallItem) for item in self.items)


@dataclass(frozen=True, slots=True)
class RunAgain:
    """Call the model again, with the outputs of the tools."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """Switch to another agent: that of the first call."""

    calls: list[HandoffCall]


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Wait for approval."""

    calls: list[ToolApprovalItem]


@dataclass(frozen=True, slots=True)
class FinalOutput:
    """End the run with its final output."""

    value: Any
    message: RunItem | None = None
    """An item to add to the run, where no response has the output."""
    of_tools: bool = False
    """Whether it is the output of the tools of the last turn."""


NextStep: TypeAlias = RunAgain | HandOver | Interrupted | FinalOutput


def plan(
    response: ModelResponse, request: ModelRequest, agent: Agent[Any], tool_not_found: ToolNotFoundBehavior
) -> Plan:
    """Return what a response to `request` asks for.

    Raises:
        ModelBehaviorError: it calls a tool that the agent does not have, or makes a call without a name or id.
    """
    offer = _Offer(agent, request.tools, request.handoffs)
    planned = Plan(items=[])
    call: ToolCall | HandoffCall | None
    for raw, wire in zip(response.raw_output, response.wire_output, strict=True):
        source = wire if raw is wire else raw
        if wire.get("type") == "function_call":
            item, call = _plan_call(wire, source, offer, tool_not_found)
        else:
            item = run_item(wire, agent, raw=source)
            call = _plan_item(item, offer)
        planned.items.append(item)
        if isinstance(call, HandoffCall):
            planned.handoffs.append(call)
        elif call is not None:
            planned.calls.append(call)
    return planned


def decide(
    plan: Plan, tool_result: ToolsToFinalOutputResult, response: ModelResponse, schema: AgentOutputSchemaBase | None
) -> NextStep:
    """Return what follows a response whose tools, if any, have run.

    Raises:
        ModelRefusalError: the model refused, or the service's filter cut the answer.
        ModelBehaviorError: the final output is missing, or not of the requested form.
    """
    if plan.handoffs:
        return HandOver(plan.handoffs)
    if tool_result.is_final_output:
        return FinalOutput(tool_result.final_output, of_tools=True)
    if plan.calls:
        return RunAgain()
    message = next((item.wire for item in reversed(plan.items) if isinstance(item, MessageOutputItem)), None)
    if message is None and plan.uses_tools and not response.incomplete:
        return RunAgain()  # The output of the service's tools is in the history; the answer is still to come.
    text = message_text(message) if message else ""
    if message and not text and (refusal := message_refusal(message)):
        raise ModelRefusalError(refusal)
    if response.incomplete == "content_filter":
        raise ModelRefusalError("the service's content filter cut the answer")
    if response.incomplete and not text:
        raise ModelBehaviorError(
            f"the answer was cut before its first word ({response.incomplete}); raise max_tokens, "
            "which the model's reasoning counts against too"
        )
    if schema is None or schema.is_plain_text():
        return FinalOutput(text)
    if not text:
        raise ModelBehaviorError(f"the model gave no output where {schema.name()} was requested")
    if response.incomplete and not _is_json(text):
        raise ModelBehaviorError(
            f"the output was cut before its end ({response.incomplete}); raise max_tokens", reply=text
        )
    return FinalOutput(schema.validate_json(text))


async def final_output_of(
    results: list[FunctionToolResult], agent: Agent[Any], context: RunContextWrapper[Any]
) -> ToolsToFinalOutputResult:
    """Return whether the run ends with these tool outputs, and with which, as `Agent.tool_use_behavior` says.

    An agent without an output type gives a text: the one that the model would have read.

    Raises:
        UserError: the function `tool_use_behavior` returned something else.
    """
    if not results or agent.tool_use_behavior == "run_llm_again":
        return _RUN_AGAIN
    result = await _apply_tool_use_behavior(results, agent, context)
    if result.is_final_output and agent.output_type in (None, str):
        return ToolsToFinalOutputResult(is_final_output=True, final_output=output_text(result.final_output))
    return result


_RUN_AGAIN = ToolsToFinalOutputResult(is_final_output=False)


class _Offer:
    """The tools and handoffs that a request offered, by name."""

    __slots__ = ("agent", "functions", "handoffs", "tools")

    def __init__(self, agent: Agent[Any], tools: list[Tool], handoffs: list[Handoff[Any, Any]]) -> None:
        self.agent = agent
        self.tools = tools
        self.functions = {tool.qualified_name: tool for tool in tools if isinstance(tool, FunctionTool)}
        self.handoffs = {handoff.tool_name: handoff for handoff in handoffs}


def _plan_call(
    wire: WireItem, source: Any, offer: _Offer, tool_not_found: ToolNotFoundBehavior
) -> tuple[RunItem, ToolCall | HandoffCall]:
    name, call_id, arguments = wire.get("name"), wire.get("call_id") or wire.get("id"), wire.get("arguments") or "{}"
    if not isinstance(name, str) or not name or not isinstance(call_id, str) or not call_id:
        raise ModelBehaviorError(f"the model made a tool call without {'an id' if name else 'a name'}")
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments)
    qualified = f"{wire['namespace']}.{name}" if wire.get("namespace") else name
    if qualified in offer.functions:
        name = qualified
    is_known = name in offer.handoffs or name in offer.functions
    if is_known and wire.get("status") == "incomplete":
        raise ModelBehaviorError(f"the call of tool {name!r} was cut before its end; raise max_tokens")
    if name in offer.handoffs:
        taken = HandoffCallItem(offer.agent, source)
        return taken, HandoffCall(handoff=offer.handoffs[name], item=taken, call_id=call_id, arguments=arguments)
    if name in offer.functions:
        tool = offer.functions[name]
        item = ToolCallItem(offer.agent, source, description=tool.description, tool_origin=tool.origin)
        return item, FunctionCall(tool=tool, item=item, call_id=call_id, arguments=arguments)
    if tool_not_found == "raise_error":
        raise _unknown_tool(name, offer)
    item = ToolCallItem(offer.agent, source)
    return item, UnknownCall(item=item, name=name, call_id=call_id)


def _unknown_tool(name: str, offer: _Offer) -> ModelBehaviorError:
    if any(tool.name == name for tool in offer.tools):
        return ModelBehaviorError(
            f"the model called {name!r} as a function, but it is not one: it is a tool of the API, which has calls of "
            "its own; the model or the endpoint does not support it"
        )
    known = sorted((*offer.functions, *offer.handoffs))
    names = ", ".join(known[:_MOST_NAMES]) or "none"
    more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    return ModelBehaviorError(
        f"Tool {name} not found: the model called it, and agent {offer.agent.name!r} has no such tool (it has: "
        f"{names}{more})"
    )


def _plan_item(item: RunItem, offer: _Offer) -> LocalCall | HostedCall | None:
    if isinstance(item, ToolCallItem) and item.wire.get("type") in _LOCAL_CALLS:
        # 5 ms that a run with function tools alone does not pay.
        from .tools.local import local_call

        return local_call(item, offer.tools, offer.agent)
    return _hosted_call(item) if isinstance(item, MCPApprovalRequestItem) else None


def _hosted_call(item: MCPApprovalRequestItem) -> HostedCall:
    name, request_id = item.wire.get("name"), item.wire.get("id")
    if not isinstance(request_id, str) or not isinstance(name, str):
        raise ModelBehaviorError("the service requests approval of a tool call without a name or an id")
    return HostedCall(item=item, name=name, call_id=request_id)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


async def _apply_tool_use_behavior(
    results: list[FunctionToolResult], agent: Agent[Any], context: RunContextWrapper[Any]
) -> ToolsToFinalOutputResult:
    behavior = agent.tool_use_behavior
    if isinstance(behavior, str):
        return ToolsToFinalOutputResult(is_final_output=True, final_output=results[0].output)
    if isinstance(behavior, dict):
        names = behavior.get("stop_at_tool_names", ())
        stopping = next((result for result in results if result.tool.name in names), None)
        return _RUN_AGAIN if stopping is None else ToolsToFinalOutputResult(True, stopping.output)
    result = behavior(context, results)
    if inspect.isawaitable(result):
        result = await result
    if not isinstance(result, ToolsToFinalOutputResult):
        raise UserError(
            f"agent {agent.name!r}: the function tool_use_behavior returned {add_article(type(result).__name__)}, "
            "not a ToolsToFinalOutputResult"
        )
    return result
