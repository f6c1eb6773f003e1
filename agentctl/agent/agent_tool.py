"""Agents as tools: the model of one agent calls another, and goes on with what that one says."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypedDict

from agentctl.errors import ModelBehaviorError, UserError
from agentctl.log import logger

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
from .strict_schema import ensure_strict_json_schema
from .tool import FunctionTool, ToolErrorFunction
from .tool_errors import default_tool_error_function, failure_text
from .tool_origin import ToolOrigin, ToolOriginType

if TYPE_CHECKING:
    from agentctl.run.config import RunConfig
    from agentctl.run.result import RunResult, RunResultStreaming

    from .agent import Agent
    from .lifecycle import RunHooks


class AgentToolStreamEvent(TypedDict):
    """An event of a run that is part of a tool call."""

    event: StreamEvent
    agent: Agent[Any]
    """The agent that has the word in that run."""
    tool_call: Any
    """The call, an `openai` object; None where the tool was not called by a model."""


def agent_tool(
    agent: Agent[Any],
    tool_name: str | None,
    tool_description: str | None,
    *,
    custom_output_extractor: Callable[[RunResult | RunResultStreaming], Awaitable[str]] | None = None,
    is_enabled: Enablement = True,
    on_stream: Callable[[AgentToolStreamEvent], Awaitable[None] | None] | None = None,
    run_config: RunConfig | dict[str, Any] | None = None,
    max_turns: int | None = None,
    hooks: RunHooks[Any] | None = None,
    previous_response_id: str | None = None,
    conversation_id: str | None = None,
    failure_error_function: ToolErrorFunction | None = default_tool_error_function,
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
    _check(name, max_turns, previous_response_id, conversation_id, on_stream_max_pending_events)
    arguments = _Text(name) if parameters is None else _Structure(name, parameters)
    is_typed = parameters is not None or input_builder is not None
    options = _options(arguments.schema, include_input_schema)

    async def run_input(params: Any) -> StructuredToolInputResult:
        if input_builder is not None:
            return await built_input(input_builder, {"params": params, **options})
        if parameters is None or (not include_input_schema and _is_text(params)):
            text: str = params["input"]
            return text
        return default_tool_input_builder({"params": params, **options})

    async def called(context: ToolContext[Any], given: str) -> Any:
        if context.run_agent is None:
            raise UserError(f"agent tool {name!r} was called outside a run; `Runner.run` calls it inside one")
        params = arguments.value(given)
        result = await context.run_agent(
            NestedRun(
                agent=agent,
                input=await run_input(params),
                tool_input=params if is_typed else None,
                run_config=run_config,
                max_turns=max_turns,
                hooks=hooks,
                previous_response_id=previous_response_id,
                conversation_id=conversation_id,
                hear=None if on_stream is None else _listener(on_stream, context),
                most_unheard=on_stream_max_pending_events,
            ),
            context,
        )
        if result.interruptions:
            return ""  # The call waits with its run, and is made again when that goes on.
        if custom_output_extractor is None:
            return "" if result.final_output is None else result.final_output
        output: Any = custom_output_extractor(result)
        return await output if inspect.isawaitable(output) else output

    async def invoke(context: ToolContext[Any], given: str) -> Any:
        try:
            return await called(context, given)
        except Exception as error:
            if failure_error_function is None:
                raise
            return await failure_text(context, error, failure_error_function)

    return FunctionTool(
        name=name,
        description=tool_description or "",
        params_json_schema=arguments.schema,
        on_invoke_tool=invoke,
        is_enabled=is_enabled,
        origin=ToolOrigin(type=ToolOriginType.AGENT_AS_TOOL, agent_name=agent.name, agent_tool_name=name),
    )


def _check(
    name: str,
    max_turns: int | None,
    previous_response_id: str | None,
    conversation_id: str | None,
    most_pending: int | None,
) -> None:
    if max_turns is not None and max_turns < 1:
        raise UserError(f"agent tool {name!r}: max_turns is at least 1, or None for the default, not {max_turns}")
    if previous_response_id is not None and conversation_id is not None:
        raise UserError(f"agent tool {name!r}: conversation_id and previous_response_id exclude each other")
    if most_pending is not None and (not isinstance(most_pending, int) or most_pending < 1):
        raise UserError(
            f"agent tool {name!r}: on_stream_max_pending_events is a whole number from 1, or None, not {most_pending!r}"
        )


def _is_text(params: dict[str, Any]) -> bool:
    return list(params) == ["input"] and isinstance(params["input"], str)


def _options(schema: dict[str, Any], include_schema: bool) -> StructuredToolInputBuilderOptions:
    return {"summary": schema_summary(schema), "json_schema": schema if include_schema else None}


def _listener(
    on_stream: Callable[[AgentToolStreamEvent], Awaitable[None] | None], context: ToolContext[Any]
) -> Callable[[StreamEvent, Agent[Any]], Awaitable[None]]:
    tool_call = context.tool_call

    async def hear(event: StreamEvent, agent: Agent[Any]) -> None:
        try:
            heard = on_stream({"event": event, "agent": agent, "tool_call": tool_call})
            if inspect.isawaitable(heard):
                await heard
        except Exception:
            # Who looks on does not end the run that is looked at.
            logger.exception("on_stream of agent tool %s failed", context.tool_name)

    return hear


class _Text:
    """The arguments of an agent tool that takes a text."""

    def __init__(self, tool_name: str) -> None:
        self._tool_name = tool_name
        self.schema: dict[str, Any] = {
            "type": "object",
            "properties": {"input": {"type": "string"}},
            "required": ["input"],
            "additionalProperties": False,
        }

    def value(self, given: str) -> dict[str, Any]:
        """Return the arguments, a JSON text.

        Raises:
            ModelBehaviorError: they do not fit.
        """
        try:
            params = json.loads(given)
        except ValueError as error:
            raise ModelBehaviorError(f"the arguments of tool {self._tool_name!r} are not JSON: {error}") from error
        if not isinstance(params, dict) or not isinstance(params.get("input"), str):
            raise ModelBehaviorError(f"the arguments of tool {self._tool_name!r} do not fit: input is to be a text")
        return {"input": params["input"]}


class _Structure:
    """The arguments of an agent tool that takes a dataclass or a pydantic model."""

    def __init__(self, tool_name: str, kind: type[Any]) -> None:
        # 50 ms: imported for agent tools with parameters only.
        from pydantic import BaseModel, TypeAdapter

        if not isinstance(kind, type) or not (dataclasses.is_dataclass(kind) or issubclass(kind, BaseModel)):
            raise TypeError(f"agent tool {tool_name!r}: parameters is a dataclass or a pydantic model, not {kind!r}")
        self._tool_name = tool_name
        self._adapter: Any = TypeAdapter(kind)
        try:
            self.schema: dict[str, Any] = ensure_strict_json_schema(self._adapter.json_schema())
        except Exception as error:
            raise UserError(f"agent tool {tool_name!r}: its parameters have no strict JSON schema: {error}") from error

    def value(self, given: str) -> Any:
        """Return the arguments, a JSON text, as JSON that was checked.

        Raises:
            ModelBehaviorError: they do not fit.
        """
        from pydantic import ValidationError

        try:
            return self._adapter.dump_python(self._adapter.validate_json(given), mode="json")
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "the whole"
            raise ModelBehaviorError(
                f"the arguments of tool {self._tool_name!r} do not fit: {place}: {first['msg']}"
            ) from error
