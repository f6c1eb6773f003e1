"""Whether the model is offered something in a turn: a tool, a handoff."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from .agent import Agent
    from .context import RunContextWrapper

Enablement: TypeAlias = "bool | Callable[[RunContextWrapper[Any], Agent[Any]], bool | Awaitable[bool]]"
"""Always, never, or as a function of the run's context and the agent says at every turn."""


async def is_enabled(wanted: Enablement, context: RunContextWrapper[Any], agent: Agent[Any]) -> bool:
    """Return whether it is offered in this turn."""
    if not callable(wanted):
        return bool(wanted)
    answer = wanted(context, agent)
    return bool(await answer if inspect.isawaitable(answer) else answer)
