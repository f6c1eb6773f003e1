"""Agents as tools: the model of one agent calls another, and goes on with what that one says."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from agentctl._dataclass import dataclass
from agentctl.agent.tools.errors import failure_text, is_stray_cancellation
from agentctl.agent.tools.function_schema import misfits
from agentctl.agent.tools.tool import (
    Enablement,
    FunctionTool,
    NeedsApproval,
    ToolErrorFunction,
    ToolOrigin,
    ToolOriginType,
    default_tool_error_function,
)
from agentctl.errors import ModelBehaviorError, UserError
from agentctl.log import logger

from .context import ToolContext
from .events import StreamEvent
from .handoff import tool_name_part
from .ports import NestedRun
from .strict_schema import ensure_strict_json_schema
from .wire import WireItem

if TYPE_CHECKING:
    from agentctl.run.result import RunResult, RunResultStreaming

    from .agent import Agent
    from .lifecycle import RunHooks
    from .run_config import RunConfig
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


class TextArguments:
    """The arguments of an agent tool that takes a text."""

    is_typed = False

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


class TypedArguments:
    """The arguments of an agent tool that takes a dataclass or a pydantic model."""

    is_typed = True

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
        if self.schema.get("type", "object") != "object":
            raise UserError(f"agent tool {tool_name!r}: parameters has fields, and {kind.__name__} has none")

    def value(self, given: str) -> dict[str, Any]:
        """Return the arguments, a JSON text, as JSON that was checked.

        Raises:
            ModelBehaviorError: they do not fit.
        """
        from pydantic import ValidationError

        try:
            params: dict[str, Any] = self._adapter.dump_python(self._adapter.validate_json(given), mode="json")
        except ValidationError as error:
            raise ModelBehaviorError(
                f"the arguments of tool {self._tool_name!r} do not fit: {misfits(error)[0]}"
            ) from error
        return params


ToolArguments: TypeAlias = TextArguments | TypedArguments


def tool_arguments(tool_name: str, parameters: type[Any] | None) -> ToolArguments:
    """Return what reads the arguments of an agent tool.

    Raises:
        UserError: the type has no strict JSON schema.
        TypeError: it is neither a dataclass nor a pydantic model.
    """
    return TextArguments(tool_name) if parameters is None else TypedArguments(tool_name, parameters)


class StructuredToolInputBuilderOptions(TypedDict, total=False):
    """What an input builder is given."""

    params: Any
    """The arguments, as JSON."""
    summary: str | None
    """What the arguments mean, in words; None where nothing says so."""
    json_schema: dict[str, Any] | None
    """Their schema, if it was asked for."""


StructuredToolInputResult: TypeAlias = str | list[WireItem]

StructuredToolInputBuilder: TypeAlias = Callable[
    [StructuredToolInputBuilderOptions], StructuredToolInputResult | Awaitable[StructuredToolInputResult]
]
"""Makes the input of the agent's run from the arguments of the call."""


def default_tool_input_builder(options: StructuredToolInputBuilderOptions) -> str:
    """Return the arguments as JSON, with their schema, or what they mean, below."""
    arguments = json.dumps(options.get("params"), ensure_ascii=False, indent=2)
    schema, summary = options.get("json_schema"), options.get("summary")
    if schema is not None:
        meaning = f"They are of this JSON schema:\n{json.dumps(schema, ensure_ascii=False, indent=2)}"
    elif summary:
        meaning = f"What they mean:\n{summary}"
    else:
        return arguments
    return f"Another agent calls you as a tool, with these arguments:\n{arguments}\n\n{meaning}"


async def built_input(
    builder: StructuredToolInputBuilder, options: StructuredToolInputBuilderOptions
) -> StructuredToolInputResult:
    """Return what a builder makes of the arguments.

    Raises:
        UserError: it is no input.
    """
    made = builder(options)
    if inspect.isawaitable(made):
        made = await made
    if not isinstance(made, str | list):
        raise UserError(f"input_builder returns a text or a list of items, not {type(made).__name__}")
    return made


def schema_summary(schema: dict[str, Any]) -> str | None:
    """Return what the schema of an object says in words, a line for each field; None where it says nothing."""
    fields: dict[str, dict[str, Any]] = schema.get("properties", {})
    if not schema.get("description") and not any(field.get("description") for field in fields.values()):
        return None
    lines = [str(schema["description"])] if schema.get("description") else []
    for name, field in fields.items():
        meaning = f": {field['description']}" if field.get("description") else ""
        lines.append(f"- {name} ({_kind(field)}){meaning}")
    return "\n".join(lines)


def _kind(field: dict[str, Any]) -> str:
    if "enum" in field:
        return " | ".join(json.dumps(value, ensure_ascii=False) for value in field["enum"])
    if "anyOf" in field:
        return " | ".join(_kind(option) for option in field["anyOf"])
    kind = field.get("type", "object")
    return f"array of {_kind(field['items'])}" if kind == "array" and "items" in field else str(kind)
