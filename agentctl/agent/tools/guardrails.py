"""Tool guardrails: functions that look at a tool call before it is run, or at its output before the model does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypedDict, overload

from typing_extensions import TypeVar

from agentctl._dataclass import dataclass
from agentctl.agent.context import ToolContext
from agentctl.agent.guardrail import asked, name_of
from agentctl.errors import UserError

if TYPE_CHECKING:
    from agentctl.agent.agent import Agent

TContext_co = TypeVar("TContext_co", bound=Any, covariant=True, default=Any)


class AllowBehavior(TypedDict):
    """The call goes on."""

    type: Literal["allow"]


class RejectContentBehavior(TypedDict):
    """The model reads a message in place of the output; a call that has not been run is not run."""

    type: Literal["reject_content"]
    message: str


class RaiseExceptionBehavior(TypedDict):
    """The run ends."""

    type: Literal["raise_exception"]


@dataclass
class ToolGuardrailFunctionOutput:
    """What a tool guardrail found, and what follows from it."""

    output_info: Any = None
    """What it found, for who reads the results of the run."""
    behavior: AllowBehavior | RejectContentBehavior | RaiseExceptionBehavior = field(
        default_factory=lambda: AllowBehavior(type="allow")
    )

    @classmethod
    def allow(cls, output_info: Any = None) -> ToolGuardrailFunctionOutput:
        """Return that the call goes on."""
        return cls(output_info)

    @classmethod
    def reject_content(cls, message: str, output_info: Any = None) -> ToolGuardrailFunctionOutput:
        """Return that the model is to read this message in place of the output."""
        return cls(output_info, RejectContentBehavior(type="reject_content", message=message))

    @classmethod
    def raise_exception(cls, output_info: Any = None) -> ToolGuardrailFunctionOutput:
        """Return that the run must end."""
        return cls(output_info, RaiseExceptionBehavior(type="raise_exception"))


@dataclass
class ToolInputGuardrailData:
    """What an input guardrail looks at: the call is in the context."""

    context: ToolContext[Any]
    agent: Agent[Any]


@dataclass
class ToolOutputGuardrailData(ToolInputGuardrailData):
    """What an output guardrail looks at."""

    output: Any
    """What the tool returned."""


@dataclass
class ToolInputGuardrail(Generic[TContext_co]):
    """Looks at each call of a tool before it is run."""

    guardrail_function: Callable[
        [ToolInputGuardrailData], ToolGuardrailFunctionOutput | Awaitable[ToolGuardrailFunctionOutput]
    ]
    name: str | None = None

    def get_name(self) -> str:
        """Return what the guardrail is called: its name, else that of its function."""
        return self.name or name_of(self.guardrail_function)

    async def run(self, data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
        """Return what the guardrail says of a call."""
        return await _said(self.guardrail_function, data, self.get_name())


@dataclass
class ToolOutputGuardrail(Generic[TContext_co]):
    """Looks at each output of a tool before the model does."""

    guardrail_function: Callable[
        [ToolOutputGuardrailData], ToolGuardrailFunctionOutput | Awaitable[ToolGuardrailFunctionOutput]
    ]
    name: str | None = None

    def get_name(self) -> str:
        """Return what the guardrail is called: its name, else that of its function."""
        return self.name or name_of(self.guardrail_function)

    async def run(self, data: ToolOutputGuardrailData) -> ToolGuardrailFunctionOutput:
        """Return what the guardrail says of an output."""
        return await _said(self.guardrail_function, data, self.get_name())


@dataclass
class ToolInputGuardrailResult:
    """What an input guardrail said of a call."""

    guardrail: ToolInputGuardrail[Any]
    output: ToolGuardrailFunctionOutput


@dataclass
class ToolOutputGuardrailResult:
    """What an output guardrail said of an output."""

    guardrail: ToolOutputGuardrail[Any]
    output: ToolGuardrailFunctionOutput


_Said: TypeAlias = ToolGuardrailFunctionOutput | Awaitable[ToolGuardrailFunctionOutput]
_InputFunction: TypeAlias = Callable[[ToolInputGuardrailData], _Said]
_OutputFunction: TypeAlias = Callable[[ToolOutputGuardrailData], _Said]


@overload
def tool_input_guardrail(func: _InputFunction, /) -> ToolInputGuardrail[Any]: ...


@overload
def tool_input_guardrail(*, name: str | None = None) -> Callable[[_InputFunction], ToolInputGuardrail[Any]]: ...


def tool_input_guardrail(
    func: _InputFunction | None = None, *, name: str | None = None
) -> ToolInputGuardrail[Any] | Callable[[_InputFunction], ToolInputGuardrail[Any]]:
    """Make an input guardrail for tools of a function, async or not."""

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
    """Make an output guardrail for tools of a function, async or not."""

    def make(function: _OutputFunction) -> ToolOutputGuardrail[Any]:
        return ToolOutputGuardrail(guardrail_function=function, name=name or name_of(function))

    return make if func is None else make(func)


async def _said(function: Callable[[Any], Any], data: ToolInputGuardrailData, name: str) -> ToolGuardrailFunctionOutput:
    if not callable(function):
        raise UserError(
            f"the function of tool guardrail {name!r} is a {type(function).__name__}, which nobody can call"
        )
    said = await asked(function, data, name=name)
    if not isinstance(said, ToolGuardrailFunctionOutput):
        raise UserError(f"tool guardrail {name!r} returned a {type(said).__name__}, not a ToolGuardrailFunctionOutput")
    return said
