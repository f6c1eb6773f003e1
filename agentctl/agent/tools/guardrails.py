"""Tool guardrails: functions that check a tool call before it runs, or its output before the model reads it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypedDict, overload

from typing_extensions import TypeVar

from agentctl._dataclass import dataclass
from agentctl.agent.context import ToolContext
from agentctl.agent.guardrail import call_guardrail, name_of
from agentctl.errors import UserError

if TYPE_CHECKING:
    from agentctl.agent.agent import Agent

TContext_co = TypeVar("TContext_co", bound=Any, covariant=True, default=Any)


class AllowBehavior(TypedDict):
    """Behavior that lets the call proceed."""

    type: Literal["allow"]


class RejectContentBehavior(TypedDict):
    """Behavior that gives the model a message in place of the output; a pending call is skipped."""

    type: Literal["reject_content"]
    message: str


class RaiseExceptionBehavior(TypedDict):
    """Behavior that ends the run."""

    type: Literal["raise_exception"]


@dataclass
class ToolGuardrailFunctionOutput:
    """Result of a tool guardrail function, with its consequence."""

    output_info: Any = None
    """Details of the check, for the results of the run."""
    behavior: AllowBehavior | RejectContentBehavior | RaiseExceptionBehavior = field(
        default_factory=lambda: AllowBehavior(type="allow")
    )

    @classmethod
    def allow(cls, output_info: Any = None) -> ToolGuardrailFunctionOutput:
        """Return a result that lets the call proceed."""
        return cls(output_info)

    @classmethod
    def reject_content(cls, message: str, output_info: Any = None) -> ToolGuardrailFunctionOutput:
        """Return a result that gives the model this message in place of the output."""
        return cls(output_info, RejectContentBehavior(type="reject_content", message=message))

    @classmethod
    def raise_exception(cls, output_info: Any = None) -> ToolGuardrailFunctionOutput:
        """Return a result that ends the run."""
        return cls(output_info, RaiseExceptionBehavior(type="raise_exception"))


@dataclass
class ToolInputGuardrailData:
    """Argument of an input guardrail; the context describes the call."""

    context: ToolContext[Any]
    agent: Agent[Any]


@dataclass
class ToolOutputGuardrailData(ToolInputGuardrailData):
    """Argument of an output guardrail."""

    output: Any
    """The tool's return value."""


@dataclass
class ToolInputGuardrail(Generic[TContext_co]):
    """A check of each call of a tool before it runs."""

    guardrail_function: Callable[
        [ToolInputGuardrailData], ToolGuardrailFunctionOutput | Awaitable[ToolGuardrailFunctionOutput]
    ]
    name: str | None = None

    def get_name(self) -> str:
        """Return the guardrail's name, by default that of its function."""
        return self.name or name_of(self.guardrail_function)

    async def run(self, data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
        """Check a call."""
        return await _run_check(self.guardrail_function, data, self.get_name())


@dataclass
class ToolOutputGuardrail(Generic[TContext_co]):
    """A check of each output of a tool before the model reads it."""

    guardrail_function: Callable[
        [ToolOutputGuardrailData], ToolGuardrailFunctionOutput | Awaitable[ToolGuardrailFunctionOutput]
    ]
    name: str | None = None

    def get_name(self) -> str:
        """Return the guardrail's name, by default that of its function."""
        return self.name or name_of(self.guardrail_function)

    async def run(self, data: ToolOutputGuardrailData) -> ToolGuardrailFunctionOutput:
        """Check an output."""
        return await _run_check(self.guardrail_function, data, self.get_name())


@dataclass
class ToolInputGuardrailResult:
    """Result of an input guardrail for a call."""

    guardrail: ToolInputGuardrail[Any]
    output: ToolGuardrailFunctionOutput


@dataclass
class ToolOutputGuardrailResult:
    """Result of an output guardrail for an output."""

    guardrail: ToolOutputGuardrail[Any]
    output: ToolGuardrailFunctionOutput


_CheckResult: TypeAlias = ToolGuardrailFunctionOutput | Awaitable[ToolGuardrailFunctionOutput]
_InputFunction: TypeAlias = Callable[[ToolInputGuardrailData], _CheckResult]
_OutputFunction: TypeAlias = Callable[[ToolOutputGuardrailData], _CheckResult]


@overload
def tool_input_guardrail(func: _InputFunction, /) -> ToolInputGuardrail[Any]: ...


@overload
def tool_input_guardrail(*, name: str | None = None) -> Callable[[_InputFunction], ToolInputGuardrail[Any]]: ...


def tool_input_guardrail(
    func: _InputFunction | None = None, *, name: str | None = None
) -> ToolInputGuardrail[Any] | Callable[[_InputFunction], ToolInputGuardrail[Any]]:
    """Turn a function, async or not, into an input guardrail for tools."""

    def make(function: _InputFunction) -> ToolInputGuardrail[Any]:
        return ToolInputGuardrail(guardrail_function=function, name=name or name_of(function))

    return make if func is None else make(func)


@overload
def tool_output_guardrail(func: _OutputFunction, /) -> ToolOutputGuardrail[Any]: ...


@overload
def tool_output_guardrail(*, name: str | None = None) -> Callable[[_OutputFunction], ToolOutputGuardrail[Any]]: ...


def tool_output_guardrail(
    func: _OutputFunction | None = None, *, name: str | None = None
) -> ToolOutputGuardrail[Any] | Callable[[_OutputFunction], ToolOutputGuardrail[Any]]:
    """Turn a function, async or not, into an output guardrail for tools."""

    def make(function: _OutputFunction) -> ToolOutputGuardrail[Any]:
        return ToolOutputGuardrail(guardrail_function=function, name=name or name_of(function))

    return make if func is None else make(func)


async def _run_check(
    function: Callable[[Any], Any], data: ToolInputGuardrailData, name: str
) -> ToolGuardrailFunctionOutput:
    if not callable(function):
        raise UserError(f"tool guardrail {name!r} must be a function, not {type(function).__name__}")
    result = await call_guardrail(function, data, name=name)
    if not isinstance(result, ToolGuardrailFunctionOutput):
        kind = type(result).__name__
        raise UserError(f"tool guardrail {name!r} must return a ToolGuardrailFunctionOutput, not {kind}")
    return result
