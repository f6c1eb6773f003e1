"""Guardrails: checks of a run's input and of its final output, each with a tripwire that stops the run."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, overload

from agentctl._dataclass import dataclass
from agentctl.errors import UserError
from agentctl.threads import in_daemon_thread

from .context import RunContextWrapper, TContext
from .wire import TResponseInputItem

if TYPE_CHECKING:
    from .agent import Agent


@dataclass
class GuardrailFunctionOutput:
    """What a guardrail function found."""

    output_info: Any
    """Whatever the function wants to say of its check."""
    tripwire_triggered: bool
    """Whether the run is to stop."""


InputGuardrailFunction: TypeAlias = Callable[
    [RunContextWrapper[TContext], "Agent[Any]", str | list[TResponseInputItem]],
    GuardrailFunctionOutput | Awaitable[GuardrailFunctionOutput],
]
"""Checks the input of a run; one that is not async runs in a thread."""

OutputGuardrailFunction: TypeAlias = Callable[
    [RunContextWrapper[TContext], "Agent[Any]", Any],
    GuardrailFunctionOutput | Awaitable[GuardrailFunctionOutput],
]
"""Checks the final output of an agent; one that is not async runs in a thread."""


@dataclass
class InputGuardrail(Generic[TContext]):
    """A check of the input that a run begins with."""

    guardrail_function: InputGuardrailFunction[TContext]
    name: str | None = None
    """What it is called; None takes the name of the function."""
    run_in_parallel: bool = True
    """Whether it runs beside the first model call; if not, the call waits for its verdict."""

    def get_name(self) -> str:
        """Return what the guardrail is called."""
        return self.name or name_of(self.guardrail_function)

    async def run(
        self, agent: Agent[Any], input: str | list[TResponseInputItem], context: RunContextWrapper[TContext]
    ) -> InputGuardrailResult:
        """Check an input.

        Raises:
            UserError: the guardrail is no function, or gave something else than a `GuardrailFunctionOutput`.
        """
        output = await _checked("input", self.get_name(), self.guardrail_function, context, agent, input)
        return InputGuardrailResult(guardrail=self, output=output)


@dataclass
class OutputGuardrail(Generic[TContext]):
    """A check of the final output of a run."""

    guardrail_function: OutputGuardrailFunction[TContext]
    name: str | None = None
    """What it is called; None takes the name of the function."""

    def get_name(self) -> str:
        """Return what the guardrail is called."""
        return self.name or name_of(self.guardrail_function)

    async def run(
        self, context: RunContextWrapper[TContext], agent: Agent[Any], agent_output: Any
    ) -> OutputGuardrailResult:
        """Check a final output.

        Raises:
            UserError: the guardrail is no function, or gave something else than a `GuardrailFunctionOutput`.
        """
        output = await _checked("output", self.get_name(), self.guardrail_function, context, agent, agent_output)
        return OutputGuardrailResult(guardrail=self, agent_output=agent_output, agent=agent, output=output)


@dataclass
class InputGuardrailResult:
    """What an input guardrail found."""

    guardrail: InputGuardrail[Any]
    output: GuardrailFunctionOutput


@dataclass
class OutputGuardrailResult:
    """What an output guardrail found in an agent's output."""

    guardrail: OutputGuardrail[Any]
    agent_output: Any
    agent: Agent[Any]
    output: GuardrailFunctionOutput


@dataclass
class OutputGuardrailBlockedMessageArgs(Generic[TContext]):
    """What the function under `RunConfig.output_guardrail_blocked_message` is told."""

    default_message: str
    guardrail_name: str
    agent: Agent[Any]
    run_context: RunContextWrapper[TContext]


OutputGuardrailBlockedMessageFormatter: TypeAlias = Callable[[OutputGuardrailBlockedMessageArgs[Any]], str | None]
"""Returns the text that stands in the history for an answer that was held back; None takes the default message."""


@overload
def input_guardrail(func: InputGuardrailFunction[TContext]) -> InputGuardrail[TContext]: ...


@overload
def input_guardrail(
    *, name: str | None = None, run_in_parallel: bool = True
) -> Callable[[InputGuardrailFunction[TContext]], InputGuardrail[TContext]]: ...


def input_guardrail(
    func: InputGuardrailFunction[TContext] | None = None, *, name: str | None = None, run_in_parallel: bool = True
) -> InputGuardrail[TContext] | Callable[[InputGuardrailFunction[TContext]], InputGuardrail[TContext]]:
    """Make an input guardrail of a function, as `@input_guardrail` or `@input_guardrail(name=…)`."""

    def decorate(func: InputGuardrailFunction[TContext]) -> InputGuardrail[TContext]:
        return InputGuardrail(guardrail_function=func, name=name, run_in_parallel=run_in_parallel)

    return decorate if func is None else decorate(func)


@overload
def output_guardrail(func: OutputGuardrailFunction[TContext]) -> OutputGuardrail[TContext]: ...


@overload
def output_guardrail(
    *, name: str | None = None
) -> Callable[[OutputGuardrailFunction[TContext]], OutputGuardrail[TContext]]: ...


def output_guardrail(
    func: OutputGuardrailFunction[TContext] | None = None, *, name: str | None = None
) -> OutputGuardrail[TContext] | Callable[[OutputGuardrailFunction[TContext]], OutputGuardrail[TContext]]:
    """Make an output guardrail of a function, as `@output_guardrail` or `@output_guardrail(name=…)`."""

    def decorate(func: OutputGuardrailFunction[TContext]) -> OutputGuardrail[TContext]:
        return OutputGuardrail(guardrail_function=func, name=name)

    return decorate if func is None else decorate(func)


async def _checked(kind: str, name: str, function: Callable[..., Any], *arguments: Any) -> GuardrailFunctionOutput:
    if not callable(function):
        raise UserError(f"an {kind} guardrail is a function, not {type(function).__name__}")
    output = await asked(function, *arguments, name=name)
    if not isinstance(output, GuardrailFunctionOutput):
        raise UserError(
            f"{kind} guardrail {name!r} gave a {type(output).__name__}; it is to return a GuardrailFunctionOutput"
        )
    return output


def name_of(function: Callable[..., Any]) -> str:
    """Return the name of a function, or of the kind of callable: a partial, say, has none of its own."""
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else type(function).__name__


async def asked(function: Callable[..., Any], *given: Any, name: str) -> Any:
    """Return what a guardrail says; one that is not async is asked in a thread.

    Whatever it waits for (a file, a service), what runs beside it goes on.
    """
    if inspect.iscoroutinefunction(function):
        return await function(*given)
    said = await in_daemon_thread(lambda: function(*given), name=f"guardrail {name}")
    return await said if inspect.isawaitable(said) else said
