"""Which tools the model is offered in a turn: those that are enabled, each under a name of its own."""

from __future__ import annotations

import inspect
from typing import Any

from agentctl.agent.agent import Agent
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.tool import FunctionTool, Tool

from .config import RunConfig


async def enabled_tools(agent: Agent[Any], context: RunContextWrapper[Any], config: RunConfig) -> list[Tool]:
    """Return the tools of an agent that are enabled in this turn, in the agent's order."""
    if all(not isinstance(tool, FunctionTool) or tool.is_enabled is True for tool in agent.tools):
        return list(agent.tools)
    return [tool for tool in agent.tools if await _is_enabled(tool, agent, context)]


async def _is_enabled(tool: Tool, agent: Agent[Any], context: RunContextWrapper[Any]) -> bool:
    if not isinstance(tool, FunctionTool):
        return True
    if not callable(tool.is_enabled):
        return bool(tool.is_enabled)
    answer = tool.is_enabled(context, agent)
    return bool(await answer if inspect.isawaitable(answer) else answer)
