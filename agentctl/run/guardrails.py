"""Guardrails in a run: of the input before or beside the first model call, and of the final output.

Guardrails that run together race: the first tripwire, or the first that fails, cancels all else that is under way, the
model call too, and waits for its end. Nobody goes on before every guardrail has passed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any

from agentctl.agent.events import GuardrailChecked
from agentctl.agent.guardrail import InputGuardrail, OutputGuardrail
from agentctl.agent.items import ModelResponse
from agentctl.errors import InputGuardrailTripwireTriggered, OutputGuardrailTripwireTriggered, UserError

from .call import CallEvent
from .progress import Progress
from .withheld_output import withhold

_MOST_WAITING = 64
"""How many events of the model call may wait for the loop to take them."""


async def check_before(progress: Progress) -> AsyncGenerator[GuardrailChecked]:
    """Run the input guardrails that the first model call waits for, ahead of the first turn and of nothing later.

    Raises:
        InputGuardrailTripwireTriggered: one stops the run.
    """
    guardrails = _input_guardrails(progress, in_parallel=False)
    if progress.turn > 0 or not guardrails:
        return
    progress.context.turn_input = progress.unsent()
    race = _Race()
    for guardrail in guardrails:
        race.start(_check_input(guardrail, progress, race), name=f"guardrail {guardrail.get_name()}")
    async with aclosing(race.events()) as events:
        async for event in events:
            assert isinstance(event, GuardrailChecked)
            yield event


def check_beside(events: AsyncGenerator[CallEvent], progress: Progress) -> AsyncGenerator[CallEvent | GuardrailChecked]:
    """Return the events of a model call, read while the input guardrails run beside it: their verdicts among them.

    The call is read in a task of its own, and ended with it. Where no guardrail runs beside it, which is so from the
    second turn on, it is returned as it is.

    Raises:
        InputGuardrailTripwireTriggered: one stops the run; the call was cancelled and has ended.
    """
    guardrails = _input_guardrails(progress, in_parallel=True)
    return _beside(events, guardrails, progress) if guardrails and progress.turn == 1 else events


async def check_output(output: Any, progress: Progress, *, of_tools: bool = False) -> AsyncGenerator[GuardrailChecked]:
    """Run the output guardrails on the final output of the agent that has the word.

    Where the output is one of tools, what they gave in the turn is held back with it.

    Raises:
        OutputGuardrailTripwireTriggered: one holds the output back.
    """
    guardrails = [*progress.agent.output_guardrails, *(progress.config.output_guardrails or ())]
    if not guardrails:
        return
    race = _Race()
    for guardrail in guardrails:
        race.start(_check_output(guardrail, output, progress, race), name=f"guardrail {guardrail.get_name()}")
    try:
        async with aclosing(race.events()) as events:
            async for event in events:
                assert isinstance(event, GuardrailChecked)
                yield event
    except OutputGuardrailTripwireTriggered as error:
        if of_tools:
            withhold(error.guardrail_result.guardrail.get_name(), progress)
        raise


def _input_guardrails(progress: Progress, *, in_parallel: bool) -> list[InputGuardrail[Any]]:
    guardrails = [*progress.agent.input_guardrails, *(progress.config.input_guardrails or ())]
    return [guardrail for guardrail in guardrails if guardrail.run_in_parallel is in_parallel]


async def _beside(
    events: AsyncGenerator[CallEvent], guardrails: list[InputGuardrail[Any]], progress: Progress
) -> AsyncGenerator[CallEvent | GuardrailChecked]:
    race = _Race()
    for guardrail in guardrails:
        race.start(_check_input(guardrail, progress, race), name=f"guardrail {guardrail.get_name()}")
    race.start(_read(events, race), name="model call")
    async with aclosing(race.events()) as all_events:
        async for event in all_events:
            yield event


async def _read(events: AsyncGenerator[CallEvent], race: _Race) -> None:
    async with aclosing(events):
        await asyncio.sleep(0)  # A guardrail that need not wait for its verdict gives it before the model is called.
        async for event in events:
            await race.hand_on(event)


async def _check_input(guardrail: InputGuardrail[Any], progress: Progress, race: _Race) -> None:
    agent, name = progress.agent, guardrail.get_name()
    with progress.spans.guardrail(name) as found:
        result = await guardrail.run(agent, progress.input, progress.context)
        triggered = result.output.tripwire_triggered
        found(triggered)
    progress.input_guardrail_results.append(result)
    race.tell(GuardrailChecked(stage="input", name=name, tripwire_triggered=triggered, agent=agent))
    if triggered:
        raise InputGuardrailTripwireTriggered(result)


async def _check_output(guardrail: OutputGuardrail[Any], output: Any, progress: Progress, race: _Race) -> None:
    agent, name = progress.agent, guardrail.get_name()
    with progress.spans.guardrail(name) as found:
        result = await guardrail.run(progress.context, agent, output)
        triggered = result.output.tripwire_triggered
        found(triggered)
    progress.output_guardrail_results.append(result)
    race.tell(GuardrailChecked(stage="output", name=name, tripwire_triggered=triggered, agent=agent))
    if triggered:
        raise OutputGuardrailTripwireTriggered(result)


class _Race:
    """Tasks that run together until all have ended or one has failed; what they tell is read along."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._running = 0
        self._failure: BaseException | None = None
        self._verdicts: deque[GuardrailChecked] = deque()
        self._waiting: deque[CallEvent] = deque()
        self._arrived = asyncio.Event()
        self._has_room = asyncio.Event()

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Run one of the things that run together."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.append(task)
        self._running += 1
        task.add_done_callback(self._ended)

    def tell(self, verdict: GuardrailChecked) -> None:
        """Hand on what a guardrail found, ahead of everything that waits."""
        self._verdicts.append(verdict)
        self._arrived.set()

    async def hand_on(self, event: CallEvent) -> None:
        """Hand on an event of the model call, once there is room for it."""
        while len(self._waiting) >= _MOST_WAITING:
            self._has_room.clear()
            await self._has_room.wait()
        self._waiting.append(event)
        self._arrived.set()

    async def events(self) -> AsyncGenerator[CallEvent | GuardrailChecked]:
        """Yield all that is told, to the end; then raise what failed. Leaving early cancels what is under way.

        Where something failed, only verdicts and a response that was already whole are still told.
        """
        try:
            while self._failure is None:
                if self._verdicts:
                    yield self._verdicts.popleft()
                elif self._waiting:
                    event = self._waiting.popleft()
                    self._has_room.set()
                    yield event
                elif self._running:
                    self._arrived.clear()
                    await self._arrived.wait()
                else:
                    return
        finally:
            await self._stop()
        while self._verdicts:
            yield self._verdicts.popleft()
        for event in self._waiting:
            if isinstance(event, ModelResponse):
                yield event
        raise self._failure

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running -= 1
        failure = _cancelled(task) if task.cancelled() else task.exception()
        if failure is not None and self._failure is None:
            self._failure = failure
            self._cancel()
        self._arrived.set()

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _stop(self) -> None:
        running = [task for task in self._tasks if not task.done()]
        if running:
            self._cancel()
            await asyncio.wait(running)


def _cancelled(task: asyncio.Task[None]) -> UserError:
    """Return what ends the run where nobody knows what the task would have said."""
    return UserError(f"{task.get_name()} was cancelled before its end, by itself or by other code")
