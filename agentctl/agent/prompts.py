"""Prompt objects: instructions that the service keeps under an id, with variables to fill in."""

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
    """A prompt that the service keeps."""

    id: str
    version: NotRequired[str]
    """None is its newest."""
    variables: NotRequired[dict[str, Any]]
    """Values for the variables in it: texts, or input content as the Responses API has it."""


@dataclass
class GenerateDynamicPromptData:
    """What a function that gives a prompt is handed."""

    context: RunContextWrapper[Any]
    agent: Agent[Any]


DynamicPromptFunction: TypeAlias = Callable[[GenerateDynamicPromptData], "Prompt | Awaitable[Prompt]"]
"""Gives the prompt of a turn."""


async def prompt_of(agent: Agent[Any], context: RunContextWrapper[Any]) -> dict[str, Any] | None:
    """Return the prompt of an agent for a turn, as the Responses API has it.

    Raises:
        UserError: it is no prompt.
    """
    given: Any = agent.prompt
    if given is None:
        return None
    if callable(given):
        given = given(GenerateDynamicPromptData(context=context, agent=agent))
        if inspect.isawaitable(given):
            given = await given
    return _wire(given, agent.name)


def _wire(given: Any, agent: str) -> dict[str, Any]:
    # An `openai` object will do, whose class cannot be named without importing `openai`.
    prompt = to_wire(given) if hasattr(given, "model_dump") else given
    if not isinstance(prompt, dict):
        raise UserError(
            f"Agent.prompt of {agent!r} is a dict with an `id`, or a function that gives one, not {given!r}"
        )
    if not isinstance(prompt.get("id"), str) or not prompt["id"]:
        raise UserError(f"Agent.prompt of {agent!r} has no `id`: it names the prompt that the service keeps")
    if unknown := sorted(set(prompt) - set(_FIELDS)):
        raise UserError(f"Agent.prompt of {agent!r} has no field {unknown[0]!r}; the fields are {', '.join(_FIELDS)}")
    return {name: value for name, value in prompt.items() if value is not None}
