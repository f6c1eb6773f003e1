"""Runs guardrails as a race of tasks, with the model call beside them.

The first tripwire, or the first failure, cancels the other tasks, the model call included, and waits for their end. The
run continues once every guardrail has passed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AbstractContextManager, aclosing
from itertools import takewhile
from typing import Any

from agentctl.agent.events import GuardrailChecked
from agentctl.agent.guardrail import (
    GuardrailFunctionOutput,
    InputGuardrail,
    OutputGuardrail,
    OutputGuardrailBlockedMessageArgs,
)
from agentctl.agent.items.run_items import ModelResponse, ToolCallOutputItem
from agentctl.agent.tape import current_tape
from agentctl.agent.wire import WireItem
from agentctl.errors import InputGuardrailTripwireTriggered, OutputGuardrailTripwireTriggered, UserError
from agentctl.threads import guard_exit

from .active_run import ActiveRun
from .attempt import CallEvent
from .journal import use_journal

_MOST_WAITING = 64
"""The number of model events that may wait for the loop."""


async def race_inputs(
    guardrails: list[InputGuardrail[Any]], run: ActiveRun, *, added: list[WireItem] | None = None
) -> AsyncGenerator[GuardrailChecked]:
    """Run input guardrails together, on the run's input or on what was added to it, and yield their verdicts.

    Raises:
        InputGuardrailTripwireTriggered: one stops the run.
    """
    race = _Race()
    checked = run.history.input if added is None else added
    for guardrail in guardrails:
        race.start(_check_input(guardrail, checked, run, race), name=f"guardrail {guardrail.get_name()}")
    async with aclosing(race.events()) as events:
        async for event in events:
            assert isinstance(event, GuardrailChecked)
            yield event


async def race_call(
    events: AsyncGenerator[CallEvent], guardrails: list[InputGuardrail[Any]], run: ActiveRun
) -> AsyncGenerator[CallEvent | GuardrailChecked]:
    """Run input guardrails beside a model call, and yield its events and their verdicts.

    Raises:
        InputGuardrailTripwireTriggered: one stops the run; the model call was cancelled and has ended.
    """
    race = _Race()
    for guardrail in guardrails:
        race.start(_check_input(guardrail, run.history.input, run, race), name=f"guardrail {guardrail.get_name()}")
    race.start(guard_exit("the model", _read_call, events, race), name="model call")
    async with aclosing(race.events()) as all_events:
        async for event in all_events:
            yield event


async def race_outputs(
    guardrails: list[OutputGuardrail[Any]], output: Any, run: ActiveRun, *, of_tools: bool
) -> AsyncGenerator[GuardrailChecked]:
    """Run output guardrails together, and yield their verdicts.

    Raises:
        OutputGuardrailTripwireTriggered: one blocks the output.
    """
    race = _Race()
    for guardrail in guardrails:
        race.start(_check_output(guardrail, output, run, race), name=f"guardrail {guardrail.get_name()}")
    try:
        async with aclosing(race.events()) as events:
            async for event in events:
                assert isinstance(event, GuardrailChecked)
                yield event
    except OutputGuardrailTripwireTriggered as error:
        if of_tools:
            withhold(error.guardrail_result.guardrail.get_name(), run)
        raise


async def _read_call(events: AsyncGenerator[CallEvent], race: _Race) -> None:
    async with aclosing(events):
        await asyncio.sleep(0)  # A guardrail that awaits nothing gives its verdict before the model is called.
        async for event in events:
            await race.put_event(event)


async def _check_input(
    guardrail: InputGuardrail[Any], given: str | list[WireItem], run: ActiveRun, race: _Race
) -> None:
    agent, name = run.agent, guardrail.get_name()
    with run.spans.guardrail(name) as record_verdict, _journal(name, run):
        result = await guardrail.run(agent, given, run.context)
        triggered = result.output.tripwire_triggered
        record_verdict(triggered)
    run.results.input_guardrail_results.append(result)
    _note_verdict("input", name, triggered, agent.name)
    race.put_verdict(GuardrailChecked(stage="input", name=name, tripwire_triggered=triggered, agent=agent))
    if triggered:
        raise InputGuardrailTripwireTriggered(result)


def _journal(name: str, run: ActiveRun) -> AbstractContextManager[None]:
    """Put the runs of a guardrail in a part of the run's journal of their own, if it has one."""
    journal = run.spec.journal
    return use_journal(None if journal is None else journal.inner(f"turn {run.turn.number} guardrail {name}"))


async def _check_output(guardrail: OutputGuardrail[Any], output: Any, run: ActiveRun, race: _Race) -> None:
    agent, name = run.agent, guardrail.get_name()
    with run.spans.guardrail(name) as record_verdict, _journal(name, run):
        result = await guardrail.run(run.context, agent, output)
        triggered = result.output.tripwire_triggered
        record_verdict(triggered)
    run.results.output_guardrail_results.append(result)
    _note_verdict("output", name, triggered, agent.name)
    race.put_verdict(GuardrailChecked(stage="output", name=name, tripwire_triggered=triggered, agent=agent))
    if triggered:
        raise OutputGuardrailTripwireTriggered(result)


def _note_verdict(stage: str, name: str, triggered: bool, agent: str) -> None:
    if (tape := current_tape()) is not None:
        tape.note("guardrail", stage=stage, name=name, agent=agent, tripwire_triggered=triggered)


class _Race:
    """Tasks that run together until all have ended or one has failed; their events are read meanwhile."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._running = 0
        self._failure: BaseException | None = None
        self._verdicts: deque[GuardrailChecked] = deque()
        self._waiting: deque[CallEvent] = deque()
        self._arrived = asyncio.Event()
        self._has_room = asyncio.Event()

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Start one of the tasks."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.append(task)
        self._running += 1
        task.add_done_callback(self._note_end)

    def put_verdict(self, verdict: GuardrailChecked) -> None:
        """Queue the verdict of a guardrail, ahead of the events of the model call."""
        self._verdicts.append(verdict)
        self._arrived.set()

    async def put_event(self, event: CallEvent) -> None:
        """Queue an event of the model call, once there is room for it."""
        while len(self._waiting) >= _MOST_WAITING:
            self._has_room.clear()
            await self._has_room.wait()
        self._waiting.append(event)
        self._arrived.set()

    async def events(self) -> AsyncGenerator[CallEvent | GuardrailChecked]:
        """Yield the queued events, to the end; then raise the first failure. Leaving early cancels the tasks.

        After a failure, only verdicts and a response that was already complete are yielded.
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

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._running -= 1
        failure = _cancellation_error(task) if task.cancelled() else task.exception()
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


def _cancellation_error(task: asyncio.Task[None]) -> UserError:
    """Return the error of a run whose guardrail was cancelled before its verdict."""
    return UserError(f"{task.get_name()} was cancelled before its end, by itself or by other code")


DEFAULT_MESSAGE = "An output guardrail withheld this output."


def withhold(guardrail: str, run: ActiveRun) -> None:
    """Replace the last tool outputs by a message: in their items, the history and the guardrail results.

    The message is `RunConfig.output_guardrail_blocked_message`, which is never given the withheld output; if that is a
    function that fails, or returns no text, the default is used.
    """
    message = _message(guardrail, run)
    replaced: dict[int, WireItem] = {}
    for item in takewhile(lambda item: isinstance(item, ToolCallOutputItem), reversed(run.history.new_items)):
        assert isinstance(item, ToolCallOutputItem)
        wire = item.wire
        replaced[id(wire)] = item.raw_item = {**wire, "output": message}
        item.output = message
    run.history.replace_items([replaced.get(id(wire), wire) for wire in run.history.items])
    for result in run.results.output_guardrail_results:
        result.agent_output = message
        result.output = GuardrailFunctionOutput(None, result.output.tripwire_triggered)


def _message(guardrail: str, run: ActiveRun) -> str:
    message = run.config.output_guardrail_blocked_message
    if callable(message):
        args = OutputGuardrailBlockedMessageArgs(DEFAULT_MESSAGE, guardrail, run.agent, run.context)
        try:
            message = message(args)
        except Exception:
            return DEFAULT_MESSAGE
    return message if isinstance(message, str) and message else DEFAULT_MESSAGE
