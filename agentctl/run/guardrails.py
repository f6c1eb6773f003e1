"""Guardrails in a run: of the input before or beside the first model call, and of the final output."""

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
    """Run the input guardrails that the first model call waits for, ahead of the first turn and of nothing later.

    Raises:
        InputGuardrailTripwireTriggered: one stops the run.
    """
    guardrails = _input_guardrails(run, in_parallel=False)
    if run.turn.number > 0 or not guardrails:
        return
    # 5 ms that a run without guardrails does not pay.
    from .guardrail_race import race_inputs

    run.context.turn_input = run.history.unsent()
    async with aclosing(race_inputs(guardrails, run)) as verdicts:
        async for verdict in verdicts:
            yield verdict


async def check_added(run: ActiveRun) -> AsyncGenerator[GuardrailChecked]:
    """Run all input guardrails on what is about to join a run that goes on; where one stops it, nothing joins.

    Raises:
        InputGuardrailTripwireTriggered: one stops the run.
    """
    added = run.history.pending_input
    guardrails = (
        [
            *_input_guardrails(run, in_parallel=False),
            *_input_guardrails(run, in_parallel=True),
        ]
        if added
        else []
    )
    if not guardrails:
        return
    # 5 ms that a run without guardrails does not pay.
    from .guardrail_race import race_inputs

    run.context.turn_input = [*run.history.unsent(), *added]
    async with aclosing(race_inputs(guardrails, run, added=added)) as verdicts:
        async for verdict in verdicts:
            yield verdict


def check_beside(events: AsyncGenerator[CallEvent], run: ActiveRun) -> AsyncGenerator[CallEvent | GuardrailChecked]:
    """Return the events of a model call, read while the input guardrails run beside it: their verdicts among them.

    The call is read in a task of its own, and ended with it. Where no guardrail runs beside it, which is so from the
    second turn on, it is returned as it is.

    Raises:
        InputGuardrailTripwireTriggered: one stops the run; the call was cancelled and has ended.
    """
    guardrails = _input_guardrails(run, in_parallel=True)
    if run.turn.number != 1 or not guardrails:
        return events
    # 5 ms that a run without guardrails does not pay.
    from .guardrail_race import race_call

    return race_call(events, guardrails, run)


async def check_output(output: Any, run: ActiveRun, *, of_tools: bool = False) -> AsyncGenerator[GuardrailChecked]:
    """Run the output guardrails on the final output of the agent that has the word.

    Where the output is one of tools, what they gave in the turn is held back with it.

    Raises:
        OutputGuardrailTripwireTriggered: one holds the output back.
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
            f"{stage}_guardrails are {kind.__name__} objects, not {guardrail!r}: make one of a function with "
            f"@{stage}_guardrail"
        )
    return guardrail
