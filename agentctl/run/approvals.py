"""Which calls of a turn may run: those that need nobody's yes or have it; the others are refused, or wait."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agentctl._lazy import exporter
from agentctl.agent.items import RunItem, ToolApprovalItem, ToolCallOutputItem, run_item
from agentctl.agent.tool import FunctionTool
from agentctl.agent.tool_errors import words_of_run
from agentctl.agent.tool_use import FunctionToolResult
from agentctl.agent.wire import WireItem

from .steps import FunctionCall, HostedCall
from .unknown_tools import UnknownCall

if TYPE_CHECKING:
    from .local_tools import LocalCall
    from .progress import Progress
    from .steps import ToolCall

# 5 ms that a run with function tools alone does not pay.
_load = exporter(__name__, {"asked": "agentctl.run.local_tools", "refused": "agentctl.run.local_tools"})[0]

REFUSED = "The call was not approved, so it was not made."
"""What the model is told of a call that was rejected without a word."""

Given: TypeAlias = FunctionToolResult | RunItem
"""What came of a call: of a function tool all that is known of it, of any other the item."""

_Asked: TypeAlias = "FunctionCall | LocalCall | HostedCall"


@dataclass(frozen=True, slots=True)
class Sorted:
    """The calls of a turn, by what becomes of them."""

    ready: list[ToolCall] = field(default_factory=list)
    refused: dict[str, Given] = field(default_factory=dict)
    """What the model reads of the calls that were rejected, by call id."""
    waiting: list[ToolApprovalItem] = field(default_factory=list)


async def sort_by_approval(calls: list[ToolCall], progress: Progress) -> Sorted:
    """Return which calls may run now, which were rejected, and which wait for a decision."""
    found = Sorted()
    for call in calls:
        if isinstance(call, UnknownCall) or not await _needs_approval(call, progress):
            found.ready.append(call)
            continue
        name, agent = _name(call), progress.agent
        item = ToolApprovalItem(agent, call.item.wire, name)
        status = progress.context.approvals.status(name, call.call_id, agent=agent.name)
        if status is None:
            status = await _decided_by_tool(call, item, progress)
        match status:
            case True:
                found.ready.append(call)
            case False:
                found.refused[call.call_id] = await _refusal(call, progress)
            case None:
                found.waiting.append(item)
    return found


def may_need_approval(call: ToolCall) -> bool:
    """Return whether a call has to be sorted at all."""
    if isinstance(call, UnknownCall):
        return False
    return isinstance(call, HostedCall) or call.tool.needs_approval is not False


def approval_response(call: HostedCall, progress: Progress, *, reason: str | None = None) -> RunItem:
    """Return the answer to the service's question: a yes, or a no for a reason."""
    wire: WireItem = {"type": "mcp_approval_response", "approval_request_id": call.call_id, "approve": reason is None}
    if reason is not None:
        wire["reason"] = reason
    return run_item(wire, progress.agent)


def _name(call: _Asked) -> str:
    return call.name if isinstance(call, HostedCall) else call.tool.name


async def _needs_approval(call: _Asked, progress: Progress) -> bool:
    if isinstance(call, HostedCall):
        return True
    wanted: Any = call.tool.needs_approval
    if not callable(wanted):
        return bool(wanted)
    asked, is_readable = _read(call, progress)
    if not is_readable:
        return True  # Nobody can say what such a call would do.
    answer = wanted(progress.context, asked, call.call_id)
    return bool(await answer if inspect.isawaitable(answer) else answer)


def _read(call: FunctionCall | LocalCall, progress: Progress) -> tuple[Any, bool]:
    """Return what a call asks for as its tool's `needs_approval` is given it, and whether it can be read."""
    if not isinstance(call, FunctionCall):
        return _loaded("asked")(call, progress), True
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        return None, False
    return arguments, isinstance(arguments, dict)


async def _decided_by_tool(call: _Asked, item: ToolApprovalItem, progress: Progress) -> bool | None:
    """Return what the tool's own function for such decisions says, None where it has none."""
    answer: Any
    if isinstance(call, HostedCall):
        answer = _asked_of_server(call, progress)
        if answer is None:
            return None
    elif isinstance(call.tool, FunctionTool) or call.tool.on_approval is None:
        return None
    else:
        answer = call.tool.on_approval(progress.context, item)
    if inspect.isawaitable(answer):
        answer = await answer
    approved = bool(answer.get("approve"))
    progress.context.approvals.decide(item, approved, always=False, message=None if approved else answer.get("reason"))
    return approved


def _asked_of_server(call: HostedCall, progress: Progress) -> Any:
    """Return what the agent's tool of the MCP server decides, None where it decides nothing."""
    # Only a run that is asked pays for it.
    from agentctl.agent.hosted_tools import HostedMCPTool, MCPToolApprovalRequest

    label = call.item.wire.get("server_label")
    for tool in progress.agent.tools:
        if isinstance(tool, HostedMCPTool) and tool.to_wire().get("server_label") == label:
            decide = tool.on_approval_request
            return None if decide is None else decide(MCPToolApprovalRequest(progress.context, call.item.raw_item))
    return None


async def _refusal(call: _Asked, progress: Progress) -> Given:
    message = progress.context.approvals.message(_name(call), call.call_id, agent=progress.agent.name)
    if isinstance(call, HostedCall):
        return approval_response(call, progress, reason=message or REFUSED)
    if message is None:
        message = await _words(call, progress)
    if not isinstance(call, FunctionCall):
        output: ToolCallOutputItem = _loaded("refused")(call, message, progress)
        return output
    wire = {"type": "function_call_output", "call_id": call.call_id, "output": message}
    item = ToolCallOutputItem(progress.agent, wire, output=message, tool_origin=call.tool.origin, failed=True)
    return FunctionToolResult(tool=call.tool, output=message, run_item=item)


async def _words(call: FunctionCall | LocalCall, progress: Progress) -> str:
    return await words_of_run(
        progress.config,
        kind="approval_rejected",
        tool_type=_kind(call),
        tool_name=call.tool.name,
        call_id=call.call_id,
        default_message=REFUSED,
        run_context=progress.context,
    )


def _kind(call: FunctionCall | LocalCall) -> Literal["function", "shell", "apply_patch"]:
    if isinstance(call, FunctionCall):
        return "function"
    return "apply_patch" if call.item.wire.get("type") == "apply_patch_call" else "shell"


def _loaded(name: str) -> Callable[..., Any]:
    function = _load(name)
    assert callable(function)
    return function
