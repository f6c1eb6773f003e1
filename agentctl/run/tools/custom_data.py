"""Applies `custom_data_extractor`: data about a call for the program, not for the model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from agentctl.agent.context import ToolContext
from agentctl.agent.items.run_items import ToolCallOutputItem
from agentctl.agent.tools.custom_data import FunctionToolCustomDataContext
from agentctl.agent.tools.tool import FunctionTool
from agentctl.errors import UserError
from agentctl.grammar import add_article

T = TypeVar("T")


async def custom_data_of(
    tool: FunctionTool, context: ToolContext[Any], item: ToolCallOutputItem
) -> dict[str, Any] | None:
    """Return the custom data that the tool's extractor gives for a completed call.

    Raises:
        UserError: the extractor raised, or returned something else than a mapping or None.
    """
    assert tool.custom_data_extractor is not None
    given = FunctionToolCustomDataContext(tool_context=context, tool=tool, output=item.output, raw_item=dict(item.wire))
    return await extract(tool.name, tool.custom_data_extractor, given)


async def extract(tool_name: str, extractor: Callable[[T], Any], context: T) -> dict[str, Any] | None:
    """Return the custom data that an extractor gives for a completed call.

    Raises:
        UserError: the extractor raised, or returned something else than a mapping or None.
    """
    try:
        data = extractor(context)
        if inspect.isawaitable(data):
            data = await data
    except Exception as error:
        raise UserError(f"the custom_data_extractor of tool {tool_name!r} failed: {error}") from error
    if data is not None and not isinstance(data, Mapping):
        raise UserError(
            f"the custom_data_extractor of tool {tool_name!r} returned {add_article(type(data).__name__)}, "
            "not a mapping or None"
        )
    return None if data is None else dict(data)
