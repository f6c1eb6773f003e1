"""Splits a turn's tool calls into ready, rejected and awaiting approval."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import RunItem, ToolApprovalItem, ToolCallOutputItem, run_item
from agentctl.agent.tools.errors import format_failure
from agentctl.agent.tools.tool import FunctionToolResult
from agentctl.agent.wire import WireItem
from agentctl.errors import AgentsException, ModelBehaviorError, UserError
from agentctl.run.tools.calls import FunctionCall, HostedCall, UnknownCall

if TYPE_CHECKING:
    from agentctl.agent.approvals import Decision
    from agentctl.agent.run_config import RunConfig
    from agentctl.run.active_run import ActiveRun
    from agentctl.run.tools.calls import ToolCall

    from .local import LocalCall

REJECTED = "The call was not approved, so it was not made."
"""The output of a call that was rejected without a message."""

CallResult: TypeAlias = FunctionToolResult | RunItem
"""The result of a call: of a function tool with its output, of any other call its item."""

_ApprovableCall: TypeAlias = "FunctionCall | LocalCall | HostedCall"


@dataclass(frozen=True, slots=True)
class ApprovalSplit:
    """The calls of a turn, split by approval."""

    ready: list[ToolCall] = field(default_factory=list)
    rejected: dict[str, CallResult] = field(default_factory=dict)
    """Outputs of the calls that were rejected, by call id."""
    waiting: list[ToolApprovalItem] = field(default_factory=list)


async def split_by_approval(calls: list[ToolCall], run: ActiveRun, awaited: frozenset[str]) -> ApprovalSplit:
    """Return the calls that may run now, those that were rejected, and those that wait for approval.

    `awaited` are the ids of calls that waited before; they keep waiting until they are decided.

    Raises:
        UserError: a function of the user that decides about calls failed.
    """
    split = ApprovalSplit()
    for call in calls:
        if (
            isinstance(call, UnknownCall)
            or call.call_id in run.turn.nested_runs
            or not may_need_approval(call, awaited, run.config)
        ):
            split.ready.append(call)
            continue
        item = _item(call, run)
        decision = run.context.approvals.take(item)
        if decision is None:
            if call.call_id not in awaited and not await _needs_approval(call, item, run):
                split.ready.append(call)
                continue
            decision = await _decide_by_tool(call, item, run)
            if decision is None:
                objection = None if call.call_id in awaited else await _objection(call, run)
                if objection is None:
                    split.waiting.append(item)
                else:
                    split.rejected[call.call_id] = objection
                continue
        if decision.approved:
            split.ready.append(call)
        else:
            split.rejected[call.call_id] = await _rejection(call, decision, run)
    return split


def check_unique_call_ids(calls: list[ToolCall], waiting: list[ToolApprovalItem]) -> None:
    """Check that each decision is about one call only.

    Raises:
        ModelBehaviorError: calls of one turn have the same id.
    """
    ids = Counter(call.call_id for call in calls)
    ids.update(f"{item.call_id} of {item.agent.name}, {item.name}" for item in waiting)
    for call_id, count in ids.items():
        if count > 1:
            raise ModelBehaviorError(
                f"the model gave {count} calls the same id {call_id!r}, so they cannot be approved one by one"
            )


def may_need_approval(call: ToolCall, awaited: frozenset[str], config: RunConfig) -> bool:
    """Return whether a call may need approval; one that has waited does, even if its tool has changed since."""
    if isinstance(call, UnknownCall):
        return False
    if config.needs_approval is not None:
        return True
    return isinstance(call, HostedCall) or call.tool.needs_approval is not False or call.call_id in awaited


def approval_response(call: HostedCall, run: ActiveRun, *, reason: str | None = None) -> RunItem:
    """Return the response to the service's approval request: approved, or rejected for a reason."""
    wire: WireItem = {"type": "mcp_approval_response", "approval_request_id": call.call_id, "approve": reason is None}
    if reason is not None:
        wire["reason"] = reason
    return run_item(wire, run.agent)


def _name(call: _ApprovableCall) -> str:
    return call.name if isinstance(call, HostedCall) else call.tool.name


def _item(call: _ApprovableCall, run: ActiveRun) -> ToolApprovalItem:
    origin = call.tool.origin if isinstance(call, FunctionCall) else None
    return ToolApprovalItem(run.agent, call.item.wire, _name(call), tool_origin=origin)


async def _needs_approval(call: _ApprovableCall, item: ToolApprovalItem, run: ActiveRun) -> bool:
    if isinstance(call, HostedCall) or (run.config.needs_approval is not None and run.config.needs_approval(item)):
        return True
    needs_approval: Any = call.tool.needs_approval
    if not callable(needs_approval):
        return bool(needs_approval)
    request, is_readable = _approval_request(call, run)
    if not is_readable:
        return True  # The effect of such a call is unknown.
    return bool(await _call_user("needs_approval", call, needs_approval, run.context, request, call.call_id))


def _approval_request(call: FunctionCall | LocalCall, run: ActiveRun) -> tuple[Any, bool]:
    """Return a call in the form that `needs_approval` takes, and whether its arguments can be parsed."""
    if not isinstance(call, FunctionCall):
        # 5 ms that a run with function tools alone does not pay.
        from .local import approval_request

        return approval_request(call, run), True
    try:
        arguments = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return None, False
    return arguments, isinstance(arguments, dict)


async def _decide_by_tool(call: _ApprovableCall, item: ToolApprovalItem, run: ActiveRun) -> Decision | None:
    """Return the decision of the tool's own callback, None where it has none."""
    if isinstance(call, HostedCall):
        answer = await _decide_by_server(call, run)
    elif isinstance(call, FunctionCall) or call.tool.on_approval is None:
        answer = None
    else:
        answer = await _call_user("on_approval", call, call.tool.on_approval, run.context, item)
    if answer is None:
        return None
    if not isinstance(answer, Mapping) or not isinstance(answer.get("approve"), bool):
        raise UserError(
            f"the approval callback of tool {_name(call)!r} must return a dict with approve, not {answer!r}"
        )
    approved, reason = answer["approve"], answer.get("reason")
    message = None if approved or reason is None else str(reason)
    run.context.approvals.decide(item, approved, always=False, message=message)
    return run.context.approvals.take(item)


async def _decide_by_server(call: HostedCall, run: ActiveRun) -> Any:
    """Return the decision of the callback of the agent's hosted MCP tool, None where it has none."""
    # 5 ms that only a run with an approval request of the service pays.
    from agentctl.agent.tools.hosted_tools import HostedMCPTool, MCPToolApprovalRequest

    label = call.item.wire.get("server_label")
    for tool in run.agent.tools:
        if isinstance(tool, HostedMCPTool) and tool.to_wire().get("server_label") == label:
            decide = tool.on_approval_request
            request = MCPToolApprovalRequest(run.context, call.item.raw_item)
            return None if decide is None else await _call_user("on_approval_request", call, decide, request)
    return None


async def _call_user(what: str, call: _ApprovableCall, function: Callable[..., Any], *given: Any) -> Any:
    """Return the result of a function of the user, async or not."""
    try:
        answer = function(*given)
        return await answer if inspect.isawaitable(answer) else answer
    except AgentsException:
        raise
    except Exception as error:
        raise UserError(f"{what} of tool {_name(call)!r} failed: {type(error).__name__}: {error}") from error


async def _objection(call: _ApprovableCall, run: ActiveRun) -> CallResult | None:
    """Return the output of a call that a guardrail rejects before approval is asked for."""
    config = run.config.tool_execution
    if config is None or not config.pre_approval_tool_input_guardrails or not isinstance(call, FunctionCall):
        return None
    # 5 ms that only a run with guardrails before approvals pays.
    from .call import tool_context
    from .guardrails import check_call

    message = await check_call(call.tool, tool_context(call, run), run)
    return None if message is None else _rejected_result(call, message, run, denied=False)


async def _rejection(call: _ApprovableCall, decision: Decision, run: ActiveRun) -> CallResult:
    message = decision.message
    if isinstance(call, HostedCall):
        return approval_response(call, run, reason=message or REJECTED)
    if message is None:
        message = await _rejection_text(call, run)
    if isinstance(call, FunctionCall):
        return _rejected_result(call, message, run, denied=True)
    # 5 ms that a run with function tools alone does not pay.
    from .local import reject_local

    return reject_local(call, message, run)


def _rejected_result(call: FunctionCall, message: str, run: ActiveRun, *, denied: bool) -> FunctionToolResult:
    wire = {"type": "function_call_output", "call_id": call.call_id, "output": message}
    item = ToolCallOutputItem(
        run.agent, wire, output=message, tool_origin=call.tool.origin, failed=denied, denied=denied
    )
    return FunctionToolResult(tool=call.tool, output=message, run_item=item)


async def _rejection_text(call: FunctionCall | LocalCall, run: ActiveRun) -> str:
    return await format_failure(
        run.config,
        kind="approval_rejected",
        tool_type=_kind(call),
        tool_name=call.tool.name,
        call_id=call.call_id,
        default_message=REJECTED,
        run_context=run.context,
    )


def _kind(call: FunctionCall | LocalCall) -> Literal["function", "shell", "apply_patch", "custom"]:
    if isinstance(call, FunctionCall):
        return "function"
    match call.item.wire.get("type"):
        case "apply_patch_call":
            return "apply_patch"
        case "custom_tool_call":
            return "custom"
        case _:
            return "shell"
