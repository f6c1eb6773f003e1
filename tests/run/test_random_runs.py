"""Random runs keep the rules: each item is there once everywhere, in order, whatever a run is interrupted by."""

import asyncio
import json
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentctl import Agent, AgentsException, Runner, SQLiteSession, ToolApprovalItem
from agentctl.agent.wire import WireItem
from agentctl.run.result import RunResultBase
from agentctl.run.state.run_state import RunState
from tests.run.random_scripts import Call, Record, Script, Turn, agents, decide, decided, scripts

Quick = settings(
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@dataclass
class End:
    """What a run came to."""

    items: list[Any]
    input_list: list[WireItem]
    output: Any
    error: str | None
    usage: tuple[int, ...]
    session: list[WireItem]


async def leg(agent: Agent[Any], input: Any, *, streamed: bool, **options: Any) -> RunResultBase:
    if not streamed:
        return await Runner.run(agent, input, **options)
    result = Runner.run_streamed(agent, input, **options)
    try:
        async for _ in result.stream_events():
            pass
    finally:
        await asyncio.wait([result.run_loop_task])
    return result


async def ended(result: RunResultBase | AgentsException, session: SQLiteSession) -> End:
    failed = isinstance(result, AgentsException)
    run: Any = result.run_data if isinstance(result, AgentsException) else result
    usage = run.context_wrapper.usage
    return End(
        items=[(item.type, item.agent.name, item.wire, getattr(item, "output", None)) for item in run.new_items],
        input_list=[] if failed else run.to_input_list(),
        output=None if failed else run.final_output,
        error=str(result) if failed else None,
        usage=(usage.requests, usage.input_tokens, usage.total_tokens, len(usage.request_usage_entries)),
        session=await session.get_items(),
    )


async def uninterrupted(script: Script, record: Record, *, streamed: bool) -> End:
    options: dict[str, Any] = {"context": decided(script, record), "hooks": record}
    with closing(SQLiteSession("s")) as session:
        try:
            result = await leg(agents(script, record), "job", streamed=streamed, session=session, **options)
        except AgentsException as error:
            return await ended(error, session)
        return await ended(result, session)


async def interrupted(script: Script, record: Record, data: st.DataObject) -> End:
    """Run until calls wait; keep the state as JSON, decide about some of them, and go on elsewhere."""
    agent = agents(script, record)
    options: dict[str, Any] = {"context": record.context, "hooks": record}
    state: RunState | None = None
    with closing(SQLiteSession("s")) as session:
        while True:
            streamed = data.draw(st.booleans())
            try:
                result = await leg(agent, state or "job", streamed=streamed, session=session, **options)
            except AgentsException as error:
                return await ended(error, session)
            if not result.interruptions:
                return await ended(result, session)
            assert result.final_output is None
            state = await elsewhere(result.to_state(), agents(script, record))
            waiting = state.get_interruptions()
            chosen = data.draw(st.sets(st.sampled_from(range(len(waiting))), min_size=1))
            decide_as(script, state, [waiting[place] for place in sorted(chosen)])
            agent = agents(script, record)
            state = await elsewhere(state, agent)


def decide_as(script: Script, state: RunState, waiting: list[ToolApprovalItem]) -> None:
    calls: dict[str | None, Call] = {call.call_id: call for call in script.calls()}
    for item in waiting:
        assert calls[item.call_id].waits
        decide(item, calls[item.call_id], state.approve, state.reject)


async def elsewhere(state: RunState, agent: Agent[Any]) -> RunState:
    """Return the state as another process reads it."""
    text = state.to_string()
    read = await RunState.from_string(agent, text)
    assert read.to_json() == json.loads(text)
    return read


@Quick
@given(script=scripts(), data=st.data())
def test_a_run_that_waits_and_goes_on_elsewhere_is_the_run_that_never_waited(
    script: Script, data: st.DataObject
) -> None:
    whole_record, record = Record(), Record()
    whole = asyncio.run(uninterrupted(script, whole_record, streamed=data.draw(st.booleans())))
    end = asyncio.run(interrupted(script, record, data))
    assert end == whole
    assert record.done == whole_record.done
    assert record.told == whole_record.told
    assert set(record.done.values()) <= {1}


@Quick
@given(script=scripts())
def test_streamed_and_not_streamed_runs_are_the_same(script: Script) -> None:
    one, other = Record(), Record()
    assert asyncio.run(uninterrupted(script, one, streamed=True)) == asyncio.run(
        uninterrupted(script, other, streamed=False)
    )
    assert (one.done, one.told) == (other.done, other.told)


async def broken_off(script: Script, record: Record, data: st.DataObject) -> tuple[RunResultBase, list[WireItem]]:
    """Run streamed, cancel where the data say so, and go on from the state however the run ended, to its end."""
    agent = agents(script, record)
    options: dict[str, Any] = {"context": record.context, "hooks": record}
    state: RunState | None = None
    with closing(SQLiteSession("s")) as session:
        for _ in range(40):
            result = Runner.run_streamed(agent, state or "job", session=session, max_turns=None, **options)
            left = data.draw(st.sampled_from([None, None, 0, 1, 3, 6, 12, 20]))
            mode: Any = data.draw(st.sampled_from(["immediate", "after_turn"]))
            async for _event in result.run_events():
                if left == 0:
                    result.cancel(mode)
                left = None if left is None else left - 1
            await asyncio.wait([result.run_loop_task])
            if result.final_output is not None or str(result.run_loop_exception) == "gone":
                break
            agent = agents(script, record)
            state = await elsewhere(result.to_state(), agent)
            decide_as(script, state, state.get_interruptions())
        return result, await session.get_items()


class _CancelOnceResumed:
    """Draws that let three parts of a run end by themselves, and cancel the fourth at its first event."""

    def __init__(self) -> None:
        self._drawn = iter([None, None, None, 0])

    def draw(self, strategy: Any) -> Any:
        return next(self._drawn, None) if strategy.elements[0] is None else "immediate"


def test_a_call_that_was_cancelled_before_it_began_does_not_begin() -> None:
    def call(tool: str, call_id: str, run: Script | None = None, *, approved: bool = True) -> Call:
        return Call(tool=tool, call_id=call_id, is_risky=False, approved=approved, message=None, run=run)

    def script(key: str, *turns: tuple[Call, ...]) -> Script:
        made = (Turn(calls=calls, handoffs=(), says=None, fails_once=False) for calls in turns)
        return Script(key=key, turns=tuple(made), fails=True)

    one = script("one", (call("ask_sync", "c3", approved=False),))
    two = script("two", (call("sync", "c6"), call("sync", "c7"), call("ask_sync", "c8", approved=False)))
    whole = script("job", (call("raise", "c0"),), (call("ask_sub", "c1", one), call("ask_sub", "c4", two)))
    record = Record()
    asyncio.run(broken_off(whole, record, _CancelOnceResumed()))  # type: ignore[arg-type]
    assert record.done == {"c0": 1, "c6": 1, "c7": 1}


@Quick
@given(script=scripts(may_fail_once=True), data=st.data())
def test_each_item_is_there_once_whatever_a_run_is_broken_off_by(script: Script, data: st.DataObject) -> None:
    record = Record()
    result, session = asyncio.run(broken_off(script, record, data))
    assert set(record.done.values()) <= {1}
    wires = [item.wire for item in result.new_items]
    assert result.to_input_list() == [{"role": "user", "content": "job"}, *wires]
    assert set(Counter(map(json.dumps, wires)).values()) <= {1}
    asked = [wire["call_id"] for wire in wires if wire["type"].endswith("_call")]
    answered = [wire["call_id"] for wire in wires if wire["type"].endswith("_call_output")]
    assert sorted(asked) == sorted(answered) == sorted(set(asked))
    if result.final_output is not None:
        assert session == result.to_input_list()
