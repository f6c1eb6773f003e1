"""What a response means and what follows from it: pure functions from values to values."""

from __future__ import annotations

import inspect
import json
from dataclasses import field
from typing import TYPE_CHECKING, Any, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import (
    HandoffCallItem,
    MCPApprovalRequestItem,
    MessageOutputItem,
    ModelResponse,
    RunItem,
    ToolApprovalItem,
    ToolCallItem,
    message_refusal,
    message_text,
    run_item,
)
from agentctl.agent.items.tool_output import output_text
from agentctl.agent.output import AgentOutputSchemaBase
from agentctl.agent.tools.tool import FunctionTool, FunctionToolResult, ToolsToFinalOutputResult
from agentctl.agent.wire import WireItem
from agentctl.errors import ModelBehaviorError, ModelRefusalError, UserError

from .active_run import Progress
from .tools.calls import FunctionCall, HandoffCall, HostedCall, ToolCall, UnknownCall

if TYPE_CHECKING:
    from agentctl.agent.handoff import Handoff
    from agentctl.agent.tools.hosted_tools import Tool
    from agentctl.agent.tools.tool import ToolsToFinalOutputResult
    from agentctl.run.tools.local import LocalCall

    from .active_run import Progress


_LOCAL_CALLS = frozenset({"shell_call", "local_shell_call", "apply_patch_call"})
"""The calls of tools that the API knows and that run here."""

_MOST_SHOWN = 20
"""How many tools a message names: an MCP server may have thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one response asks for."""

    items: list[RunItem]
    """The items of the response, in its order."""
    calls: list[ToolCall] = field(default_factory=list)
    handoffs: list[HandoffCall] = field(default_factory=list)

    @property
    def uses_tools(self) -> bool:
        """Whether the model used a tool, be it one that the service runs."""
        return any(isinstance(item, ToolCallItem | HandoffCallItem) for item in self.items)


@dataclass(frozen=True, slots=True)
class RunAgain:
    """The model is to be called with what the tools gave."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """Another agent gets the word: the first of those that were asked for."""

    calls: list[HandoffCall]


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The run waits for somebody's yes."""

    calls: list[ToolApprovalItem]


@dataclass(frozen=True, slots=True)
class FinalOutput:
    """The run has its final output."""

    value: Any
    message: RunItem | None = None
    """What it adds to the run's items, where no response has it."""
    of_tools: bool = False
    """Whether it is what the tools of the last turn gave."""


NextStep: TypeAlias = RunAgain | HandOver | Interrupted | FinalOutput


def plan(response: ModelResponse, progress: Progress, tools: list[Tool], handoffs: list[Handoff[Any, Any]]) -> Plan:
    """Return what a response asks for.

    Raises:
        ModelBehaviorError: it calls a tool that the agent does not have, or one without a name or id.
    """
    functions = {tool.name: tool for tool in tools if isinstance(tool, FunctionTool)}
    takers = {handoff.tool_name: handoff for handoff in handoffs}
    planned = Plan(items=[])
    for raw, wire in zip(response.raw_output, response.wire_output, strict=True):
        held = wire if raw is wire else raw
        if wire.get("type") == "function_call":
            _plan_call(wire, held, planned, progress, functions, takers)
            continue
        item = run_item(wire, progress.agent, raw=held)
        planned.items.append(item)
        if (
            isinstance(item, ToolCallItem)
            and wire.get("type") in _LOCAL_CALLS
            and (call := _local_call(item, tools, progress)) is not None
        ):
            planned.calls.append(call)
        elif isinstance(item, MCPApprovalRequestItem):
            planned.calls.append(_hosted_call(item))
    return planned


def decide(
    plan: Plan, tools_gave: ToolsToFinalOutputResult, response: ModelResponse, schema: AgentOutputSchemaBase | None
) -> NextStep:
    """Return what follows a response whose tools, if any, have run.

    Raises:
        ModelRefusalError: the model refused, or the service's filter cut the answer.
        ModelBehaviorError: the final output is missing, or not of the wanted form.
    """
    if plan.handoffs:
        return HandOver(plan.handoffs)
    if tools_gave.is_final_output:
        return FinalOutput(tools_gave.final_output, of_tools=True)
    if plan.calls:
        return RunAgain()
    message = next((item.wire for item in reversed(plan.items) if isinstance(item, MessageOutputItem)), None)
    if message is None and plan.uses_tools and not response.incomplete:
        return RunAgain()  # What tools of the service gave is in the history; the answer is still to come.
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
        raise ModelBehaviorError(f"the model gave no output where {schema.name()} was wanted")
    if response.incomplete and not _is_json(text):
        raise ModelBehaviorError(f"the output was cut before its end ({response.incomplete}); raise max_tokens")
    return FinalOutput(schema.validate_json(text))


def _plan_call(
    wire: WireItem,
    held: Any,
    planned: Plan,
    progress: Progress,
    functions: dict[str, FunctionTool],
    takers: dict[str, Handoff[Any, Any]],
) -> None:
    name, call_id, arguments = wire.get("name"), wire.get("call_id") or wire.get("id"), wire.get("arguments") or "{}"
    if not isinstance(name, str) or not name or not isinstance(call_id, str) or not call_id:
        raise ModelBehaviorError(f"the model made a tool call without {'an id' if name else 'a name'}")
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments)
    is_known = name in takers or name in functions
    if is_known and wire.get("status") == "incomplete":
        raise ModelBehaviorError(f"the call of tool {name!r} was cut before its end; raise max_tokens")
    if name in takers:
        taken = HandoffCallItem(progress.agent, held)
        planned.items.append(taken)
        planned.handoffs.append(HandoffCall(handoff=takers[name], item=taken, call_id=call_id, arguments=arguments))
        return
    if name in functions:
        tool = functions[name]
        item = ToolCallItem(progress.agent, held, description=tool.description, tool_origin=tool.origin)
        planned.items.append(item)
        planned.calls.append(FunctionCall(tool=tool, item=item, call_id=call_id, arguments=arguments))
        return
    item = ToolCallItem(progress.agent, held)
    planned.items.append(item)
    if progress.config.tool_not_found_behavior == "raise_error":
        known = sorted((*functions, *takers))
        shown = ", ".join(known[:_MOST_SHOWN]) or "none"
        more = f" and {len(known) - _MOST_SHOWN} more" if len(known) > _MOST_SHOWN else ""
        raise ModelBehaviorError(
            f"the model called tool {name!r}, which agent {progress.agent.name!r} does not have (it has: {shown}{more})"
        )
    planned.calls.append(UnknownCall(item=item, name=name, call_id=call_id))


def _local_call(item: ToolCallItem, tools: list[Tool], progress: Progress) -> LocalCall | None:
    # 5 ms that a run with function tools alone does not pay.
    from .tools.local import local_call

    return local_call(item, tools, progress)


def _hosted_call(item: MCPApprovalRequestItem) -> HostedCall:
    name, request_id = item.wire.get("name"), item.wire.get("id")
    if not isinstance(request_id, str) or not isinstance(name, str):
        raise ModelBehaviorError("the service asks about a tool call without a name or an id")
    return HostedCall(item=item, name=name, call_id=request_id)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


_RUN_AGAIN = ToolsToFinalOutputResult(is_final_output=False)


async def final_output_of(results: list[FunctionToolResult], progress: Progress) -> ToolsToFinalOutputResult:
    """Return whether the run ends with what these tools gave, and with which output.

    An agent without an output type gives a text: the one that the model would have read.

    Raises:
        UserError: the function `tool_use_behavior` returned something else.
    """
    if not results or progress.agent.tool_use_behavior == "run_llm_again":
        return _RUN_AGAIN
    decided = await _decided(results, progress)
    if decided.is_final_output and progress.agent.output_type in (None, str):
        return ToolsToFinalOutputResult(is_final_output=True, final_output=output_text(decided.final_output))
    return decided


async def _decided(results: list[FunctionToolResult], progress: Progress) -> ToolsToFinalOutputResult:
    behavior = progress.agent.tool_use_behavior
    if isinstance(behavior, str):
        return ToolsToFinalOutputResult(is_final_output=True, final_output=results[0].output)
    if isinstance(behavior, dict):
        names = behavior.get("stop_at_tool_names", ())
        stopping = next((result for result in results if result.tool.name in names), None)
        return _RUN_AGAIN if stopping is None else ToolsToFinalOutputResult(True, stopping.output)
    decided = behavior(progress.context, results)
    if inspect.isawaitable(decided):
        decided = await decided
    if not isinstance(decided, ToolsToFinalOutputResult):
        raise UserError(
            f"agent {progress.agent.name!r}: the function tool_use_behavior returned a {type(decided).__name__}, "
            "not a ToolsToFinalOutputResult"
        )
    return decided
