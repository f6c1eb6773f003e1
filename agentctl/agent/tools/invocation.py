"""Calls of function tools outside of a run, in code for the Agents SDK."""

from __future__ import annotations

from typing import Any

from agentctl.agent.context import ToolContext

from .tool import FunctionTool, ToolOrigin


async def invoke_function_tool(*, function_tool: FunctionTool, context: ToolContext[Any], arguments: str) -> Any:
    """Return the output of a tool for these arguments, a JSON text."""
    return await function_tool.on_invoke_tool(context, arguments)


def default_tool_timeout_error_message(*, tool_name: str, timeout_seconds: float) -> str:
    """Return the text that the model reads for a call that took too long."""
    return f"Error: tool {tool_name!r} took longer than {timeout_seconds:g} s"


def get_function_tool_origin(function_tool: FunctionTool) -> ToolOrigin | None:
    """Return where a tool comes from."""
    return function_tool.origin
