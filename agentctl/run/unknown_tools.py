"""The answer to a call of a tool that the agent does not have, where the run goes on after one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentctl._dataclass import dataclass
from agentctl.agent.items import ToolCallItem, ToolCallOutputItem
from agentctl.agent.tool_errors import words_of_run

if TYPE_CHECKING:
    from .progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownCall:
    """A call of a tool that the agent does not have."""

    item: ToolCallItem
    name: str
    call_id: str


async def answer_unknown(call: UnknownCall, progress: Progress) -> ToolCallOutputItem:
    """Return what the model reads in place of an output."""
    message = await words_of_run(
        progress.config,
        kind="tool_not_found",
        tool_type="function",
        tool_name=call.name,
        call_id=call.call_id,
        default_message=f"Error: there is no tool {call.name!r}",
        run_context=progress.context,
    )
    wire = {"type": "function_call_output", "call_id": call.call_id, "output": message}
    return ToolCallOutputItem(progress.agent, wire, output=message, failed=True)
