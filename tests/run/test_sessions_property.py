"""Random runs with a session: approvals, restored states, failures and cancels lose and double nothing."""

import asyncio
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl import Agent, RunConfig, Runner, RunState, UserError, function_tool
from agentctl.run.open_calls import unpaired_items
from agentctl.testing import ModelStep, ScriptedModel, function_call
from tests.run.test_sessions import Book, told

KINDS = ("double", "pay", "wait")
TURNS = st.lists(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3), max_size=4)


@function_tool
def double() -> str:
    """Double."""
    return "4"


@function_tool
async def wait() -> str:
    """Let the others go first."""
    for _ in range(3):
        await asyncio.sleep(0)
    return "waited"


@function_tool(needs_approval=True)
def pay() -> str:
    """Pay."""
    return "paid"


class FailingBook(Book):
    """Fails at one write, as a process does that is killed just before it."""

    def __init__(self, fails_at: int | None) -> None:
        super().__init__()
        self.fails_at = fails_at

    async def add_items(self, items: list[dict[str, Any]]) -> None:
        if self.fails_at == len(self.writes):
            self.fails_at = None
            raise OSError("killed")
        await asyncio.sleep(0)
        await super().add_items(items)


def agent(name: str, turns: list[list[str]], fails_at: int | None) -> Agent[Any]:
    steps: list[Any] = [
        [function_call(kind, {}, call_id=f"{name}{turn}{place}") for place, kind in enumerate(kinds)]
        for turn, kinds in enumerate(turns)
    ]
    steps.append("done")
    if fails_at is not None and fails_at < len(steps):
        steps[fails_at] = ModelStep(error=RuntimeError("down"))
    return Agent(name="a", model=ScriptedModel(steps), tools=[double, wait, pay])


def whole(name: str, turns: list[list[str]]) -> list[list[str]]:
    """Return the writes of a run to its end."""
    writes = []
    for turn, kinds in enumerate(turns):
        ids = [f"{name}{turn}{place}" for place in range(len(kinds))]
        writes.append([*(f"call {name}" for name in ids), *(f"output {name}" for name in ids)])
    writes.append(["assistant: done"])
    writes[0] = [f"user: {name}", *writes[0]]
    return writes


async def take(one: Agent[Any], start: Any, book: Book, *, streamed: bool) -> Any:
    if not streamed:
        return await Runner.run(one, start, session=book, run_config=RunConfig(tracing_disabled=True))
    result = Runner.run_streamed(one, start, session=book, run_config=RunConfig(tracing_disabled=True))
    try:
        async for _ in result.stream_events():
            pass
    finally:
        await asyncio.wait([result.run_loop_task])
    return result


async def to_the_end(one: Agent[Any], name: str, book: Book, draw: Any) -> None:
    """Run, and answer what waits, one call or more at a time, over the JSON of the state or not."""
    result = await take(one, name, book, streamed=draw(st.booleans()))
    while result.interruptions:
        state = result.to_state()
        if draw(st.booleans()):
            state = await RunState.from_json(one, json.loads(json.dumps(state.to_json())))
        waiting = state.get_interruptions()
        for item in waiting[: draw(st.integers(1, len(waiting)))]:
            if draw(st.booleans()):
                state.approve(item)
            else:
                state.reject(item)
        result = await take(one, state, book, streamed=draw(st.booleans()))


@settings(max_examples=60)
@given(runs=st.lists(st.tuples(TURNS, st.none() | st.integers(0, 4)), min_size=1, max_size=3), data=st.data())
def test_each_whole_turn_is_in_the_session_once_and_in_order(
    runs: list[tuple[list[list[str]], int | None]], data: st.DataObject
) -> None:
    async def scenario() -> None:
        book = FailingBook(data.draw(st.none() | st.integers(0, 8)))
        for number, (turns, fails_at) in enumerate(runs):
            name, before = "abc"[number], len(book.writes)
            try:
                await to_the_end(agent(name, turns, fails_at), name, book, data.draw)
                has_ended = True
            except (RuntimeError, OSError):
                has_ended = False
            written, expected = [told(write) for write in book.writes[before:]], whole(name, turns)
            assert written == (expected if has_ended else expected[: len(written)])
            assert not unpaired_items(book.items)

    asyncio.run(scenario())


@settings(max_examples=60)
@given(turns=TURNS, data=st.data())
def test_a_run_that_is_cancelled_anywhere_is_in_the_session_as_it_is_in_its_list(
    turns: list[list[str]], data: st.DataObject
) -> None:
    turns = [["double" if kind == "pay" else kind for kind in kinds] for kinds in turns]

    async def scenario() -> None:
        book = FailingBook(None)
        result = Runner.run_streamed(agent("a", turns, None), "a", session=book)
        for _ in range(data.draw(st.integers(0, 60))):
            await asyncio.sleep(0)
        result.cancel()
        async for _ in result.stream_events():
            pass
        await asyncio.wait([result.run_loop_task])
        # A run that is cancelled before it has read the session leaves nothing there.
        assert told(book.items) == (told(result.to_input_list()) if book.limits else [])
        assert not unpaired_items(book.items)
        await take(agent("b", [], None), "b", book, streamed=False)
        assert told(book.items)[-2:] == ["user: b", "assistant: done"]

    asyncio.run(scenario())


def test_a_state_whose_session_is_not_given_again_saves_nothing() -> None:
    async def scenario() -> None:
        book, one = Book(), agent("a", [["pay"]], None)
        state = (await take(one, "a", book, streamed=False)).to_state()
        state.approve(state.get_interruptions()[0])
        await Runner.run(one, state)
        assert book.items == []

    asyncio.run(scenario())


def test_a_state_of_another_shape_is_refused() -> None:
    async def scenario() -> None:
        one = agent("a", [["pay"]], None)
        state = (await take(one, "a", Book(), streamed=False)).to_state().to_json()
        for change in ({"saved": -1}, {"saved": "1"}, {"own_input": "text"}, {"own_input": [1]}, {"saved": 99}):
            try:
                await RunState.from_json(one, {**state, **change})
            except UserError:
                continue
            raise AssertionError(change)

    asyncio.run(scenario())
