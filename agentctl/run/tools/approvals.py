"""Which calls of a turn may run: those that need nobody's yes or have it; the others are refused, or wait."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import RunItem, ToolApprovalItem, ToolCallOutputItem, run_item
from agentctl.agent.tools.errors import words_of_run
from agentctl.agent.tools.tool import FunctionToolResult
from agentctl.agent.wire import WireItem
from agentctl.errors import AgentsException, ModelBehaviorError, UserError
from agentctl.run.tools.calls import FunctionCall, HostedCall, UnknownCall

if TYPE_CHECKING:
    from agentctl.agent.approvals import Decision
    from agentctl.run.active_run import ActiveRun
    from agentctl.run.tools.calls import ToolCall

    from .local import LocalCall

REFUSED = "The call was not approved, so it was not made."
"""What the model is told of a call that was rejected without a word."""

CallResult: TypeAlias = FunctionToolResult | RunItem
"""What came of a call: of a function tool all that is known of it, of any other the item."""

_Asked: TypeAlias = "FunctionCall | LocalCall | HostedCall"


@dataclass(frozen=True, slots=True)
class ApprovalSplit:
    """The calls of a turn, by what becomes of them."""

    ready: list[ToolCall] = field(default_factory=list)
    refused: dict[str, CallResult] = field(default_factory=dict)
    """What the model reads of the calls that were rejected, by call id."""
    waiting: list[ToolApprovalItem] = field(default_factory=list)


async def sort_by_approval(calls: list[ToolCall], run: ActiveRun, asked: frozenset[str]) -> ApprovalSplit:
    """Return which calls may run now, which were rejected, and which wait for a decision.

    `asked` are the ids of calls that waited before: they still do until somebody decides.

    Raises:
        UserError: a function of a tool that has a say here failed.
    """
    found = ApprovalSplit()
    for call in calls:
        if isinstance(call, UnknownCall) or call.call_id in run.turn.nested_runs or not may_need_approval(call, asked):
            found.ready.append(call)
            continue
        item = _item(call, run)
        decision = run.context.approvals.take(item)
        if decision is None:
            if call.call_id not in asked and not await _needs_approval(call, run):
                found.ready.append(call)
                continue
            decision = await _decided_by_tool(call, item, run)
            if decision is None:
                objection = None if call.call_id in asked else await _objection(call, run)
                if objection is None:
                    found.waiting.append(item)
                else:
                    found.refused[call.call_id] = objection
                continue
        if decision.approved:
            found.ready.append(call)
        else:
            found.refused[call.call_id] = await _refusal(call, decision, run)
    return found


def check_unique_call_ids(calls: list[ToolCall], waiting: list[ToolApprovalItem]) -> None:
    """See that what is decided about one call is about no other.

    Raises:
        ModelBehaviorError: calls of one turn have the same id.
    """
    ids = Counter(call.call_id for call in calls)
    ids.update(f"{item.call_id} of {item.agent.name}, {item.name}" for item in waiting)
    for call_id, count in ids.items():
        if count > 1:
            raise ModelBehaviorError(
                f"the model gave {count} calls the id {call_id!r}: who decides about them cannot tell them apart"
            )


def may_need_approval(call: ToolCall, asked: frozenset[str]) -> bool:
    """Return whether a call has to be sorted at all; one that has waited has, whatever its tool is by now."""
    if isinstance(call, UnknownCall):
        return False
    return isinstance(call, HostedCall) or call.tool.needs_approval is not False or call.call_id in asked


def approval_response(call: HostedCall, run: ActiveRun, *, reason: str | None = None) -> RunItem:
    """Return the answer to the service's question: a yes, or a no for a reason."""
    wire: WireItem = {"type": "mcp_approval_response", "approval_request_id": call.call_id, "approve": reason is None}
    if reason is not None:
        wire["reason"] = reason
    return run_item(wire, run.agent)


def _name(call: _Asked) -> str:
    return call.name if isinstance(call, HostedCall) else call.tool.name


def _item(call: _Asked, run: ActiveRun) -> ToolApprovalItem:
    origin = call.tool.origin if isinstance(call, FunctionCall) else None
    return ToolApprovalItem(run.agent, call.item.wire, _name(call), tool_origin=origin)


async def _needs_approval(call: _Asked, run: ActiveRun) -> bool:
    if isinstance(call, HostedCall):
        return True
    wanted: Any = call.tool.needs_approval
    if not callable(wanted):
        return bool(wanted)
    asked, is_readable = _read(call, run)
    if not is_readable:
        return True  # Nobody can say what such a call would do.
    return bool(await _asked_function("needs_approval", call, wanted, run.context, asked, call.call_id))


def _read(call: FunctionCall | LocalCall, run: ActiveRun) -> tuple[Any, bool]:
    """Return what a call asks for as its tool's `needs_approval` is given it, and whether it can be read."""
    if not isinstance(call, FunctionCall):
        # 5 ms that a run with function tools alone does not pay.
        from .local import asked

        return asked(call, run), True
    try:
        arguments = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return None, False
    return arguments, isinstance(arguments, dict)


async def _decided_by_tool(call: _Asked, item: ToolApprovalItem, run: ActiveRun) -> Decision | None:
    """Return what the tool's own function for such decisions says, None where it has none."""
    if isinstance(call, HostedCall):
        answer = await _asked_of_server(call, run)
    elif isinstance(call, FunctionCall) or call.tool.on_approval is None:
        answer = None
    else:
        answer = await _asked_function("on_approval", call, call.tool.on_approval, run.context, item)
    if answer is None:
        return None
    if not isinstance(answer, Mapping) or not isinstance(answer.get("approve"), bool):
        raise UserError(f"what decides about calls of tool {_name(call)!r} gives a dict with approve, not {answer!r}")
    approved, reason = answer["approve"], answer.get("reason")
    message = None if approved or reason is None else str(reason)
    run.context.approvals.decide(item, approved, always=False, message=message)
    return run.context.approvals.take(item)


async def _asked_of_server(call: HostedCall, run: ActiveRun) -> Any:
    """Return what the agent's tool of the MCP server decides, None where it decides nothing."""
    # Only a run that is asked pays for it.
    from agentctl.agent.tools.hosted_tools import HostedMCPTool, MCPToolApprovalRequest

    label = call.item.wire.get("server_label")
    for tool in run.agent.tools:
        if isinstance(tool, HostedMCPTool) and tool.to_wire().get("server_label") == label:
            decide = tool.on_approval_request
            request = MCPToolApprovalRequest(run.context, call.item.raw_item)
            return None if decide is None else await _asked_function("on_approval_request", call, decide, request)
    return None


async def _asked_function(what: str, call: _Asked, function: Callable[..., Any], *given: Any) -> Any:
    """Return what a function of the user's says, async or not."""
    try:
        answer = function(*given)
        return await answer if inspect.isawaitable(answer) else answer
    except AgentsException:
        raise
    except Exception as error:
        raise UserError(f"{what} of tool {_name(call)!r} failed: {type(error).__name__}: {error}") from error


async def _objection(call: _Asked, run: ActiveRun) -> CallResult | None:
    """Return what the model reads of a call that nobody need be asked about, since a guardrail does not let it be."""
    config = run.config.tool_execution
    if config is None or not config.pre_approval_tool_input_guardrails or not isinstance(call, FunctionCall):
        return None
    # Only a run whose guardrails go before its approvals pays for it.
    from .call import tool_context
    from .guardrails import objection_to_call

    message = await objection_to_call(call.tool, tool_context(call, run), run)
    return None if message is None else _told(call, message, run, failed=False)


async def _refusal(call: _Asked, decision: Decision, run: ActiveRun) -> CallResult:
    message = decision.message
    if isinstance(call, HostedCall):
        return approval_response(call, run, reason=message or REFUSED)
    if message is None:
        message = await _words(call, run)
    if isinstance(call, FunctionCall):
        return _told(call, message, run, failed=True)
    # 5 ms that a run with function tools alone does not pay.
    from .local import refused

    return refused(call, message, run)


def _told(call: FunctionCall, message: str, run: ActiveRun, *, failed: bool) -> FunctionToolResult:
    wire = {"type": "function_call_output", "call_id": call.call_id, "output": message}
    item = ToolCallOutputItem(run.agent, wire, output=message, tool_origin=call.tool.origin, failed=failed)
    return FunctionToolResult(tool=call.tool, output=message, run_item=item)


async def _words(call: FunctionCall | LocalCall, run: ActiveRun) -> str:
    return await words_of_run(
        run.config,
        kind="approval_rejected",
        tool_type=_kind(call),
        tool_name=call.tool.name,
        call_id=call.call_id,
        default_message=REFUSED,
        run_context=run.context,
    )


def _kind(call: FunctionCall | LocalCall) -> Literal["function", "shell", "apply_patch"]:
    if isinstance(call, FunctionCall):
        return "function"
    return "apply_patch" if call.item.wire.get("type") == "apply_patch_call" else "shell"
