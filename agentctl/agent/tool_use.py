"""What follows the tools of a turn: `Agent.tool_use_behavior` and what its functions take and return."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from agentctl._dataclass import dataclass

if TYPE_CHECKING:
    from .context import RunContextWrapper
    from .items import RunItem
    from .tool import FunctionTool


class StopAtTools(TypedDict):
    """The output of the first of these tools that was called is the final output."""

    stop_at_tool_names: list[str]


@dataclass
class ToolsToFinalOutputResult:
    """Whether the outputs of a turn's tools make the final output, and which."""

    is_final_output: bool
    final_output: Any | None = None


@dataclass
class FunctionToolResult:
    """What a call of a function tool gave."""

    tool: FunctionTool
    output: Any
    """What the tool returned, or the text that the model reads in its place."""
    run_item: RunItem
    agent_run_result: Any = None
    """The result of the run behind it, where the tool is an agent."""


ToolsToFinalOutputFunction: TypeAlias = (
    "Callable[[RunContextWrapper[Any], list[FunctionToolResult]], "
    "ToolsToFinalOutputResult | Awaitable[ToolsToFinalOutputResult]]"
)
"""Decides, from the results of a turn's tools, whether the run ends with them."""

ToolUseBehavior: TypeAlias = Literal["run_llm_again", "stop_on_first_tool"] | StopAtTools | ToolsToFinalOutputFunction
"""What follows the tools of a turn: the model reads their outputs, or they end the run."""
