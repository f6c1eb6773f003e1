"""Function tools and the types of their settings and results."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, get_args

from agentctl._dataclass import dataclass
from agentctl.agent.context import RunContextWrapper, ToolContext
from agentctl.agent.durations import validate_seconds
from agentctl.agent.strict_schema import ensure_strict_json_schema
from agentctl.errors import UserError

if TYPE_CHECKING:
    from mcp.types import ToolAnnotations

    from agentctl.agent.agent import Agent
    from agentctl.agent.items.run_items import RunItem, ToolApprovalItem

    from .custom_data import FunctionToolCustomDataExtractor
    from .guardrails import ToolInputGuardrail, ToolOutputGuardrail


ToolErrorFunction: TypeAlias = Callable[[RunContextWrapper[Any], Exception], str | Awaitable[str]]
"""Converts a tool's exception to the text that the model reads in place of an output."""


def default_tool_error_function(ctx: RunContextWrapper[Any], error: Exception) -> str:
    """Return the error as text, so that the model can correct its call or proceed without the tool."""
    return f"Error: {type(error).__name__}: {error}"


NeedsApproval: TypeAlias = bool | Callable[[RunContextWrapper[Any], dict[str, Any], str], bool | Awaitable[bool]]
"""Whether calls need approval: always, never, or as a function of context, arguments and call id decides."""

ToolTimeoutBehavior = Literal["error_as_result", "raise_exception"]
"""Handling of a timeout: an error text for the model, or a `ToolTimeoutError` that ends the run."""


class ToolOriginType(StrEnum):
    """Kind of a tool's origin."""

    FUNCTION = "function"
    MCP = "mcp"
    AGENT_AS_TOOL = "agent_as_tool"


@dataclass(frozen=True)
class ToolOrigin:
    """Origin of a tool: a local function, an MCP server or an agent."""

    type: ToolOriginType
    mcp_server_name: str | None = None
    agent_name: str | None = None
    agent_tool_name: str | None = None

    def to_json_dict(self) -> dict[str, str]:
        """Return the origin as JSON, without unset names."""
        return {name: str(value) for name, value in vars(self).items() if value is not None}

    @classmethod
    def from_json_dict(cls, data: Any) -> ToolOrigin | None:
        """Return the origin in the JSON of `to_json_dict`, None if it is none."""
        if not isinstance(data, dict) or data.get("type") not in [kind.value for kind in ToolOriginType]:
            return None
        names = {name: data.get(name) for name in ("mcp_server_name", "agent_name", "agent_tool_name")}
        return cls(ToolOriginType(data["type"]), **names)


FUNCTION_ORIGIN = ToolOrigin(ToolOriginType.FUNCTION)


class _WrappedFunction:
    """The attribute `__wrapped__` of a tool that `function_tool` made, as of `functools.wraps`."""

    def __get__(self, tool: FunctionTool | None, owner: type[FunctionTool]) -> Callable[..., Any]:
        wrapped: Callable[..., Any] | None = getattr(tool and tool.on_invoke_tool, _MARK, None)
        if wrapped is None:
            raise AttributeError("__wrapped__")
        return wrapped

    def __set__(self, tool: FunctionTool, value: object) -> None:
        raise AttributeError(f"__wrapped__ of tool {tool.name!r} is its function, which cannot be replaced")


_MARK = "_function_of_tool"


def mark_invoker(invoke: Callable[[ToolContext[Any], str], Awaitable[Any]], function: Callable[..., Any]) -> None:
    """Make `function` the `__wrapped__` of the tools that are invoked with `invoke`."""
    setattr(invoke, _MARK, function)


@dataclass
class FunctionTool:
    """A tool that runs locally: the model sees name, description and schema, the engine calls `on_invoke_tool`."""

    name: str
    description: str
    params_json_schema: dict[str, Any]
    """JSON schema of the arguments, of type `object`; converted to strict mode if `strict_json_schema` is set."""
    on_invoke_tool: Callable[[ToolContext[Any], str], Awaitable[Any]]
    """Called with the call's context and the arguments as JSON text; returns the output for the model."""
    strict_json_schema: bool = True
    """Whether the service must enforce the schema."""
    is_enabled: Enablement = True
    """Whether the tool is offered to the model, evaluated at every turn."""
    tool_input_guardrails: list[ToolInputGuardrail[Any]] | None = None
    """Checks of each call before it runs, in order."""
    tool_output_guardrails: list[ToolOutputGuardrail[Any]] | None = None
    """Checks of each output before the model reads it, in order."""
    needs_approval: NeedsApproval = False
    """Whether calls need approval."""
    timeout_seconds: float | None = None
    """Time limit of a call; None is no limit."""
    timeout_behavior: ToolTimeoutBehavior = "error_as_result"
    timeout_error_function: ToolErrorFunction | None = None
    """Returns the model's text for a timeout."""
    defer_loading: bool = False
    """Whether the model sees the tool only once a tool search found it."""
    custom_data_extractor: FunctionToolCustomDataExtractor | None = field(default=None, kw_only=True)
    """Returns `custom_data` of the output items."""
    agent: Agent[Any] | None = field(default=None, kw_only=True, repr=False)
    """The agent that the tool runs, if any."""
    origin: ToolOrigin = field(default=FUNCTION_ORIGIN, kw_only=True, repr=False)
    """Origin of the tool, which its items repeat."""
    is_read_only: bool = field(default=False, kw_only=True, repr=False)
    """Whether calls change nothing, as the author declares it, for `--on-approval read-only`."""
    mcp_annotations: ToolAnnotations | None = field(default=None, kw_only=True, repr=False)
    """Hints of an MCP server about its tool's behavior, without any guarantee."""

    allowed_callers: Any = field(default=None, kw_only=True, repr=False)
    """Not supported: programmatic tool calling is an error."""
    output_json_schema: dict[str, Any] | None = field(default=None, kw_only=True, repr=False)
    """JSON schema of the outputs, for the program."""
    namespace: str | None = field(default=None, kw_only=True, repr=False)
    """The name that groups the tool with others; `tool_namespace` sets it."""
    namespace_description: str | None = field(default=None, kw_only=True, repr=False)

    __wrapped__ = _WrappedFunction()

    def __post_init__(self) -> None:
        if self.allowed_callers is not None and list(self.allowed_callers) != ["direct"]:
            raise UserError(f"tool {self.name!r}: agentctl has no programmatic tool calling (allowed_callers)")
        if self.strict_json_schema:
            self.params_json_schema = _strict(self.params_json_schema, self.name)
        if self.timeout_seconds is not None:
            validate_seconds(f"tool {self.name!r}: the timeout", self.timeout_seconds)
        if self.timeout_behavior not in get_args(ToolTimeoutBehavior):
            raise ValueError(
                f"tool {self.name!r}: timeout_behavior must be error_as_result or raise_exception, "
                f"not {self.timeout_behavior!r}"
            )

    @property
    def qualified_name(self) -> str:
        """The tool's name, prefixed with its namespace if it has one."""
        return f"{self.namespace}.{self.name}" if self.namespace and self.namespace != self.name else self.name


def _strict(schema: dict[str, Any], name: str) -> dict[str, Any]:
    try:
        return ensure_strict_json_schema(schema)
    except UserError as error:
        raise UserError(f"tool {name!r}: {error.message} (`strict_json_schema=False`)") from error


class StopAtTools(TypedDict):
    """Tools whose output ends the run: the output of the first one called is the final output."""

    stop_at_tool_names: list[str]


@dataclass
class ToolsToFinalOutputResult:
    """Decision on whether a turn's tool outputs end the run, with the final output."""

    is_final_output: bool
    final_output: Any | None = None


@dataclass
class FunctionToolResult:
    """Result of a function tool call."""

    tool: FunctionTool
    output: Any
    """The tool's return value, or the text that the model reads in its place."""
    run_item: RunItem
    interruptions: list[ToolApprovalItem] = field(default_factory=list)
    """The calls of the run behind it that wait for approval."""
    agent_run_result: Any = None
    """Result of the nested run, if the tool is an agent."""


ToolsToFinalOutputFunction: TypeAlias = (
    "Callable[[RunContextWrapper[Any], list[FunctionToolResult]], "
    "ToolsToFinalOutputResult | Awaitable[ToolsToFinalOutputResult]]"
)
"""Decides from the results of a turn's tools whether the run ends with them."""

ToolUseBehavior: TypeAlias = Literal["run_llm_again", "stop_on_first_tool"] | StopAtTools | ToolsToFinalOutputFunction
"""Handling of a turn's tool outputs: the model reads them, or they end the run."""


Enablement: TypeAlias = "bool | Callable[[RunContextWrapper[Any], Agent[Any]], bool | Awaitable[bool]]"
"""Whether a tool or handoff is offered: always, never, or as a function of context and agent decides every turn."""


async def is_enabled(setting: Enablement, context: RunContextWrapper[Any], agent: Agent[Any]) -> bool:
    """Return whether a tool or handoff with this setting is offered in the current turn."""
    if not callable(setting):
        return bool(setting)
    result = setting(context, agent)
    return bool(await result if inspect.isawaitable(result) else result)
