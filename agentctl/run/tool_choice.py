"""Which tools the model is offered in a turn: those that are enabled, each under a name of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentctl.agent.tool import Tool

    from .progress import Progress


async def offered_tools(progress: Progress) -> list[Tool]:
    """Return the tools that the agent at hand has in this turn, in its order."""
    return await progress.agent.get_all_tools(progress.context)
