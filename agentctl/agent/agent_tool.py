"""Agents as tools: the model of one agent calls another, and goes on with what that one says."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from agentctl._dataclass import dataclass
from agentctl.errors import UserError
from agentctl.log import logger

from .agent_tool_arguments import ToolArguments, tool_arguments
from .agent_tool_input import (
    StructuredToolInputBuilder,
    StructuredToolInputBuilderOptions,
    StructuredToolInputResult,
    built_input,
    default_tool_input_builder,
    schema_summary,
)
from .context import ToolContext
from .enablement import Enablement
from .events import StreamEvent
from .handoff import tool_name_part
from .ports import NestedRun
from .tool import FunctionTool, NeedsApproval, ToolErrorFunction, default_tool_error_function
from .tool_errors import failure_text, is_stray_cancellation
from .tool_origin import ToolOrigin, ToolOriginType

if TYPE_CHECKING:
    from agentctl.run.config import RunConfig
    from agentctl.run.result import RunResult, RunResultStreaming

    from .agent import Agent
    from .lifecycle import RunHooks
    from .session import Session


class AgentToolStreamEvent(TypedDict):
    """An event of a run that is part of a tool call."""

    event: StreamEvent
    agent: Agent[Any]
    """The agent that has the word in that run."""
    tool_call: Any
    """The call, an `openai` object; None where the tool was not called by a model."""


OnStream: TypeAlias = Callable[[AgentToolStreamEvent], Awaitable[None] | None]
"""Told of each event of a run that is part of a tool call."""


def agent_tool(
    agent: Agent[Any],
    tool_name: str | None,
    tool_description: str | None,
    *,
    custom_output_extractor: Callable[[RunResult | RunResultStreaming], Awaitable[str]] | None = None,
    is_enabled: Enablement = True,
    on_stream: OnStream | None = None,
    run_config: RunConfig | dict[str, Any] | None = None,
    max_turns: int | None = None,
    hooks: RunHooks[Any] | None = None,
    previous_response_id: str | None = None,
    conversation_id: str | None = None,
    session: Session | None = None,
    failure_error_function: ToolErrorFunction | None = default_tool_error_function,
    needs_approval: NeedsApproval = False,
    parameters: type[Any] | None = None,
    input_builder: StructuredToolInputBuilder | None = None,
    include_input_schema: bool = False,
    on_stream_max_pending_events: int | None = 1024,
) -> FunctionTool:
    """Make a tool of an agent: `Agent.as_tool` says how.

    Raises:
        UserError: there can be no such tool.
        TypeError: `parameters` is neither a dataclass nor a pydantic model.
    """
    name = tool_name or tool_name_part(agent.name)
    _check(name, max_turns, previous_response_id, conversation_id, session, on_stream_max_pending_events)
    arguments = tool_arguments(name, parameters)
    tool = _AgentTool(
        name=name,
        arguments=arguments,
        run=NestedRun(
            agent=agent,
            input="",
            run_config=run_config,
            max_turns=max_turns,
            hooks=hooks,
            previous_response_id=previous_response_id,
            conversation_id=conversation_id,
            session=session,
            most_unheard=on_stream_max_pending_events,
        ),
        input_builder=input_builder,
        includes_schema=include_input_schema,
        extract=custom_output_extractor,
        on_stream=on_stream,
        on_failure=failure_error_function,
    )
    return FunctionTool(
        name=name,
        description=tool_description or "",
        params_json_schema=arguments.schema,
        on_invoke_tool=tool.invoke,
        is_enabled=is_enabled,
        needs_approval=needs_approval,
        agent=agent,
        origin=ToolOrigin(type=ToolOriginType.AGENT_AS_TOOL, agent_name=agent.name, agent_tool_name=name),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _AgentTool:
    """What an agent tool does when it is called."""

    name: str
    arguments: ToolArguments
    run: NestedRun
    """The run of a call, but for what the call gives."""
    input_builder: StructuredToolInputBuilder | None
    includes_schema: bool
    extract: Callable[[RunResult | RunResultStreaming], Awaitable[str]] | None
    on_stream: OnStream | None
    on_failure: ToolErrorFunction | None

    async def invoke(self, context: ToolContext[Any], given: str) -> Any:
        """Return what the call gives, or what the model is told of its failure."""
        try:
            return await self._called(context, given)
        except Exception as error:
            if self.on_failure is None:
                raise
            return await failure_text(context, error, self.on_failure)

    async def _called(self, context: ToolContext[Any], given: str) -> Any:
        if context.run_agent is None:
            raise UserError(f"agent tool {self.name!r} was called outside a run; `Runner.run` calls it inside one")
        params = self.arguments.value(given)
        is_structured = self.arguments.is_typed or self.input_builder is not None
        run = dataclasses.replace(
            self.run,
            input=await self._input(params),
            tool_input=params if is_structured else None,
            hear=None if self.on_stream is None else _listener(self.on_stream, context),
        )
        result = await context.run_agent(run, context)
        if result.interruptions:
            return ""  # The call waits with its run, and is made again when that goes on.
        if self.extract is None:
            return "" if result.final_output is None else result.final_output
        output: Any = self.extract(result)
        return await output if inspect.isawaitable(output) else output

    async def _input(self, params: dict[str, Any]) -> StructuredToolInputResult:
        """Return the input of the run: a text alone is read as it is, unless a builder is to make the input."""
        arguments = self.arguments
        if self.input_builder is None and (not arguments.is_typed or not self.includes_schema):
            text = params.get("input")
            if len(params) == 1 and isinstance(text, str):
                return text
        options: StructuredToolInputBuilderOptions = {
            "params": params,
            "summary": schema_summary(arguments.schema),
            "json_schema": arguments.schema if self.includes_schema else None,
        }
        return await built_input(self.input_builder or default_tool_input_builder, options)


def _check(
    name: str,
    max_turns: int | None,
    previous_response_id: str | None,
    conversation_id: str | None,
    session: Session | None,
    most_pending: int | None,
) -> None:
    if max_turns is not None and max_turns < 1:
        raise UserError(f"agent tool {name!r}: max_turns is at least 1, or None for the default, not {max_turns}")
    if session is not None and (conversation_id is not None or previous_response_id is not None):
        raise UserError(f"agent tool {name!r}: session excludes conversation_id and previous_response_id")
    if previous_response_id is not None and conversation_id is not None:
        raise UserError(f"agent tool {name!r}: conversation_id and previous_response_id exclude each other")
    if most_pending is not None and (not isinstance(most_pending, int) or most_pending < 1):
        raise UserError(
            f"agent tool {name!r}: on_stream_max_pending_events is a whole number from 1, or None, not {most_pending!r}"
        )


def _listener(on_stream: OnStream, context: ToolContext[Any]) -> Callable[[StreamEvent, Agent[Any]], Awaitable[None]]:
    tool_call = context.tool_call
    has_failed = False

    async def hear(event: StreamEvent, agent: Agent[Any]) -> None:
        nonlocal has_failed
        try:
            heard = on_stream({"event": event, "agent": agent, "tool_call": tool_call})
            if inspect.isawaitable(heard):
                await heard
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and not is_stray_cancellation():
                raise
            # Who looks on does not end the run that is looked at, and is told once in a call.
            if not has_failed:
                logger.exception("on_stream of agent tool %s failed", context.tool_name)
            has_failed = True

    return hear
