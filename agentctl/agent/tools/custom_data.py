"""Custom data that a tool attaches to its output items for the program."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.wire import WireItem

if TYPE_CHECKING:
    from agentctl.agent.context import ToolContext

    from .tool import FunctionTool


@dataclass(frozen=True)
class FunctionToolCustomDataContext:
    """A finished call, as the argument of the tool's `custom_data_extractor`."""

    tool_context: ToolContext[Any]
    tool: FunctionTool
    output: Any
    raw_item: WireItem
    """The output item for the model."""


FunctionToolCustomDataExtractor: TypeAlias = Callable[
    [FunctionToolCustomDataContext], Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None
]
"""Returns the custom data of a call's output item, which the model never sees."""
