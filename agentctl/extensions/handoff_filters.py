"""Input filters for handoffs."""

from __future__ import annotations

from agentctl.agent.handoff import HandoffInputData
from agentctl.agent.handoff_history import default_handoff_history_mapper, nest_handoff_history
from agentctl.agent.items.run_items import RunItem
from agentctl.agent.wire import WireItem

__all__ = ["default_handoff_history_mapper", "nest_handoff_history", "remove_all_tools"]


def remove_all_tools(handoff_input_data: HandoffInputData) -> HandoffInputData:
    """Return the data without tool calls, their outputs, handoffs, and the reasoning that led to them."""
    data = handoff_input_data
    before = data.input_history
    return data.clone(
        input_history=before if isinstance(before, str) else tuple(item for item in before if not _is_of_tools(item)),
        pre_handoff_items=_others(data.pre_handoff_items),
        new_items=_others(data.new_items),
        input_items=None if data.input_items is None else _others(data.input_items),
    )


def _others(items: tuple[RunItem, ...]) -> tuple[RunItem, ...]:
    return tuple(item for item in items if not _is_of_tools(item.wire))


def _is_of_tools(item: WireItem) -> bool:
    kind = str(item.get("type"))
    return kind == "reasoning" or kind.startswith("mcp_") or kind.endswith(("_call", "_output"))
