"""Random races of guardrails and a model call: whatever happens first, the rules hold."""

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl import (
    Agent,
    GuardrailChecked,
    GuardrailFunctionOutput,
    InputGuardrail,
    RawResponsesStreamEvent,
    RunConfig,
)
from agentctl.run.active_run import begin
from agentctl.run.guardrails import check_beside

How = Literal["passes", "trips", "raises", "cancels itself"]


@dataclass(frozen=True)
class Course:
    """Something that takes some steps of the event loop, and then ends in some way."""

    steps: int
    how: How


def courses(*hows: How) -> st.SearchStrategy[Course]:
    return st.builds(Course, steps=st.integers(0, 12), how=st.sampled_from(hows))


@given(
    guardrails=st.lists(courses("passes", "trips", "raises", "cancels itself"), min_size=1, max_size=4),
    model=courses("passes", "raises"),
    leaves_after=st.one_of(st.none(), st.integers(0, 10)),
)
def test_a_race_passes_everything_on_or_stops_everything(
    guardrails: list[Course], model: Course, leaves_after: int | None
) -> None:
    begun: list[str] = []
    ended: list[str] = []

    async def go(name: str, course: Course) -> None:
        begun.append(name)
        try:
            for _ in range(course.steps):
                await asyncio.sleep(0)
            if course.how == "raises":
                raise OSError(name)
            if course.how == "cancels itself":
                raise asyncio.CancelledError
        finally:
            ended.append(name)

    def guardrail(name: str, course: Course) -> InputGuardrail[Any]:
        async def check(*_: Any) -> GuardrailFunctionOutput:
            await go(name, course)
            return GuardrailFunctionOutput(name, tripwire_triggered=course.how == "trips")

        return InputGuardrail(check, name=name)

    async def events() -> Any:
        for number in range(5):
            yield RawResponsesStreamEvent({"type": "delta", "number": number})
        await go("model", model)
        yield RawResponsesStreamEvent({"type": "delta", "number": 5})

    async def scenario() -> tuple[list[Any], Exception | None, list[str]]:
        checks = [guardrail(str(number), course) for number, course in enumerate(guardrails)]
        agent: Agent[Any] = Agent(name="a", input_guardrails=checks)
        active = begin(agent, "hi", context=None, max_turns=None, config=RunConfig())
        active.turn.number = 1
        told: list[Any] = []
        reader = check_beside(events(), active)
        error: Exception | None = None
        try:
            async for event in reader:
                told.append(event)
                if len(told) == leaves_after:
                    break
        except Exception as raised:
            error = raised
        finally:
            await reader.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return told, error, [result.output.output_info for result in active.results.input_guardrail_results]

    told, error, results = asyncio.run(scenario())
    assert sorted(begun) == sorted(ended)
    numbers = [event.wire["number"] for event in told if isinstance(event, RawResponsesStreamEvent)]
    verdicts = [event.name for event in told if isinstance(event, GuardrailChecked)]
    assert numbers == list(range(len(numbers)))
    assert verdicts == results[: len(verdicts)]
    if len(told) == leaves_after:
        return
    assert verdicts == results
    if all(course.how == "passes" for course in [*guardrails, model]):
        assert error is None
        assert (len(numbers), len(verdicts)) == (6, len(guardrails))
    else:
        assert error is not None


def test_the_names_of_what_runs_are_those_of_its_tasks() -> None:
    names: set[str] = set()

    async def check(*_: Any) -> GuardrailFunctionOutput:
        names.update(task.get_name() for task in asyncio.all_tasks())
        return GuardrailFunctionOutput(None, False)

    async def events() -> Any:
        yield RawResponsesStreamEvent({"type": "delta"})

    async def scenario() -> None:
        agent: Agent[Any] = Agent(name="a", input_guardrails=[InputGuardrail(check, name="polite")])
        active = begin(agent, "hi", context=None, max_turns=None, config=RunConfig())
        active.turn.number = 1
        async for _ in check_beside(events(), active):
            pass

    asyncio.run(scenario())
    assert {"guardrail polite", "model call"} <= names


def test_nothing_runs_before_somebody_reads() -> None:
    begun: list[str] = []

    async def events() -> Any:
        begun.append("model")
        yield RawResponsesStreamEvent({"type": "delta"})

    async def check(*_: Any) -> GuardrailFunctionOutput:
        begun.append("guardrail")
        return GuardrailFunctionOutput(None, False)

    async def scenario() -> None:
        agent: Agent[Any] = Agent(name="a", input_guardrails=[InputGuardrail(check)])
        active = begin(agent, "hi", context=None, max_turns=None, config=RunConfig())
        active.turn.number = 1
        reader = check_beside(events(), active)
        await asyncio.sleep(0)
        await reader.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(reader)

    asyncio.run(scenario())
    assert begun == []
