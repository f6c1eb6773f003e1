"""Calls the hooks of a run and of its current agent, both at the same time."""

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
    """Calls the hooks at each step; without hooks it costs next to nothing.

    An exception of a hook ends the run.
    """

    __slots__ = ("_run",)

    def __init__(self, run: ActiveRun) -> None:
        self._run = run

    async def agent_start(self) -> None:
        """Call `on_agent_start` and `on_start`: after the blocking guardrails of the first turn, or after a handoff.

        Raises:
            TypeError: the agent's hooks are not AgentHooks.
        """
        run, own = self._listeners()
        if run is None and own is None:
            return
        agent = self._run.agent
        if own is not None:
            _check_agent_hooks(own, agent)
        self._run.context.turn_input = self._run.history.turn_input()
        context = self._agent_context()
        await _together(
            None if run is None else partial(run.on_agent_start, context, agent),
            None if own is None else partial(own.on_start, context, agent),
        )

    async def agent_end(self, output: Any) -> None:
        """Call `on_agent_end` and `on_end` with the final output, before the output guardrails."""
        run, own = self._listeners()
        if run is None and own is None:
            return
        agent, context = self._run.agent, self._agent_context()
        await _together(
            None if run is None else partial(run.on_agent_end, context, agent, output),
            None if own is None else partial(own.on_end, context, agent, output),
        )

    async def handoff(self, source: Agent[Any], target: Agent[Any]) -> None:
        """Call `on_handoff` of the run's hooks and of the source's."""
        run, own = self._run.spec.hooks, source.hooks
        if run is None and own is None:
            return
        context = self._run.context
        await _together(
            None if run is None else partial(run.on_handoff, context, source, target),
            None if own is None else partial(own.on_handoff, context, target, source),
        )

    async def llm_start(self, request: ModelRequest) -> None:
        """Call `on_llm_start` with the instructions and the input."""
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
        """Call `on_llm_end` with the response, once its usage is counted."""
        run, own = self._listeners()
        if run is None and own is None:
            return
        agent, context = self._run.agent, self._run.context
        await _together(
            None if run is None else partial(run.on_llm_end, context, agent, response),
            None if own is None else partial(own.on_llm_end, context, agent, response),
        )

    async def tool_start(self, context: RunContextWrapper[Any], tool: Tool) -> None:
        """Call `on_tool_start`."""
        run, own = self._listeners()
        if run is None and own is None:
            return
        agent = self._run.agent
        await _together(
            None if run is None else partial(run.on_tool_start, context, agent, tool),
            None if own is None else partial(own.on_tool_start, context, agent, tool),
        )

    async def tool_end(self, context: RunContextWrapper[Any], tool: Tool, result: object) -> None:
        """Call `on_tool_end` with the output."""
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
    """Raise `TypeError` unless these are RunHooks, or None."""
    if hooks is None:
        return
    # 1 ms that a run without hooks does not pay.
    from agentctl.agent.lifecycle import AgentHooksBase, RunHooksBase

    if isinstance(hooks, AgentHooksBase):
        raise TypeError(
            f"hooks of a run must be RunHooks, and {type(hooks).__name__} is AgentHooks; pass it to Agent(hooks=…)"
        )
    if not isinstance(hooks, RunHooksBase):
        raise TypeError(f"hooks of a run must be RunHooks, not {type(hooks).__name__}")


def _check_agent_hooks(hooks: object, agent: Agent[Any]) -> None:
    # 1 ms that a run without hooks does not pay.
    from agentctl.agent.lifecycle import AgentHooksBase

    if not isinstance(hooks, AgentHooksBase):
        raise TypeError(f"the hooks of agent {agent.name!r} must be AgentHooks, not {type(hooks).__name__}")


async def _together(run: _Call | None, own: _Call | None) -> None:
    if own is None:
        if run is not None:
            await _call_hook(run)
        return
    if run is None:
        await _call_hook(own)
        return
    # Only for two hooks of one moment.
    from agentctl.threads import guard_exit

    failure: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(guard_exit("a run hook", _call_hook, run), name="run hook")
            group.create_task(guard_exit("an agent hook", _call_hook, own), name="agent hook")
    except BaseExceptionGroup as failures:
        failure = failures.exceptions[0]
    if failure is not None:
        raise failure  # Outside of `except`, which would change its context, or its cause.


async def _call_hook(call: _Call) -> None:
    awaitable: object = call()
    if not isinstance(awaitable, Awaitable):
        raise TypeError(f"a hook must be an `async def`, and {call.func.__qualname__} is not")
    await awaitable
