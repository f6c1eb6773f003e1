"""Instructions for agents with handoffs."""

from __future__ import annotations

RECOMMENDED_PROMPT_PREFIX = (
    "You are part of a team of agents, each with its own task; one of them talks to the user at a time. If another "
    "agent is better suited to the request, call its tool, `transfer_to_` followed by its name; that agent continues "
    "the same conversation. The user sees a single assistant: do not mention agents or transfers."
)
"""Explains handoffs to an agent, before its own instructions."""


def prompt_with_handoff_instructions(prompt: str) -> str:
    """Return the instructions, preceded by `RECOMMENDED_PROMPT_PREFIX`."""
    return f"{RECOMMENDED_PROMPT_PREFIX}\n\n{prompt}"
