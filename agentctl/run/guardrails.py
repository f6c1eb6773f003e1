"""Guardrails of a run: of its input, before or beside the first model call, and of its final output."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from agentctl.errors import UserError

from .active_run import ActiveRun
from .attempt import CallEvent

if TYPE_CHECKING:
    from agentctl.agent.events import GuardrailChecked
    from agentctl.agent.guardrail import InputGuardrail

T = TypeVar("T")


async def check_before(run: ActiveRun) -> AsyncGenerator[GuardrailChecked]:
    """Run the input guardrails that the first model call waits for; after the first turn there are none.

    Raises:
        InputGuardrailTripwireTriggered: one stops the run.
    """
    guardrails = _input_guardrails(run, in_parallel=False)
    if run.turn.number > 0 or not guardrails:
        return
    # 5 ms that a run without guardrails does not pay.
    from .guardrail_race import race_inputs

    run.context.turn_input = run.history.turn_input()
    async with aclosing(race_inputs(guardrails, run)) as verdicts:
        async for verdict in verdicts:
            yield verdict


async def check_added(run: ActiveRun) -> AsyncGenerator[GuardrailChecked]:
    """Run all input guardrails on pending input; if one stops the run, the input is not added.

    Raises:
        InputGuardrailTripwireTriggered: one stops the run.
    """
    added = run.history.pending_input
    guardrails = [*_input_guardrails(run, in_parallel=False), *_input_guardrails(run, in_parallel=True)]
    if not guardrails:
        return
    # 5 ms that a run without guardrails does not pay.
    from .guardrail_race import race_inputs

    run.context.turn_input = [*run.history.turn_input(), *added]
    async with aclosing(race_inputs(guardrails, run, added=added)) as verdicts:
        async for verdict in verdicts:
            yield verdict


def check_beside(events: AsyncGenerator[CallEvent], run: ActiveRun) -> AsyncGenerator[CallEvent | GuardrailChecked]:
    """Return the events of a model call with the verdicts of the input guardrails that run beside it.

    The call is read in a task of its own, and ends with it. Without such guardrails, as from the second turn on, the
    events are returned as they are.

    Raises:
        InputGuardrailTripwireTriggered: one stops the run; the model call was cancelled and has ended.
    """
    if run.turn.number != 1 or not (guardrails := _input_guardrails(run, in_parallel=True)):
        return events
    # 5 ms that a run without guardrails does not pay.
    from .guardrail_race import race_call

    return race_call(events, guardrails, run)


async def check_output(output: Any, run: ActiveRun, *, of_tools: bool = False) -> AsyncGenerator[GuardrailChecked]:
    """Run the output guardrails on the final output of the current agent.

    If the output is that of tools, a tripwire withholds the tool outputs of the turn, too.

    Raises:
        OutputGuardrailTripwireTriggered: one blocks the output.
    """
    guardrails = [*run.agent.output_guardrails, *(run.config.output_guardrails or ())]
    if not guardrails:
        return
    # 5 ms that a run without guardrails does not pay.
    from agentctl.agent.guardrail import OutputGuardrail

    from .guardrail_race import race_outputs

    guardrails = [_of_kind(OutputGuardrail, "output", guardrail) for guardrail in guardrails]
    async with aclosing(race_outputs(guardrails, output, run, of_tools=of_tools)) as verdicts:
        async for verdict in verdicts:
            yield verdict


def _input_guardrails(run: ActiveRun, *, in_parallel: bool) -> list[InputGuardrail[Any]]:
    given = [*run.agent.input_guardrails, *(run.config.input_guardrails or ())]
    if not given:
        return []
    # 4 ms that a run without guardrails does not pay.
    from agentctl.agent.guardrail import InputGuardrail

    guardrails = [_of_kind(InputGuardrail, "input", guardrail) for guardrail in given]
    return [guardrail for guardrail in guardrails if guardrail.run_in_parallel is in_parallel]


def _of_kind(kind: type[T], stage: str, guardrail: object) -> T:
    if not isinstance(guardrail, kind):
        raise UserError(
            f"{stage}_guardrails must be {kind.__name__} objects, not {guardrail!r}; decorate a function with "
            f"@{stage}_guardrail to make one"
        )
    return guardrail
