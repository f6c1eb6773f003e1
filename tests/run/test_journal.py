"""Runs with a journal: what has finished is not made again, whatever is killed when, and however fast what is."""

import asyncio
import json
import random
from collections import Counter
from typing import Any

import pytest

from agentctl import (
    Agent,
    GuardrailFunctionOutput,
    Model,
    ModelResponse,
    RunConfig,
    Runner,
    ToolContext,
    function_tool,
    input_guardrail,
)
from agentctl.run.journal import JournalScope, use_journal
from tests.batch.row_service import answer_to


class MemoryJournal:
    """A journal in memory, which survives the death of a run."""

    id = "row 1"

    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, str]] = {}
        self.lives = 0

    async def remember(self, key: str, name: str, work: Any) -> Any:
        await asyncio.sleep(0)
        if key in self.kept:
            assert self.kept[key][0] == name
            return json.loads(self.kept[key][1])
        value = await work()
        self.kept[key] = name, json.dumps(value)
        return json.loads(json.dumps(value))

    async def was_interrupted(self) -> bool:
        return self.lives > 1


class Latency:
    """Latencies by chance, and a count of what has finished."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.finished: Counter[str] = Counter()
        self.told: list[bool] = []

    async def pass_time(self, what: str) -> None:
        for _ in range(self.random.randrange(6)):
            await asyncio.sleep(0)
        self.finished[what] += 1


class RowModel(Model):
    """A model that answers as the service of rows does."""

    model = "rows"

    def __init__(self, latency: Latency) -> None:
        self.latency = latency

    async def get_response(self, system_instructions: Any, input: Any, *given: Any, **further: Any) -> ModelResponse:
        await self.latency.pass_time(f"model {system_instructions} {json.dumps(input)}")
        tools = [{"name": tool.name} for tool in given[1]]
        return ModelResponse.from_wire({"output": answer_to({"input": input, "tools": tools}), "usage": {}})

    def stream_response(self, *given: Any, **further: Any) -> Any:
        raise NotImplementedError


def agent_of(latency: Latency) -> Agent[Any]:
    @function_tool
    async def note(context: ToolContext[Any], word: str) -> str:
        latency.told.append(context.may_have_begun)
        await latency.pass_time(f"tool {context.idempotency_key}")
        return f"noted {word}"

    model = RowModel(latency)
    helper = Agent(name="helper", instructions="helper", model=model, tools=[note])
    judge = Agent(name="judge", instructions="judge", model=model)

    @input_guardrail
    async def check(context: Any, agent: Any, given: Any) -> GuardrailFunctionOutput:
        await Runner.run(judge, f"judge {given}")
        return GuardrailFunctionOutput(None, False)

    tools = [note, helper.as_tool("ask_helper", "Ask."), helper.as_tool("ask_other", "Ask.")]
    return Agent(name="chief", instructions="chief", model=model, tools=tools, input_guardrails=[check])


async def run_once(journal: MemoryJournal, latency: Latency, deadline: int | None) -> str | None:
    """Run the agent; kill it after so many steps of the event loop."""
    journal.lives += 1

    async def work() -> str:
        with use_journal(JournalScope(journal)):
            config = RunConfig(tracing_disabled=True)
            return str((await Runner.run(agent_of(latency), "calls 6", run_config=config)).final_output)

    task = asyncio.create_task(work())
    steps = 0
    while not task.done() and (deadline is None or steps < deadline):
        await asyncio.sleep(0)
        steps += 1
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
        return None
    return task.result()


@pytest.mark.parametrize("seed", range(20))
def test_no_finished_call_is_made_twice_whatever_the_latencies_and_kills(seed: int) -> None:
    undisturbed = Latency(0)
    expected = asyncio.run(run_once(MemoryJournal(), undisturbed, None))
    journal, latency, chance = MemoryJournal(), Latency(seed), random.Random(seed)
    answer = None
    while answer is None:
        latency.random.seed(chance.random())
        answer = asyncio.run(run_once(journal, latency, chance.randrange(5, 120)))
    assert answer == expected
    kept = len(journal.kept)
    # A call that had finished and was not yet kept when its run was killed: between two steps of the loop, none is.
    assert latency.finished == undisturbed.finished
    assert kept == sum(undisturbed.finished.values())
    assert set(latency.told) <= {True, False}


def test_a_repeated_call_is_told_that_it_may_have_begun() -> None:
    latency, journal = Latency(1), MemoryJournal()
    asyncio.run(run_once(journal, latency, 3))
    asyncio.run(run_once(journal, latency, None))
    assert set(latency.told) == {True}


def test_a_failure_is_not_kept() -> None:
    calls: list[int] = []

    @function_tool(failure_error_function=None)
    def fragile(word: str) -> str:
        calls.append(1)
        if len(calls) == 1:
            raise OSError("away")
        return "there"

    agent = Agent(name="a", model=RowModel(Latency(0)), tools=[fragile])
    journal = MemoryJournal()

    async def run() -> str:
        with use_journal(JournalScope(journal)):
            return str((await Runner.run(agent, "calls 1", run_config=RunConfig(tracing_disabled=True))).final_output)

    with pytest.raises(Exception, match="away"):
        asyncio.run(run())
    assert asyncio.run(run()) == "answer to calls 1: there"
    assert sorted(journal.kept) == ["run/turn 1", "run/turn 1 call_0/", "run/turn 2"]


def test_the_text_for_a_failure_is_kept_as_one() -> None:
    calls: list[int] = []

    @function_tool
    def fragile(word: str) -> str:
        calls.append(1)
        raise OSError("away")

    agent = Agent(name="a", model=RowModel(Latency(0)), tools=[fragile])
    journal = MemoryJournal()

    async def run() -> list[Any]:
        with use_journal(JournalScope(journal)):
            result = await Runner.run(agent, "calls 1", run_config=RunConfig(tracing_disabled=True))
        return [(type(item).__name__, getattr(item, "failed", None), item.to_input_item()) for item in result.new_items]

    assert asyncio.run(run()) == asyncio.run(run())
    assert len(calls) == 1


def test_runs_without_a_journal_have_no_key() -> None:
    seen: list[Any] = []

    @function_tool
    def look(context: ToolContext[Any], word: str) -> str:
        seen.append((context.idempotency_key, context.may_have_begun))
        return "seen"

    agent = Agent(name="a", model=RowModel(Latency(0)), tools=[look])
    asyncio.run(Runner.run(agent, "calls 1", run_config=RunConfig(tracing_disabled=True)))
    assert seen == [(None, False)]
