"""What a run may be told beside agent and input."""

from __future__ import annotations

import os
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
    from .session import SessionInputCallback, SessionSettings

DEFAULT_MAX_TURNS = 10
"""How many turns a run may take when it is not told."""

ToolNotFoundBehavior: TypeAlias = Literal["raise_error", "return_error_to_model"]
"""Whether a call of a tool that the agent does not have ends the run, or is answered with an error for the model."""

ToolNameCollisionPolicy: TypeAlias = Literal["warn", "error"]
"""What is done about two tools, or a tool and a handoff, of one name."""

ReasoningItemIdPolicy: TypeAlias = Literal["preserve", "omit"]
"""Whether reasoning items keep their ids when they are sent again."""


@dataclass(frozen=True, slots=True)
class ToolExecutionConfig:
    """How the tools of a run are run."""

    max_function_tool_concurrency: int | None = None
    """How many function tools may run at a time; None is no limit."""
    pre_approval_tool_input_guardrails: bool = False
    """Whether the input guardrails of a function tool check a call before somebody is asked about it, too."""

    def __post_init__(self) -> None:
        most = self.max_function_tool_concurrency
        if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
            raise ValueError(f"max_function_tool_concurrency is a whole number from 1, or None, not {most!r}")
        flag: Any = self.pre_approval_tool_input_guardrails
        if not isinstance(flag, bool):
            raise ValueError(f"tool_execution.pre_approval_tool_input_guardrails must be a bool, not {flag!r}")


def _default_provider() -> ModelProvider:
    # The providers are a layer above; they and what they talk to are imported when a run needs them.
    provider = load("agentctl.models.multi_provider", "MultiProvider")
    assert callable(provider)
    found: ModelProvider = provider()
    return found


def _includes_sensitive_data() -> bool:
    return os.environ.get("OPENAI_AGENTS_TRACE_INCLUDE_SENSITIVE_DATA", "").strip().lower() not in ("0", "false")


@dataclass
class RunConfig:
    """Settings of a whole run, over those of its agents."""

    model: str | Model | None = None
    """The model of every agent in the run, whatever they say themselves."""
    model_provider: ModelProvider = field(default_factory=_default_provider)
    """Finds the models that are given by name."""
    model_settings: ModelSettings | None = None
    """Put over the settings of every agent in the run, value by value."""
    handoff_input_filter: HandoffInputFilter | None = None
    """Changes what the next agent is given at a handoff that has no filter of its own."""
    nest_handoff_history: bool = False
    """Whether the next agent is given what went before a handoff as one message; a handoff may say otherwise."""
    handoff_history_mapper: HandoffHistoryMapper | None = None
    """Makes that message; None takes ours."""
    input_guardrails: list[InputGuardrail[Any]] | None = None
    """Checks of the run's input, with those of its first agent."""
    output_guardrails: list[OutputGuardrail[Any]] | None = None
    """Checks of the final output, with those of the agent that gives it."""
    tracing_disabled: bool = False
    """Whether this run has no trace, whatever the process does."""
    tracing: TracingConfig | None = None
    """How the trace differs from the process's."""
    trace_include_sensitive_data: bool = field(default_factory=_includes_sensitive_data)
    """Whether spans hold inputs and outputs: OPENAI_AGENTS_TRACE_INCLUDE_SENSITIVE_DATA decides, else they do."""
    workflow_name: str = "Agent workflow"
    """The name of the trace."""
    trace_id: str | None = None
    """The id of the trace; None is a new one."""
    group_id: str | None = None
    """What the trace has in common with others, a conversation for instance."""
    trace_metadata: dict[str, Any] | None = None
    session_input_callback: SessionInputCallback | None = None
    """Makes the input of what the session holds and of what is new; None puts the one before the other."""
    call_model_input_filter: CallModelInputFilter | None = None
    """Changes the input of each model call, and nothing else of the run."""
    tool_error_formatter: ToolErrorFormatter | None = None
    """Words what the model is told of a tool call that failed."""
    session_settings: SessionSettings | dict[str, Any] | None = None
    """How the session is read, over its own settings."""
    reasoning_item_id_policy: ReasoningItemIdPolicy | None = None
    """None is `preserve`; what the run was given as input stays as it is."""
    sandbox: Any = None
    """The SDK's hosted sandboxes, which there are not here."""
    tool_execution: ToolExecutionConfig | None = None
    tool_not_found_behavior: ToolNotFoundBehavior = "raise_error"
    tool_name_collision_policy: ToolNameCollisionPolicy = "warn"
    output_guardrail_blocked_message: str | OutputGuardrailBlockedMessageFormatter | None = None
    """What stands in place of a final output of tools that a guardrail held back: a text, or a function of it."""
    max_tokens_total: int | None = None
    """The most tokens, in and out, that the run may use with all the runs within it; ours, not the SDK's.

    No call starts once they are used, and each call's output is limited to what is left, so that the run goes beyond by
    one call's input at most. Calls are then made one after the other, those of agents that run side by side too.
    """

    def __post_init__(self) -> None:
        if not (self.model is None or isinstance(self.model, str | Model)):
            raise TypeError(f"RunConfig.model is a name or a Model, not {type(self.model).__name__}")
        if self.sandbox is not None:
            raise UserError("RunConfig.sandbox: agentctl has no hosted sandboxes; ShellTool runs commands on this machine")
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
                raise ValueError(f"RunConfig.{name} is {' or '.join(known)}, not {value!r}")
        most: Any = self.max_tokens_total
        if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
            raise ValueError(f"RunConfig.max_tokens_total is a whole number from 1, or None, not {most!r}")
        message: Any = self.output_guardrail_blocked_message
        if not (message is None or callable(message) or (isinstance(message, str) and message)):
            raise ValueError(f"RunConfig.output_guardrail_blocked_message is a text or a function, not {message!r}")


def run_config(given: RunConfig | dict[str, Any] | None) -> RunConfig:
    """Return the configuration of a run from what a caller may give.

    Raises:
        UserError: it is neither.
        TypeError: a dict has a key that is no field of `RunConfig`.
    """
    if isinstance(given, RunConfig):
        return given
    if not (given is None or isinstance(given, dict)):
        raise UserError(f"run_config is a RunConfig or a dict, not {type(given).__name__}")
    known = {field.name for field in fields(RunConfig)}
    if unknown := sorted(set(given or ()) - known):
        raise TypeError(f"Unknown run_config settings: {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return RunConfig(**(given or {}))
