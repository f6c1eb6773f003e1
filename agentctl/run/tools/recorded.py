"""Outputs of tools in a run with a journal: each call is made once, and repeated from what the journal keeps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from agentctl.agent.context import ToolContext
from agentctl.agent.json_values import plain
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.run.journal import JournalScope

from .call import call_scope

if TYPE_CHECKING:
    from agentctl.run.active_run import ActiveRun

    from .local import LocalCall, LocalOutput


class KeptFailure(Exception):
    """The failure of a tool call that was made before, of which the model read a text."""


async def recorded_output(context: ToolContext[Any], call_tool: Callable[[], Awaitable[Any]]) -> Any:
    """Return the output of a function tool, as JSON, from the journal or from the call."""
    scope = context.journal
    assert scope is not None

    async def call() -> JSONValue:
        context.may_have_begun = await scope.journal.was_interrupted()
        output = plain(await call_tool())
        return {"output": output, "failure": None if context.failure is None else str(context.failure)}

    kept: Any = await scope.remember(f"tool {context.tool_name}", call, key=scope.path)
    if kept["failure"] is not None and context.failure is None:
        context.failure = KeptFailure(kept["failure"])
    return kept["output"]


async def recorded_local(
    call: LocalCall, journal: JournalScope, run: ActiveRun, execute: Callable[[], Awaitable[LocalOutput]]
) -> LocalOutput:
    """Return the output of a shell, an editor or a custom tool, from the journal or from the call."""
    scope = call_scope(call, journal, run)

    async def make() -> JSONValue:
        return list(await execute())

    kept: Any = await scope.remember(f"tool {call.tool.name}", make, key=scope.path)
    wire: WireItem = kept[0]
    return wire, str(kept[1])
