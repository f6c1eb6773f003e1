"""Prompt objects: instructions stored by the service under an id, with variables to fill in."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NotRequired, TypeAlias, TypedDict

from agentctl._dataclass import dataclass
from agentctl.agent.items.views import to_wire
from agentctl.errors import UserError

from .context import RunContextWrapper

if TYPE_CHECKING:
    from .agent import Agent

_FIELDS = ("id", "version", "variables")


class Prompt(TypedDict):
    """A prompt stored by the service."""

    id: str
    version: NotRequired[str]
    """None is the newest."""
    variables: NotRequired[dict[str, Any]]
    """Values of its variables: strings, or input content of the Responses API."""


@dataclass
class GenerateDynamicPromptData:
    """Argument of a dynamic prompt function."""

    context: RunContextWrapper[Any]
    agent: Agent[Any]


DynamicPromptFunction: TypeAlias = Callable[[GenerateDynamicPromptData], "Prompt | Awaitable[Prompt]"]
"""Returns the prompt of a turn."""


async def resolve_prompt(agent: Agent[Any], context: RunContextWrapper[Any]) -> dict[str, Any] | None:
    """Return the prompt of an agent for a turn, as the Responses API takes it.

    Raises:
        UserError: the prompt is invalid.
    """
    prompt: Any = agent.prompt
    if prompt is None:
        return None
    if callable(prompt):
        prompt = prompt(GenerateDynamicPromptData(context=context, agent=agent))
        if inspect.isawaitable(prompt):
            prompt = await prompt
    return _wire(prompt, agent.name)


def _wire(value: Any, agent: str) -> dict[str, Any]:
    # Also an `openai` object, whose class cannot be named without importing `openai`.
    prompt = to_wire(value) if hasattr(value, "model_dump") else value
    if not isinstance(prompt, dict):
        raise UserError(
            f"Agent.prompt of {agent!r} must be a dict with an `id`, or a function that returns one, not {value!r}"
        )
    if not isinstance(prompt.get("id"), str) or not prompt["id"]:
        raise UserError(f"Agent.prompt of {agent!r} has no `id`: set the id of a prompt stored by the service")
    if unknown := sorted(set(prompt) - set(_FIELDS)):
        raise UserError(f"Agent.prompt of {agent!r} has no field {unknown[0]!r}; the fields are {', '.join(_FIELDS)}")
    return {name: prompt.get(name) for name in _FIELDS}
