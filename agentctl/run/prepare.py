"""Prepares the request of a model call: the first step of a turn."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from agentctl.agent.agent import Agent, settings_for
from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.output import output_schema
from agentctl.agent.ports import HistoryIdentity, ModelRequest, WireModel
from agentctl.agent.run_config import RunConfig
from agentctl.agent.tools.tool import FunctionTool
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.errors import UserError
from agentctl.log import logger

from .active_run import ActiveRun, begin
from .call import Models, model_name

if TYPE_CHECKING:
    from agentctl.agent.context import RunContextWrapper
    from agentctl.agent.handoff import Handoff
    from agentctl.agent.session import Session
    from agentctl.agent.tools.hosted_tools import Tool

    from .active_run import ActiveRun


async def prepare(run: ActiveRun) -> ModelRequest:
    """Return the request of the current turn."""
    agent, context = run.agent, run.context
    settings = settings_for(agent, run.config.model).resolve(run.config.model_settings)
    if agent.reset_tool_choice and agent.name in run.turn.tool_users:
        settings = _with_free_tool_choice(settings)
    context.turn_input = run.history.turn_input()
    tools, handoffs = await offered_tools(run)
    is_first_text = isinstance(run.history.input, str) and not run.history.new_items
    instructions, prompt = await _instructions_and_prompt(agent, context)
    request = ModelRequest(
        system_instructions=instructions,
        input=run.history.input if is_first_text else run.history.unsent(),
        model_settings=settings,
        tools=tools,
        output_schema=output_schema(agent.output_type),
        handoffs=handoffs,
        tracing=run.spans.model_tracing,
        previous_response_id=run.history.previous_response_id,
        conversation_id=run.history.conversation_id,
        prompt=prompt,
        history=_history_identity(run),
    )
    if run.config.call_model_input_filter is None:
        return request
    # 2 ms that a run without a filter does not pay.
    from .input_filter import apply_input_filter

    return await apply_input_filter(request, run)


async def _instructions_and_prompt(
    agent: Agent[Any], context: RunContextWrapper[Any]
) -> tuple[str | None, dict[str, Any] | None]:
    """Return both for a turn; where both are functions they run together, and a failure cancels the other."""
    if not (callable(agent.prompt) and callable(agent.instructions)):
        instructions = await agent.get_system_prompt(context)
        return instructions, None if agent.prompt is None else await agent.get_prompt(context)
    # Only for two functions.
    from agentctl.threads import guard_exit

    failure: BaseException | None = None
    names = [f"instructions of {agent.name}", f"prompt of {agent.name}"]
    try:
        async with asyncio.TaskGroup() as group:
            texts = group.create_task(guard_exit(names[0], agent.get_system_prompt, context), name=names[0])
            prompts = group.create_task(guard_exit(names[1], agent.get_prompt, context), name=names[1])
    except BaseExceptionGroup as failures:
        failure = failures.exceptions[0]
    if failure is not None:
        raise failure  # Outside of `except`, which would change its context, or its cause.
    return texts.result(), prompts.result()


def _history_identity(run: ActiveRun) -> HistoryIdentity | None:
    """Return the identity of the history, unless user code may hold its items and change them in place."""
    history = run.history
    if not history.is_shared and (
        _sees_items(run.spec.hooks) or _sees_items(run.agent.hooks) or run.config.call_model_input_filter is not None
    ):
        history.share()
    # A history that the service keeps is sent in parts.
    return None if history.on_server or history.still_unsent else history.identity


def _sees_items(hooks: object) -> bool:
    """Return whether hooks are given the items of model calls; their other callbacks are given none."""
    if hooks is None:
        return False
    # Hooks have imported it already.
    from agentctl.agent import lifecycle

    bases = lifecycle.RunHooksBase, lifecycle.AgentHooksBase
    return any(
        getattr(getattr(hooks, name), "__func__", None) not in [getattr(base, name) for base in bases]
        for name in ("on_llm_start", "on_llm_end")
    )


def _with_free_tool_choice(settings: ModelSettings) -> ModelSettings:
    forced = settings.tool_choice not in (None, "auto", "none")
    return settings.with_values(tool_choice=None) if forced else settings


async def offered_tools(run: ActiveRun) -> tuple[list[Tool], list[Handoff[Any, Any]]]:
    """Return the enabled tools and handoffs of the current agent, in its order, each under a unique name.

    Of several with the same name, a handoff is preferred to a tool, and the last of a kind to those before it.

    Raises:
        UserError: several have the same name, and `tool_name_collision_policy` is `error`.
    """
    tools = await run.agent.get_all_tools(run.context)
    handoffs = await _handoffs(run) if run.agent.handoffs else []
    names = [tool.qualified_name for tool in tools if isinstance(tool, FunctionTool)]
    names += [handoff.tool_name for handoff in handoffs]
    if len(set(names)) == len(names):
        return tools, handoffs
    for name in (name for name, count in Counter(names).items() if count > 1):
        _report_collision(name, run)
    taken: set[str] = set()
    kept_handoffs = [handoff for handoff in reversed(handoffs) if _is_new(handoff.tool_name, taken)]
    kept_tools = [
        tool for tool in reversed(tools) if not isinstance(tool, FunctionTool) or _is_new(tool.qualified_name, taken)
    ]
    return kept_tools[::-1], kept_handoffs[::-1]


async def _handoffs(run: ActiveRun) -> list[Handoff[Any, Any]]:
    # 3 ms that a run without handoffs does not pay.
    from .handoffs import enabled_handoffs

    return await enabled_handoffs(run)


def _report_collision(name: str, run: ActiveRun) -> None:
    message = (
        f"agent {run.agent.name!r} has several tools or handoffs named {name!r}; "
        "rename one with name_override or tool_name_override"
    )
    if run.config.tool_name_collision_policy == "error":
        raise UserError(message)
    if message not in run.warned:
        run.warned.add(message)
        logger.warning("%s; the model is offered only one of them", message)


def _is_new(name: str, taken: set[str]) -> bool:
    is_new = name not in taken
    taken.add(name)
    return is_new


async def preview_request(
    agent: Agent[Any],
    input: str | list[WireItem],
    *,
    run_config: RunConfig | dict[str, Any] | None = None,
    session: Session | None = None,
) -> dict[str, JSONValue]:
    """Return the request of the first model call of a streamed run, as `WireModel.preview` gives it; nothing is sent.

    Raises:
        UserError: the model is a custom one, whose requests are not known.
    """
    run = begin(agent, input, context=None, max_turns=None, config=run_config, session=session)
    if run.spec.memory is not None:
        await run.spec.memory.begin(run)
    model = Models(run.config).of(agent)
    if not isinstance(model, WireModel):
        raise UserError(f"the request of the custom model {model_name(model)} is not known")
    return model.preview(await prepare(run))
