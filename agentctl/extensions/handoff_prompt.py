"""Instructions for agents that hand over to each other."""

from __future__ import annotations

RECOMMENDED_PROMPT_PREFIX = (
    "You work in a team of agents, each with its own task; one of them talks to the user at a time. If another agent "
    "fits the request better, call its tool, `transfer_to_` and its name: it goes on with the same conversation. The "
    "user sees one assistant: say nothing of agents or transfers."
)
"""Tells an agent what handoffs are, before its own instructions."""


def prompt_with_handoff_instructions(prompt: str) -> str:
    """Return instructions that begin with `RECOMMENDED_PROMPT_PREFIX`."""
    return f"{RECOMMENDED_PROMPT_PREFIX}\n\n{prompt}"
