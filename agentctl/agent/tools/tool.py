"""Tools: what an agent may call."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, get_args

from agentctl._dataclass import dataclass
from agentctl.agent.context import RunContextWrapper, ToolContext
from agentctl.agent.durations import check_seconds
from agentctl.agent.strict_schema import ensure_strict_json_schema
from agentctl.errors import UserError

if TYPE_CHECKING:
    from mcp.types import ToolAnnotations

    from agentctl.agent.agent import Agent
    from agentctl.agent.items.run_items import RunItem

    from .custom_data import FunctionToolCustomDataExtractor
    from .guardrails import ToolInputGuardrail, ToolOutputGuardrail


ToolErrorFunction: TypeAlias = Callable[[RunContextWrapper[Any], Exception], str | Awaitable[str]]
"""Turns what a tool raised into the text that the model reads in place of an output."""


def default_tool_error_function(ctx: RunContextWrapper[Any], error: Exception) -> str:
    """Tell the model what went wrong, so that it can mend its call or do without."""
    return f"Error: {type(error).__name__}: {error}"


NeedsApproval: TypeAlias = bool | Callable[[RunContextWrapper[Any], dict[str, Any], str], bool | Awaitable[bool]]
"""Whether a call waits for somebody's yes: always, never, or as a function of context, arguments and call id says."""

ToolTimeoutBehavior = Literal["error_as_result", "raise_exception"]
"""What follows a timeout: the model is told, or `ToolTimeoutError` ends the run."""


class ToolOriginType(StrEnum):
    """What kind of thing gave the tool."""

    FUNCTION = "function"
    MCP = "mcp"
    AGENT_AS_TOOL = "agent_as_tool"


@dataclass(frozen=True)
class ToolOrigin:
    """A function of this program, an MCP server or an agent."""

    type: ToolOriginType
    mcp_server_name: str | None = None
    agent_name: str | None = None
    agent_tool_name: str | None = None


FUNCTION_ORIGIN = ToolOrigin(ToolOriginType.FUNCTION)


@dataclass
class FunctionTool:
    """A tool that runs here: the model sees name, description and schema, the engine calls `on_invoke_tool`."""

    name: str
    description: str
    params_json_schema: dict[str, Any]
    """The JSON schema of the arguments, an object; made strict where `strict_json_schema` says so."""
    on_invoke_tool: Callable[[ToolContext[Any], str], Awaitable[Any]]
    """Called with the call's context and the arguments as a JSON text; what it returns is put to the model."""
    strict_json_schema: bool = True
    """Whether the service must hold the model to the schema."""
    is_enabled: Enablement = True
    """Whether the model is offered the tool, asked at every turn."""
    tool_input_guardrails: list[ToolInputGuardrail[Any]] | None = None
    """What looks at each call before it is run, one after the other."""
    tool_output_guardrails: list[ToolOutputGuardrail[Any]] | None = None
    """What looks at each output before the model does, one after the other."""
    needs_approval: NeedsApproval = False
    """Whether a call waits for somebody's yes."""
    timeout_seconds: float | None = None
    """How long a call may take; None is as long as it likes."""
    timeout_behavior: ToolTimeoutBehavior = "error_as_result"
    timeout_error_function: ToolErrorFunction | None = None
    """Gives the model's text for a timeout."""
    custom_data_extractor: FunctionToolCustomDataExtractor | None = field(default=None, kw_only=True)
    """Gives `custom_data` of the output items."""
    agent: Agent[Any] | None = field(default=None, kw_only=True, repr=False)
    """The agent that the tool is, where it is one."""
    origin: ToolOrigin = field(default=FUNCTION_ORIGIN, kw_only=True, repr=False)
    """Where the tool comes from, as its items tell."""
    mcp_annotations: ToolAnnotations | None = field(default=None, kw_only=True, repr=False)
    """What an MCP server says of how its tool behaves, which is a hint and no promise."""

    def __post_init__(self) -> None:
        if self.strict_json_schema:
            self.params_json_schema = _strict(self.params_json_schema, self.name)
        if self.timeout_seconds is not None:
            check_seconds(f"tool {self.name!r}: the timeout", self.timeout_seconds)
        if self.timeout_behavior not in get_args(ToolTimeoutBehavior):
            raise ValueError(
                f"tool {self.name!r}: timeout_behavior is error_as_result or raise_exception, "
                f"not {self.timeout_behavior!r}"
            )

    @property
    def qualified_name(self) -> str:
        """The name with the namespace of the tool, if it has one."""
        return self.name


def _strict(schema: dict[str, Any], name: str) -> dict[str, Any]:
    try:
        return ensure_strict_json_schema(schema)
    except UserError as error:
        raise UserError(f"tool {name!r}: {error.message} (`strict_json_schema=False`)") from error


class StopAtTools(TypedDict):
    """The output of the first of these tools that was called is the final output."""

    stop_at_tool_names: list[str]


@dataclass
class ToolsToFinalOutputResult:
    """Whether the outputs of a turn's tools make the final output, and which."""

    is_final_output: bool
    final_output: Any | None = None


@dataclass
class FunctionToolResult:
    """What a call of a function tool gave."""

    tool: FunctionTool
    output: Any
    """What the tool returned, or the text that the model reads in its place."""
    run_item: RunItem
    agent_run_result: Any = None
    """The result of the run behind it, where the tool is an agent."""


ToolsToFinalOutputFunction: TypeAlias = (
    "Callable[[RunContextWrapper[Any], list[FunctionToolResult]], "
    "ToolsToFinalOutputResult | Awaitable[ToolsToFinalOutputResult]]"
)
"""Decides, from the results of a turn's tools, whether the run ends with them."""

ToolUseBehavior: TypeAlias = Literal["run_llm_again", "stop_on_first_tool"] | StopAtTools | ToolsToFinalOutputFunction
"""What follows the tools of a turn: the model reads their outputs, or they end the run."""


Enablement: TypeAlias = "bool | Callable[[RunContextWrapper[Any], Agent[Any]], bool | Awaitable[bool]]"
"""Always, never, or as a function of the run's context and the agent says at every turn."""


async def is_enabled(wanted: Enablement, context: RunContextWrapper[Any], agent: Agent[Any]) -> bool:
    """Return whether it is offered in this turn."""
    if not callable(wanted):
        return bool(wanted)
    answer = wanted(context, agent)
    return bool(await answer if inspect.isawaitable(answer) else answer)
