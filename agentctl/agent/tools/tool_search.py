"""Tool search: the model is given tools only when it looks for them."""

from __future__ import annotations

import copy
from typing import Literal

from agentctl._dataclass import dataclass
from agentctl.agent.model_settings import to_json
from agentctl.agent.wire import JSONValue
from agentctl.errors import UserError

from .api_tool import ApiTool
from .tool import FunctionTool


@dataclass
class ToolSearchTool(ApiTool):
    """A search for the tools with `defer_loading`, which the service runs."""

    description: str | None = None
    execution: Literal["server", "client"] | None = None
    parameters: object | None = None

    @property
    def name(self) -> str:
        """The name `tool_search`."""
        return "tool_search"

    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""
        options = {
            "description": self.description,
            "execution": self.execution,
            "parameters": to_json(self.parameters),
        }
        return {"type": "tool_search", **{name: value for name, value in options.items() if value is not None}}


def tool_namespace(*, name: str, description: str | None, tools: list[FunctionTool]) -> list[FunctionTool]:
    """Return copies of tools that the model sees grouped below a name, which a tool search finds together.

    Raises:
        UserError: the name or the description is empty, or a tool is no function tool.
    """
    if not isinstance(name, str) or not name.strip():
        raise UserError("tool_namespace() requires a non-empty name")
    if not isinstance(description, str) or not description.strip():
        raise UserError("tool_namespace() requires a non-empty description")
    grouped = []
    for tool in tools:
        if not isinstance(tool, FunctionTool):
            raise UserError(f"tool_namespace() takes function tools, not {type(tool).__name__}")
        twin = copy.copy(tool)
        twin.namespace, twin.namespace_description = name.strip(), description.strip()
        grouped.append(twin)
    return grouped
