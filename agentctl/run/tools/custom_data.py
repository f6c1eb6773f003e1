"""Applies `custom_data_extractor`: data about a call for the program, not for the model."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from agentctl.agent.context import ToolContext
from agentctl.agent.items.run_items import ToolCallOutputItem
from agentctl.agent.tools.custom_data import FunctionToolCustomDataContext
from agentctl.agent.tools.tool import FunctionTool
from agentctl.errors import UserError


async def custom_data_of(
    tool: FunctionTool, context: ToolContext[Any], item: ToolCallOutputItem
) -> dict[str, Any] | None:
    """Return the custom data that the tool's extractor gives for a completed call.

    Raises:
        UserError: the extractor raised, or returned something else than a mapping or None.
    """
    assert tool.custom_data_extractor is not None
    given = FunctionToolCustomDataContext(tool_context=context, tool=tool, output=item.output, raw_item=dict(item.wire))
    try:
        data = tool.custom_data_extractor(given)
        if inspect.isawaitable(data):
            data = await data
    except Exception as error:
        raise UserError(f"the custom_data_extractor of tool {tool.name!r} failed: {error}") from error
    if data is not None and not isinstance(data, Mapping):
        raise UserError(
            f"the custom_data_extractor of tool {tool.name!r} returned a {type(data).__name__}, not a mapping or None"
        )
    return None if data is None else dict(data)
