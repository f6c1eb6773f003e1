"""Guardrails: checks of a run's input and final output, each with a tripwire that stops the run."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, overload

from agentctl._dataclass import dataclass
from agentctl.errors import UserError
from agentctl.threads import ExitGuard, in_daemon_thread

from .context import RunContextWrapper, TContext
from .wire import TResponseInputItem

if TYPE_CHECKING:
    from .agent import Agent


@dataclass
class GuardrailFunctionOutput:
    """Result of a guardrail function."""

    output_info: Any
    """Details of the check, of any type."""
    tripwire_triggered: bool
    """Whether to stop the run."""


InputGuardrailFunction: TypeAlias = Callable[
    [RunContextWrapper[TContext], "Agent[Any]", str | list[TResponseInputItem]],
    GuardrailFunctionOutput | Awaitable[GuardrailFunctionOutput],
]
"""Checks the input of a run; a function that is not async runs in a thread."""

OutputGuardrailFunction: TypeAlias = Callable[
    [RunContextWrapper[TContext], "Agent[Any]", Any],
    GuardrailFunctionOutput | Awaitable[GuardrailFunctionOutput],
]
"""Checks the final output of an agent; a function that is not async runs in a thread."""


@dataclass
class InputGuardrail(Generic[TContext]):
    """A check of a run's input."""

    guardrail_function: InputGuardrailFunction[TContext]
    name: str | None = None
    """The name; None uses the name of the function."""
    run_in_parallel: bool = True
    """Whether it runs in parallel with the first model call; if not, the call waits for it."""

    def get_name(self) -> str:
        """Return the guardrail's name, by default that of its function."""
        return self.name or name_of(self.guardrail_function)

    async def run(
        self, agent: Agent[Any], input: str | list[TResponseInputItem], context: RunContextWrapper[TContext]
    ) -> InputGuardrailResult:
        """Check an input.

        Raises:
            UserError: the guardrail is not a function, or did not return a `GuardrailFunctionOutput`.
        """
        output = await _run_check("input", self.get_name(), self.guardrail_function, context, agent, input)
        return InputGuardrailResult(guardrail=self, output=output)


@dataclass
class OutputGuardrail(Generic[TContext]):
    """A check of the final output of a run."""

    guardrail_function: OutputGuardrailFunction[TContext]
    name: str | None = None
    """The name; None uses the name of the function."""

    def get_name(self) -> str:
        """Return the guardrail's name, by default that of its function."""
        return self.name or name_of(self.guardrail_function)

    async def run(
        self, context: RunContextWrapper[TContext], agent: Agent[Any], agent_output: Any
    ) -> OutputGuardrailResult:
        """Check a final output.

        Raises:
            UserError: the guardrail is not a function, or did not return a `GuardrailFunctionOutput`.
        """
        output = await _run_check("output", self.get_name(), self.guardrail_function, context, agent, agent_output)
        return OutputGuardrailResult(guardrail=self, agent_output=agent_output, agent=agent, output=output)


@dataclass
class InputGuardrailResult:
    """Result of an input guardrail."""

    guardrail: InputGuardrail[Any]
    output: GuardrailFunctionOutput


@dataclass
class OutputGuardrailResult:
    """Result of an output guardrail for an agent's output."""

    guardrail: OutputGuardrail[Any]
    agent_output: Any
    agent: Agent[Any]
    output: GuardrailFunctionOutput


@dataclass
class OutputGuardrailBlockedMessageArgs(Generic[TContext]):
    """Argument of a function under `RunConfig.output_guardrail_blocked_message`."""

    default_message: str
    guardrail_name: str
    agent: Agent[Any]
    run_context: RunContextWrapper[TContext]


OutputGuardrailBlockedMessageFormatter: TypeAlias = Callable[[OutputGuardrailBlockedMessageArgs[Any]], str | None]
"""Returns the placeholder for a withheld output in the history; None uses the default message."""


@overload
def input_guardrail(func: InputGuardrailFunction[TContext]) -> InputGuardrail[TContext]: ...


@overload
def input_guardrail(
    *, name: str | None = None, run_in_parallel: bool = True
) -> Callable[[InputGuardrailFunction[TContext]], InputGuardrail[TContext]]: ...


def input_guardrail(
    func: InputGuardrailFunction[TContext] | None = None, *, name: str | None = None, run_in_parallel: bool = True
) -> InputGuardrail[TContext] | Callable[[InputGuardrailFunction[TContext]], InputGuardrail[TContext]]:
    """Turn a function into an input guardrail, as `@input_guardrail` or `@input_guardrail(name=…)`."""

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
    """Turn a function into an output guardrail, as `@output_guardrail` or `@output_guardrail(name=…)`."""

    def decorate(func: OutputGuardrailFunction[TContext]) -> OutputGuardrail[TContext]:
        return OutputGuardrail(guardrail_function=func, name=name)

    return decorate if func is None else decorate(func)


async def _run_check(kind: str, name: str, function: Callable[..., Any], *arguments: Any) -> GuardrailFunctionOutput:
    if not callable(function):
        raise UserError(f"an {kind} guardrail must be a function, not {type(function).__name__}")
    output = await call_guardrail(function, *arguments, name=name)
    if not isinstance(output, GuardrailFunctionOutput):
        raise UserError(f"{kind} guardrail {name!r} must return a GuardrailFunctionOutput, not {type(output).__name__}")
    return output


def name_of(function: Callable[..., Any]) -> str:
    """Return the name of a function, or of its type for callables without one, a partial for instance."""
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else type(function).__name__


async def call_guardrail(function: Callable[..., Any], *arguments: Any, name: str) -> Any:
    """Call a guardrail function, in a thread unless it is async, so that it does not block the event loop."""
    name = f"guardrail {name}"
    with ExitGuard(name):
        if inspect.iscoroutinefunction(function):
            return await function(*arguments)
        result = await in_daemon_thread(lambda: function(*arguments), name=name)
        return await result if inspect.isawaitable(result) else result
