"""A conversation with an agent in the terminal, to try it out."""

from __future__ import annotations

from typing import Any

from agentctl.agent.agent import Agent

from .config import DEFAULT_MAX_TURNS


async def run_demo_loop(
    agent: Agent[Any], *, stream: bool = True, context: Any = None, max_turns: int | None = DEFAULT_MAX_TURNS
) -> None:
    """Read lines and print what the agent makes of them, until `exit`, `quit`, Ctrl-C or the end of the input.

    With `stream` the text comes as the model writes it, and tool calls, their outputs and changes of the agent are
    lines of their own; else each answer is printed whole.
    """
