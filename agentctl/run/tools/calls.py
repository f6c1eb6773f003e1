"""The calls of a turn, as a response asks for them, ready to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import HandoffCallItem, MCPApprovalRequestItem, ToolCallItem, ToolCallOutputItem
from agentctl.agent.tools.errors import format_failure
from agentctl.agent.tools.tool import FunctionTool

if TYPE_CHECKING:
    from agentctl.agent.handoff import Handoff
    from agentctl.run.active_run import ActiveRun

    from .local import LocalCall


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCall:
    """A call of a function tool, ready to run."""

    tool: FunctionTool
    item: ToolCallItem
    call_id: str
    arguments: str
    """A JSON text, as the model wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffCall:
    """A call that hands over to another agent."""

    handoff: Handoff[Any, Any]
    item: HandoffCallItem
    call_id: str
    arguments: str
    """A JSON text, as the model wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedCall:
    """A call that the service makes of a hosted MCP server, once it is approved."""

    item: MCPApprovalRequestItem
    name: str
    call_id: str
    """The id of the approval request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownCall:
    """A call of a tool that the agent does not have."""

    item: ToolCallItem
    name: str
    call_id: str


ToolCall: TypeAlias = "FunctionCall | UnknownCall | LocalCall | HostedCall"
"""A call that this process answers."""


async def answer_unknown(call: UnknownCall, run: ActiveRun) -> ToolCallOutputItem:
    """Return the output of a call of an unknown tool: an error for the model."""
    message = await format_failure(
        run.config,
        kind="tool_not_found",
        tool_type="function",
        tool_name=call.name,
        call_id=call.call_id,
        default_message=f"Error: there is no tool {call.name!r}",
        run_context=run.context,
    )
    wire = {"type": "function_call_output", "call_id": call.call_id, "output": message}
    return ToolCallOutputItem(run.agent, wire, output=message, failed=True)
