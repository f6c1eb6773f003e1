"""Settings of a run besides its agent and input."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import field, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from agentctl._dataclass import dataclass
from agentctl._lazy import load
from agentctl.errors import UserError

from .model_settings import ModelSettings, model_settings
from .ports import Model, ModelProvider

if TYPE_CHECKING:
    from agentctl.agent.tools.error_formatter import ToolErrorFormatter
    from agentctl.run.input_filter import CallModelInputFilter
    from agentctl.tracing.spans import TracingConfig

    from .guardrail import InputGuardrail, OutputGuardrail, OutputGuardrailBlockedMessageFormatter
    from .handoff import HandoffHistoryMapper, HandoffInputFilter
    from .items.run_items import ToolApprovalItem
    from .session import SessionInputCallback, SessionSettings

DEFAULT_MAX_TURNS = 10
"""Maximum number of turns of a run unless set otherwise."""

ToolNotFoundBehavior: TypeAlias = Literal["raise_error", "return_error_to_model"]
"""Whether a call of an unknown tool ends the run or is answered with an error for the model."""

ToolNameCollisionPolicy: TypeAlias = Literal["warn", "error"]
"""How to handle two tools, or a tool and a handoff, with the same name."""

ReasoningItemIdPolicy: TypeAlias = Literal["preserve", "omit"]
"""Whether reasoning items keep their ids when they are sent back to the model."""


@dataclass(frozen=True, slots=True)
class ToolExecutionConfig:
    """Settings for the execution of a run's tools."""

    max_function_tool_concurrency: int | None = None
    """Maximum number of function tools that run at a time; None is no limit."""
    pre_approval_tool_input_guardrails: bool = False
    """Whether a function tool's input guardrails also check a call before its approval is requested."""

    def __post_init__(self) -> None:
        limit = self.max_function_tool_concurrency
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise ValueError(f"max_function_tool_concurrency must be an integer of at least 1, or None, not {limit!r}")
        flag: Any = self.pre_approval_tool_input_guardrails
        if not isinstance(flag, bool):
            raise ValueError(f"tool_execution.pre_approval_tool_input_guardrails must be a bool, not {flag!r}")


def _default_provider() -> ModelProvider:
    # The providers are a layer above; they and their dependencies are imported when a run needs them.
    factory = load("agentctl.models.multi_provider", "MultiProvider")
    assert callable(factory)
    provider: ModelProvider = factory()
    return provider


def includes_sensitive_data() -> bool:
    """Return whether the environment lets traces contain inputs and outputs."""
    return os.environ.get("OPENAI_AGENTS_TRACE_INCLUDE_SENSITIVE_DATA", "").strip().lower() not in ("0", "false")


@dataclass
class RunConfig:
    """Settings of a whole run, over those of its agents."""

    model: str | Model | None = None
    """The model of every agent in the run, overriding their own."""
    model_provider: ModelProvider = field(default_factory=_default_provider)
    """Resolves the names of models."""
    model_settings: ModelSettings | None = None
    """Overrides the settings of every agent in the run, value by value."""
    handoff_input_filter: HandoffInputFilter | None = None
    """Filters the history for the next agent at handoffs without a filter of their own."""
    nest_handoff_history: bool = False
    """Whether the next agent gets the history before a handoff as one message; handoffs can override it."""
    handoff_history_mapper: HandoffHistoryMapper | None = None
    """Builds that message; None uses `default_handoff_history_mapper`."""
    input_guardrails: list[InputGuardrail[Any]] | None = None
    """Checks of the run's input, in addition to those of its first agent."""
    output_guardrails: list[OutputGuardrail[Any]] | None = None
    """Checks of the final output, in addition to those of the agent that produces it."""
    tracing_disabled: bool = False
    """Whether to disable tracing for this run, overriding the process's setting."""
    tracing: TracingConfig | None = None
    """Overrides of the process's tracing settings."""
    trace_include_sensitive_data: bool = field(default_factory=includes_sensitive_data)
    """Whether spans hold inputs and outputs; OPENAI_AGENTS_TRACE_INCLUDE_SENSITIVE_DATA sets the default, else True."""
    workflow_name: str = "Agent workflow"
    """The name of the trace."""
    trace_id: str | None = None
    """The id of the trace; None generates one."""
    group_id: str | None = None
    """Id shared by related traces, for instance those of one conversation."""
    trace_metadata: dict[str, Any] | None = None
    session_input_callback: SessionInputCallback | None = None
    """Combines the session's items and the new ones into the input; None concatenates them."""
    call_model_input_filter: CallModelInputFilter | None = None
    """Changes the input of each model call without changing the run's history."""
    tool_error_formatter: ToolErrorFormatter | None = None
    """Returns the model's text for tool calls that did not run or failed."""
    session_settings: SessionSettings | dict[str, Any] | None = None
    """Overrides of the session's own settings."""
    reasoning_item_id_policy: ReasoningItemIdPolicy | None = None
    """Whether reasoning items of the input and the run are sent with their ids; None is `preserve`."""
    sandbox: Any = None
    """Not supported: a value is an error."""
    tool_execution: ToolExecutionConfig | None = None
    tool_not_found_behavior: ToolNotFoundBehavior = "raise_error"
    tool_name_collision_policy: ToolNameCollisionPolicy = "warn"
    output_guardrail_blocked_message: str | OutputGuardrailBlockedMessageFormatter | None = None
    """Placeholder for a final tool output that a guardrail withheld: a string, or a function that returns one."""
    max_tokens_total: int | None = None
    """Maximum tokens, input plus output, of the run and its nested runs; not part of the Agents SDK.

    No call starts once they are used, and each call's output is limited to the remainder, so that the run exceeds the
    limit by one call's input at most. With a limit, model calls are made one at a time, also those of parallel agents.
    """

    max_tool_calls: int | None = 128
    """Maximum tool calls and handoffs in one response; None for no limit. Not part of the Agents SDK."""

    needs_approval: Callable[[ToolApprovalItem], bool] | None = None
    """Whether a call needs approval although its tool does not ask for it. Not part of the Agents SDK."""

    def __post_init__(self) -> None:
        if not (self.model is None or isinstance(self.model, str | Model)):
            raise TypeError(f"RunConfig.model must be a name or a Model, not {type(self.model).__name__}")
        if self.sandbox is not None:
            raise UserError("RunConfig.sandbox: agentctl has no sandboxes; ShellTool runs commands on this machine")
        if self.model_settings is not None:
            self.model_settings = model_settings(self.model_settings)
        execution: Any = self.tool_execution
        if isinstance(execution, dict):
            self.tool_execution = ToolExecutionConfig(**execution)
        for name, value, known in (
            ("tool_not_found_behavior", self.tool_not_found_behavior, get_args(ToolNotFoundBehavior)),
            ("tool_name_collision_policy", self.tool_name_collision_policy, get_args(ToolNameCollisionPolicy)),
        ):
            if value not in known:
                raise ValueError(f"RunConfig.{name} must be {' or '.join(known)}, not {value!r}")
        limits: list[tuple[str, Any]] = [
            ("max_tokens_total", self.max_tokens_total),
            ("max_tool_calls", self.max_tool_calls),
        ]
        for name, limit in limits:
            if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
                raise ValueError(f"RunConfig.{name} must be an integer of at least 1, or None, not {limit!r}")
        message: Any = self.output_guardrail_blocked_message
        if not (message is None or callable(message) or (isinstance(message, str) and message)):
            raise ValueError(
                f"RunConfig.output_guardrail_blocked_message must be a non-empty string or a function, not {message!r}"
            )


def run_config(value: RunConfig | dict[str, Any] | None) -> RunConfig:
    """Return a run's configuration, given as an object, a dict or None.

    Raises:
        UserError: it is none of these.
        TypeError: a dict has a key that is no field of `RunConfig`.
    """
    if isinstance(value, RunConfig):
        return value
    if not (value is None or isinstance(value, dict)):
        raise UserError(f"run_config must be a RunConfig or a dict, not {type(value).__name__}")
    known = {field.name for field in fields(RunConfig)}
    if unknown := sorted(set(value or ()) - known):
        raise TypeError(f"Unknown run_config settings: {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return RunConfig(**(value or {}))
