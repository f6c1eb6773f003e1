"""Telling the hooks of a run, and those of the agent that takes the step; both at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from agentctl.agent.agent import Agent
from agentctl.agent.context import AgentHookContext, RunContextWrapper

if TYPE_CHECKING:
    from agentctl.agent.items.run_items import ModelResponse
    from agentctl.agent.lifecycle import AgentHooksBase, RunHooksBase
    from agentctl.agent.ports import ModelRequest
    from agentctl.agent.tools.hosted_tools import Tool

    from .active_run import ActiveRun

_Call: TypeAlias = "partial[Coroutine[Any, Any, None]]"


class HookCalls:
    """What the loop tells of each step; where nobody listens, it costs next to nothing.

    What a hook raises comes out, and ends the run.
    """

    __slots__ = ("_run",)

    def __init__(self, run: ActiveRun) -> None:
        self._run = run

    async def agent_start(self) -> None:
        """Tell that the agent has the word: after the guardrails that come before its first turn, or after a handoff.

        Raises:
            TypeError: the agent's hooks are none.
        """
        run, own = self._listeners()
        if run is None and own is None:
            return
        agent = self._run.agent
        if own is not None:
            _check_agent_hooks(own, agent)
        self._run.context.turn_input = self._run.history.unsent()
        context = self._agent_context()
        await _together(
            None if run is None else partial(run.on_agent_start, context, agent),
            None if own is None else partial(own.on_start, context, agent),
        )

    async def agent_end(self, output: Any) -> None:
        """Tell the final output of the agent, before the output guardrails have seen it."""
        run, own = self._listeners()
        if run is None and own is None:
            return
        agent, context = self._run.agent, self._agent_context()
        await _together(
            None if run is None else partial(run.on_agent_end, context, agent, output),
            None if own is None else partial(own.on_end, context, agent, output),
        )

    async def handoff(self, source: Agent[Any], target: Agent[Any]) -> None:
        """Tell the run's hooks, and those of the source, that it hands over to the target."""
        run, own = self._run.spec.hooks, source.hooks
        if run is None and own is None:
            return
        context = self._run.context
        await _together(
            None if run is None else partial(run.on_handoff, context, source, target),
            None if own is None else partial(own.on_handoff, context, target, source),
        )

    async def llm_start(self, request: ModelRequest) -> None:
        """Tell what the model is about to be called with."""
        run, own = self._listeners()
        if run is None and own is None:
            return
        agent, context = self._run.agent, self._run.context
        instructions, items = request.system_instructions, request.input
        input_items = [{"content": items, "role": "user"}] if isinstance(items, str) else list(items)
        await _together(
            None if run is None else partial(run.on_llm_start, context, agent, instructions, input_items),
            None if own is None else partial(own.on_llm_start, context, agent, instructions, input_items),
        )

    async def llm_end(self, response: ModelResponse) -> None:
        """Tell what the model answered, once its usage is counted."""
        run, own = self._listeners()
        if run is None and own is None:
            return
        agent, context = self._run.agent, self._run.context
        await _together(
            None if run is None else partial(run.on_llm_end, context, agent, response),
            None if own is None else partial(own.on_llm_end, context, agent, response),
        )

    async def tool_start(self, context: RunContextWrapper[Any], tool: Tool) -> None:
        """Tell that a tool is about to be called."""
        run, own = self._listeners()
        if run is None and own is None:
            return
        agent = self._run.agent
        await _together(
            None if run is None else partial(run.on_tool_start, context, agent, tool),
            None if own is None else partial(own.on_tool_start, context, agent, tool),
        )

    async def tool_end(self, context: RunContextWrapper[Any], tool: Tool, result: object) -> None:
        """Tell what a tool gave."""
        run, own = self._listeners()
        if run is None and own is None:
            return
        agent = self._run.agent
        await _together(
            None if run is None else partial(run.on_tool_end, context, agent, tool, result),
            None if own is None else partial(own.on_tool_end, context, agent, tool, result),
        )

    def _listeners(self) -> tuple[RunHooksBase[Any, Agent[Any]] | None, AgentHooksBase[Any, Agent[Any]] | None]:
        return self._run.spec.hooks, self._run.agent.hooks

    def _agent_context(self) -> AgentHookContext[Any]:
        context = self._run.context
        return AgentHookContext(
            context=context.context,
            usage=context.usage,
            turn_input=context.turn_input,
            tool_input=context.tool_input,
            approvals=context.approvals,
        )


def check_run_hooks(hooks: object) -> None:
    """Raise `TypeError` unless these are hooks of a run, or None."""
    if hooks is None:
        return
    # 1 ms that a run without hooks does not pay.
    from agentctl.agent.lifecycle import AgentHooksBase, RunHooksBase

    if isinstance(hooks, AgentHooksBase):
        raise TypeError(
            f"hooks of a run are RunHooks, and {type(hooks).__name__} is AgentHooks: give them to Agent(hooks=…)"
        )
    if not isinstance(hooks, RunHooksBase):
        raise TypeError(f"hooks of a run are RunHooks, not {type(hooks).__name__}")


def _check_agent_hooks(hooks: object, agent: Agent[Any]) -> None:
    # 1 ms that a run without hooks does not pay.
    from agentctl.agent.lifecycle import AgentHooksBase

    if not isinstance(hooks, AgentHooksBase):
        raise TypeError(f"the hooks of agent {agent.name!r} are AgentHooks, not {type(hooks).__name__}")


async def _together(run: _Call | None, own: _Call | None) -> None:
    if own is None:
        if run is not None:
            await _called(run)
        return
    if run is None:
        await _called(own)
        return
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_called(run), name="run hook")
            group.create_task(_called(own), name="agent hook")
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _called(call: _Call) -> None:
    waited: object = call()
    if not isinstance(waited, Awaitable):
        raise TypeError(f"a hook is an `async def`, and {call.func.__qualname__} is none")
    await waited
