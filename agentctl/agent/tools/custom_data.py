"""What a tool may note of its calls for the program alone."""

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
    """A call that was run, as the tool's `custom_data_extractor` sees it."""

    tool_context: ToolContext[Any]
    tool: FunctionTool
    output: Any
    raw_item: WireItem
    """The output item, as the model will read it."""


FunctionToolCustomDataExtractor: TypeAlias = Callable[
    [FunctionToolCustomDataContext], Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None
]
"""Notes something of a call on its output item, for the program; the model never sees it."""
