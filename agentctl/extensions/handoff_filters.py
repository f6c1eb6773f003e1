"""Input filters for handoffs."""

from __future__ import annotations

from agentctl.agent.handoff import HandoffInputData
from agentctl.agent.handoff_history import default_handoff_history_mapper, nest_handoff_history
from agentctl.agent.items.run_items import RunItem
from agentctl.agent.wire import WireItem

__all__ = ["default_handoff_history_mapper", "nest_handoff_history", "remove_all_tools"]


def remove_all_tools(handoff_input_data: HandoffInputData) -> HandoffInputData:
    """Return the data without tool calls, their outputs and programs, handoffs and reasoning."""
    data = handoff_input_data
    history = data.input_history
    return data.clone(
        input_history=history
        if isinstance(history, str)
        else tuple(item for item in history if not _is_tool_item(item)),
        pre_handoff_items=_without_tools(data.pre_handoff_items),
        new_items=_without_tools(data.new_items),
        input_items=None if data.input_items is None else _without_tools(data.input_items),
    )


def _without_tools(items: tuple[RunItem, ...]) -> tuple[RunItem, ...]:
    return tuple(item for item in items if not _is_tool_item(item.wire))


def _is_tool_item(item: WireItem) -> bool:
    kind = str(item.get("type"))
    return kind in ("reasoning", "program") or kind.startswith("mcp_") or kind.endswith(("_call", "_output"))
