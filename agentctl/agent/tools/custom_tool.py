"""Custom tools: the model writes a free text, by a grammar if the tool has one, in place of JSON arguments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import Any, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.context import RunContextWrapper, ToolContext
from agentctl.agent.model_settings import to_json
from agentctl.agent.wire import JSONValue

from .api_tool import ApiTool, OnApproval

CustomToolExecutor: TypeAlias = Callable[[ToolContext[Any], str], Awaitable[Any] | Any]
"""Called with the call's context and the text of the model; returns the output."""

CustomToolApprovalFunction: TypeAlias = Callable[[RunContextWrapper[Any], str, str], bool | Awaitable[bool]]
"""Returns whether a call needs approval, from its text and id."""


@dataclass(frozen=True)
class CustomToolCustomDataContext:
    """A completed call, as `custom_data_extractor` sees it."""

    tool_context: ToolContext[Any]
    tool: CustomTool
    input: str
    output: str
    raw_item: Mapping[str, Any]
    """The output item, as the model reads it."""


CustomToolCustomDataExtractor: TypeAlias = Callable[
    [CustomToolCustomDataContext], Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None
]
"""Returns data about a call for the program, which the model never sees."""


@dataclass
class CustomTool(ApiTool):
    """A tool that takes free text."""

    name: str
    description: str
    on_invoke_tool: CustomToolExecutor
    format: Any = None
    """The form of the text, as the API takes it: `{"type": "grammar", "syntax": "lark", "definition": "…"}`."""
    needs_approval: bool | CustomToolApprovalFunction = False
    """Whether calls need approval, or a function that decides it for each call."""
    on_approval: OnApproval | None = None
    """Approves or rejects a call immediately."""
    defer_loading: bool = False
    """Whether the model sees the tool only once a tool search found it."""
    custom_data_extractor: CustomToolCustomDataExtractor | None = field(default=None, kw_only=True)
    """Returns `custom_data` of the output items."""

    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""
        wire: dict[str, JSONValue] = {"type": "custom", "name": self.name, "description": self.description}
        if self.format is not None:
            wire["format"] = to_json(self.format)
        return {**wire, "defer_loading": True} if self.defer_loading else wire

    def to_tool_choice(self) -> dict[str, JSONValue]:
        """Return the `tool_choice` that forces the model to use the tool."""
        return {"type": "custom", "name": self.name}
