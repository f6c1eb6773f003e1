"""Which tools and handoffs the model is offered in a turn: those that are enabled, each under a name of its own."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from agentctl.agent.tool import FunctionTool
from agentctl.errors import UserError
from agentctl.log import logger

if TYPE_CHECKING:
    from agentctl.agent.handoff import Handoff
    from agentctl.agent.tool import Tool

    from .progress import Progress


async def offered(progress: Progress) -> tuple[list[Tool], list[Handoff[Any, Any]]]:
    """Return the tools and handoffs that the agent at hand has in this turn, in its order.

    Where several have one name, a handoff is preferred to a tool, and the last of a kind to those before it.

    Raises:
        UserError: several have one name, and `tool_name_collision_policy` is `error`.
    """
    tools = await progress.agent.get_all_tools(progress.context)
    handoffs = await _handoffs(progress) if progress.agent.handoffs else []
    names = [tool.name for tool in tools if isinstance(tool, FunctionTool)]
    names += [handoff.tool_name for handoff in handoffs]
    if len(set(names)) == len(names):
        return tools, handoffs
    for name in (name for name, count in Counter(names).items() if count > 1):
        _object_to(name, progress)
    taken: set[str] = set()
    kept_handoffs = [handoff for handoff in reversed(handoffs) if _is_new(handoff.tool_name, taken)]
    kept_tools = [tool for tool in reversed(tools) if not isinstance(tool, FunctionTool) or _is_new(tool.name, taken)]
    return kept_tools[::-1], kept_handoffs[::-1]


async def _handoffs(progress: Progress) -> list[Handoff[Any, Any]]:
    # 3 ms that a run without handoffs does not pay.
    from .handoffs import enabled_handoffs

    return await enabled_handoffs(progress)


def _object_to(name: str, progress: Progress) -> None:
    message = (
        f"agent {progress.agent.name!r} has several tools or handoffs of the name {name!r}; "
        "name_override or tool_name_override gives one another name"
    )
    if progress.config.tool_name_collision_policy == "error":
        raise UserError(message)
    if message not in progress.warned:
        progress.warned.add(message)
        logger.warning("%s; until then the model is offered one of them", message)


def _is_new(name: str, taken: set[str]) -> bool:
    is_new = name not in taken
    taken.add(name)
    return is_new
