"""Agents as tools: a call runs the agent and returns its output to the calling agent's model."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from agentctl._dataclass import dataclass
from agentctl._lazy import load
from agentctl.agent.tools.errors import failure_text, is_stray_cancellation
from agentctl.agent.tools.tool import (
    Enablement,
    FunctionTool,
    NeedsApproval,
    ToolErrorFunction,
    ToolOrigin,
    ToolOriginType,
    default_tool_error_function,
)
from agentctl.agent.validation import validation_errors
from agentctl.errors import ModelBehaviorError, UserError
from agentctl.log import logger

from .context import ToolContext
from .events import StreamEvent
from .handoff import tool_name_part
from .items.run_items import ItemHelpers, MessageOutputItem, ToolCallOutputItem
from .ports import NestedRun, RunAgent
from .strict_schema import ensure_strict_json_schema
from .wire import WireItem

if TYPE_CHECKING:
    from agentctl.run.result import RunResult, RunResultStreaming

    from .agent import Agent
    from .lifecycle import RunHooks
    from .run_config import RunConfig
    from .session import Session


class AgentToolStreamEvent(TypedDict):
    """An event of a nested run."""

    event: StreamEvent
    agent: Agent[Any]
    """The current agent of the nested run."""
    tool_call: Any
    """The call as an `openai` object; None if no model called the tool."""


OnStream: TypeAlias = Callable[[AgentToolStreamEvent], Awaitable[None] | None]
"""Called with each event of a nested run."""


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
    """Return an agent as a tool; see `Agent.as_tool` for the arguments.

    Raises:
        UserError: the options are invalid or contradict each other.
        TypeError: `parameters` is neither a dataclass nor a pydantic model.
    """
    name = tool_name or tool_name_part(agent.name)
    if not (on_stream is None or callable(on_stream)):
        raise UserError(
            f"agent tool {name!r}: on_stream must be callable or None, not {type(on_stream).__name__} (a RunConfig is "
            "given as `run_config=`)"
        )
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
            max_pending_events=on_stream_max_pending_events,
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


def plain_agent_tool_turns(tool: FunctionTool) -> tuple[bool, int | None]:
    """Return whether a tool runs its agent without options that are code, and the limit of turns of its runs."""
    owner = getattr(tool.on_invoke_tool, "__self__", None)
    if not isinstance(owner, _AgentTool):
        return False, None
    run = owner.run
    is_plain = (
        not owner.arguments.is_typed
        and not owner.includes_schema
        and tool.is_enabled is True
        and owner.on_failure is default_tool_error_function
        and all(each is None for each in (owner.input_builder, owner.extract, owner.on_stream))
        and all(each is None for each in (run.run_config, run.hooks, run.session, run.previous_response_id))
        and run.conversation_id is None
    )
    return is_plain, run.max_turns


@dataclass(frozen=True, slots=True, kw_only=True)
class _AgentTool:
    """The implementation of an agent tool."""

    name: str
    arguments: ToolArguments
    run: NestedRun
    """Template of the nested run, without the data of a call."""
    input_builder: StructuredToolInputBuilder | None
    includes_schema: bool
    extract: Callable[[RunResult | RunResultStreaming], Awaitable[str]] | None
    on_stream: OnStream | None
    on_failure: ToolErrorFunction | None

    async def invoke(self, context: ToolContext[Any], arguments: str) -> Any:
        """Return the output of a call, or the model's text for its failure."""
        try:
            return await self._call(context, arguments)
        except Exception as error:
            if self.on_failure is None:
                raise
            return await failure_text(context, error, self.on_failure)

    async def _call(self, context: ToolContext[Any], arguments: str) -> Any:
        run_agent = context.run_agent or _load_runner()
        params = self.arguments.parse(arguments)
        is_structured = self.arguments.is_typed or self.input_builder is not None
        run = dataclasses.replace(
            self.run,
            input=await self._input(params),
            tool_input=params if is_structured else None,
            on_event=None if self.on_stream is None else _listener(self.on_stream, context),
        )
        result = await run_agent(run, context)
        if result.interruptions:
            return ""  # The nested run waits for approval; the call is repeated when it is resumed.
        if self.extract is None:
            return _output_of(result)
        output: Any = self.extract(result)
        return await output if inspect.isawaitable(output) else output

    async def _input(self, params: dict[str, Any]) -> StructuredToolInputResult:
        """Return the input of the nested run; a single string is passed unchanged unless there is a builder."""
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
        return await build_input(self.input_builder or default_tool_input_builder, options)


def _output_of(result: RunResult) -> Any:
    """Return the output of a nested run.

    In place of an empty text it is the last text of a message or a tool, unless output guardrails checked that.
    """
    if result.final_output != "" or result.output_guardrail_results:
        return result.final_output
    for item in reversed(result.new_items):
        match item:
            case MessageOutputItem() if text := ItemHelpers.text_message_output(item):
                return text
            case ToolCallOutputItem(output=str(text)) if text:
                return text
    return ""


def _load_runner() -> RunAgent:
    """Return the function that runs an agent in a call of its tool, for a call outside of any run."""
    # The runner is a layer above, and only code that calls a tool by itself needs it from here.
    run_agent: Any = load("agentctl.run.runner", "run_nested")
    found: RunAgent = run_agent
    return found


def _check(
    name: str,
    max_turns: int | None,
    previous_response_id: str | None,
    conversation_id: str | None,
    session: Session | None,
    max_pending: int | None,
) -> None:
    if max_turns is not None and max_turns < 1:
        raise UserError(f"agent tool {name!r}: max_turns must be at least 1, or None for the default, not {max_turns}")
    if session is not None and (conversation_id is not None or previous_response_id is not None):
        raise UserError(f"agent tool {name!r}: session cannot be combined with conversation_id or previous_response_id")
    if previous_response_id is not None and conversation_id is not None:
        raise UserError(f"agent tool {name!r}: conversation_id cannot be combined with previous_response_id")
    if max_pending is not None and (not isinstance(max_pending, int) or max_pending < 1):
        raise UserError(
            f"agent tool {name!r}: on_stream_max_pending_events must be an integer of at least 1, or None, "
            f"not {max_pending!r}"
        )


def _listener(on_stream: OnStream, context: ToolContext[Any]) -> Callable[[StreamEvent, Agent[Any]], Awaitable[None]]:
    tool_call = context.tool_call
    has_failed = False

    async def on_event(event: StreamEvent, agent: Agent[Any]) -> None:
        nonlocal has_failed
        try:
            result = on_stream({"event": event, "agent": agent, "tool_call": tool_call})
            if inspect.isawaitable(result):
                await result
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and not is_stray_cancellation():
                raise
            # A failing observer does not end the run, and is logged once per call.
            if not has_failed:
                logger.exception("on_stream of agent tool %s failed", context.tool_name)
            has_failed = True

    return on_event


class TextArguments:
    """The arguments of an agent tool that takes a string."""

    is_typed = False

    def __init__(self, tool_name: str) -> None:
        self._tool_name = tool_name
        self.schema: dict[str, Any] = {
            "type": "object",
            "properties": {"input": {"type": "string"}},
            "required": ["input"],
            "additionalProperties": False,
        }

    def parse(self, text: str) -> dict[str, Any]:
        """Parse the arguments of a call, JSON text.

        Raises:
            ModelBehaviorError: they are invalid.
        """
        try:
            params = json.loads(text)
        except ValueError as error:
            raise ModelBehaviorError(f"the arguments of tool {self._tool_name!r} are not JSON: {error}") from error
        if not isinstance(params, dict) or not isinstance(params.get("input"), str):
            raise ModelBehaviorError(f"the arguments of tool {self._tool_name!r} are invalid: input must be a string")
        return {"input": params["input"]}


class TypedArguments:
    """The arguments of an agent tool that takes a dataclass or a pydantic model."""

    is_typed = True

    def __init__(self, tool_name: str, kind: type[Any]) -> None:
        # 50 ms: imported only for agent tools with parameters.
        from pydantic import BaseModel, TypeAdapter

        if not isinstance(kind, type) or not (dataclasses.is_dataclass(kind) or issubclass(kind, BaseModel)):
            raise TypeError(
                f"agent tool {tool_name!r}: parameters must be a dataclass or a pydantic model, not {kind!r}"
            )
        self._tool_name = tool_name
        self._adapter: Any = TypeAdapter(kind)
        try:
            self.schema: dict[str, Any] = ensure_strict_json_schema(self._adapter.json_schema())
        except Exception as error:
            raise UserError(f"agent tool {tool_name!r}: its parameters have no strict JSON schema: {error}") from error
        if self.schema.get("type", "object") != "object":
            raise UserError(f"agent tool {tool_name!r}: parameters must be a type with fields, not {kind.__name__}")

    def parse(self, text: str) -> dict[str, Any]:
        """Parse and validate the arguments of a call, JSON text, and return them as JSON.

        Raises:
            ModelBehaviorError: they are invalid.
        """
        from pydantic import ValidationError

        try:
            params: dict[str, Any] = self._adapter.dump_python(self._adapter.validate_json(text), mode="json")
        except ValidationError as error:
            raise ModelBehaviorError(
                f"the arguments of tool {self._tool_name!r} are invalid: {validation_errors(error)[0]}"
            ) from error
        return params


ToolArguments: TypeAlias = TextArguments | TypedArguments


def tool_arguments(tool_name: str, parameters: type[Any] | None) -> ToolArguments:
    """Return the parser for the arguments of an agent tool.

    Raises:
        UserError: the type has no strict JSON schema.
        TypeError: it is neither a dataclass nor a pydantic model.
    """
    return TextArguments(tool_name) if parameters is None else TypedArguments(tool_name, parameters)


class StructuredToolInputBuilderOptions(TypedDict, total=False):
    """Argument of an input builder."""

    params: Any
    """The arguments, as JSON."""
    summary: str | None
    """Description of the arguments as text; None if the schema has no descriptions."""
    json_schema: dict[str, Any] | None
    """Their schema, if `include_input_schema` is set."""


StructuredToolInputResult: TypeAlias = str | list[WireItem]

StructuredToolInputBuilder: TypeAlias = Callable[
    [StructuredToolInputBuilderOptions], StructuredToolInputResult | Awaitable[StructuredToolInputResult]
]
"""Builds the input of the nested run from the arguments of the call."""


def default_tool_input_builder(options: StructuredToolInputBuilderOptions) -> str:
    """Return the arguments as JSON, followed by their schema or their description."""
    arguments = json.dumps(options.get("params"), ensure_ascii=False, indent=2)
    schema, summary = options.get("json_schema"), options.get("summary")
    if schema is not None:
        meaning = f"JSON schema of the arguments:\n{json.dumps(schema, ensure_ascii=False, indent=2)}"
    elif summary:
        meaning = f"Meaning of the arguments:\n{summary}"
    else:
        return arguments
    return f"Another agent called you as a tool with these arguments:\n{arguments}\n\n{meaning}"


async def build_input(
    builder: StructuredToolInputBuilder, options: StructuredToolInputBuilderOptions
) -> StructuredToolInputResult:
    """Call an input builder.

    Raises:
        UserError: its result is not an input.
    """
    result = builder(options)
    if inspect.isawaitable(result):
        result = await result
    if not isinstance(result, str | list):
        raise UserError(f"input_builder must return a string or a list of items, not {type(result).__name__}")
    return result


def schema_summary(schema: dict[str, Any]) -> str | None:
    """Return the descriptions in an object's schema as text, a line per field; None if there are none."""
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
