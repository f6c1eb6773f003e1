"""Tools: what an agent may call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from .context import ToolContext


@dataclass
class FunctionTool:
    """A tool that runs here: the model sees name, description and schema, the engine calls `on_invoke_tool`."""

    name: str
    description: str
    params_json_schema: dict[str, Any]
    """The JSON schema of the arguments, an object."""
    on_invoke_tool: Callable[[ToolContext[Any], str], Awaitable[Any]]
    """Called with the call's context and the arguments as a JSON text; what it returns is put to the model as text."""
    strict_json_schema: bool = True
    """Whether the service must hold the model to the schema."""


Tool: TypeAlias = FunctionTool
