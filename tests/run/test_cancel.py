"""Cancelling a streamed run, at once and after the turn: what it leaves can be gone on from, and nothing goes on."""

import asyncio
from collections.abc import Callable
from typing import Any, Literal

import pytest

from agentctl import (
    Agent,
    MultiProvider,
    RunConfig,
    RunEvent,
    RunItemStreamEvent,
    Runner,
    RunResultStreaming,
    function_tool,
    handoff,
)
from agentctl.agent.events import ModelRequested, ModelResponded, RawResponsesStreamEvent, RunFinished
from agentctl.errors import RunCancelled, RunTimeoutError
from agentctl.run.open_calls import NO_OUTPUT
from agentctl.testing import ModelStep, ScriptedModel, function_call
from tests.service.client import Service
from tests.service.steps import text, tool_calls

When = Callable[[RunEvent], bool]

calls_of_tools: list[str] = []


@function_tool
async def work(name: str) -> str:
    """Work for a while that a test ends."""
    calls_of_tools.append(f"{name} begins")
    try:
        await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        calls_of_tools.append(f"{name} is cancelled")
        raise
    calls_of_tools.append(f"{name} ends")
    return f"{name} is done"


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls_of_tools.clear()


async def tools_have_begun(count: int) -> None:
    while len(calls_of_tools) < count:  # noqa: ASYNC110  # as anyone's code would wait, who has no event to wait for
        await asyncio.sleep(0)


def call(name: str) -> dict[str, Any]:
    return function_call("work", {"name": name}, call_id=f"call_{name}")


def working() -> ScriptedModel:
    return ScriptedModel([[call("one"), call("two")], [call("three")], "done"])


def event_named(name: str) -> When:
    return lambda event: isinstance(event, RunItemStreamEvent) and event.name == name


def cancelled(
    model: ScriptedModel,
    when: When,
    *modes: Literal["immediate", "after_turn"],
    cancel: Callable[[RunResultStreaming], object] = lambda result: None,
    **agent: Any,
) -> tuple[RunResultStreaming, list[RunEvent]]:
    """Return a run that was cancelled once an event came, and its events; it has ended, and left no task."""

    async def scenario() -> tuple[RunResultStreaming, list[RunEvent]]:
        result = Runner.run_streamed(Agent(**{"name": "a", "model": model, "tools": [work], **agent}), "hi")
        events: list[RunEvent] = []
        async for event in result.run_events():
            events.append(event)
            if when(event):
                for mode in modes:
                    result.cancel(mode)
                cancel(result)
        await asyncio.wait({result.run_loop_task})
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result, events

    return asyncio.run(scenario())


def types(result: RunResultStreaming) -> list[Any]:
    assert [item.to_input_item() for item in result.new_items] == result.to_input_list()[1:]
    return [item.get("type") for item in result.to_input_list()[1:]]


def end_of(events: list[RunEvent]) -> RunFinished:
    end = events[-1]
    assert isinstance(end, RunFinished)
    return end


def go_on(result: RunResultStreaming) -> list[dict[str, Any]]:
    """Return what a next run sends that goes on from this one."""
    model = ScriptedModel(["ok"])
    asyncio.run(Runner.run(Agent(name="a", model=model), result.to_input_list()))
    sent = model.calls[0].input
    assert isinstance(sent, list)
    return sent


def test_at_once_in_the_middle_of_a_model_call_leaves_nothing_of_it() -> None:
    closed: list[bool] = []

    async def stream(call: Any) -> Any:
        try:
            yield {"type": "response.created", "response": {}}
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    model = ScriptedModel([ModelStep(stream_events=stream), "never asked for"])
    result, events = cancelled(model, lambda event: isinstance(event, RawResponsesStreamEvent), "immediate")
    assert closed == [True]
    assert types(result) == []
    assert isinstance(end_of(events).error, RunCancelled)
    assert (result.is_complete, result.final_output, result.run_loop_exception) == (True, None, None)


def test_at_once_while_tools_run_answers_their_calls() -> None:
    async def soon(result: RunResultStreaming) -> None:
        await tools_have_begun(2)
        result.cancel()

    tasks: list[Any] = []
    model = working()
    result, events = cancelled(
        model,
        lambda event: event_named("tool_called")(event) and not tasks,
        cancel=lambda result: tasks.append(asyncio.ensure_future(soon(result))),
    )
    assert sorted(calls_of_tools) == ["one begins", "one is cancelled", "two begins", "two is cancelled"]
    assert len(model.calls) == 1
    assert types(result) == ["function_call", "function_call", "function_call_output", "function_call_output"]
    answers = result.to_input_list()[3:]
    assert [answer["call_id"] for answer in answers] == ["call_one", "call_two"]
    assert {answer["output"] for answer in answers} == {NO_OUTPUT}
    assert go_on(result) == result.to_input_list()
    error = end_of(events).error
    assert isinstance(error, RunCancelled)
    assert error.run_data is not None
    assert error.run_data.new_items == result.new_items


def test_at_once_after_tools_have_ended_keeps_what_they_gave() -> None:
    result, _ = cancelled(working(), event_named("tool_output"), "immediate")
    assert [item.get("output") for item in result.to_input_list()[3:]] == ["one is done", "two is done"]


def test_at_once_before_anything_was_read_calls_no_model() -> None:
    async def scenario() -> tuple[ScriptedModel, RunResultStreaming, list[Any]]:
        model = working()
        result = Runner.run_streamed(Agent(name="a", model=model, tools=[work]), "hi")
        result.cancel()
        events = [event async for event in result.stream_events()]
        await asyncio.wait({result.run_loop_task})
        return model, result, events

    model, result, events = asyncio.run(scenario())
    assert (len(model.calls), events, result.is_complete) == (0, [], True)
    assert result.to_input_list() == [{"role": "user", "content": "hi"}]


def test_a_run_that_nobody_reads_can_be_cancelled() -> None:
    async def scenario() -> tuple[RunResultStreaming, list[Any]]:
        result = Runner.run_streamed(Agent(name="a", model=working(), tools=[work]), "hi")
        await tools_have_begun(2)
        result.cancel()
        await asyncio.wait({result.run_loop_task})
        return result, [event async for event in result.stream_events()]

    result, events = asyncio.run(scenario())
    assert events == []
    assert types(result)[2:] == ["function_call_output", "function_call_output"]
    assert {"one is cancelled", "two is cancelled"} == set(calls_of_tools[2:])


def test_what_a_tool_gives_that_ignores_the_cancelling_counts_no_longer() -> None:
    @function_tool
    async def stubborn() -> str:
        calls_of_tools.append("begins")
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            calls_of_tools.append("goes on")
        return "too late"

    async def soon(result: RunResultStreaming) -> None:
        await tools_have_begun(1)
        result.cancel()

    model = ScriptedModel([[function_call("stubborn", {}, call_id="c1")], "never asked for"])
    tasks: list[Any] = []
    result, _ = cancelled(
        model,
        event_named("tool_called"),
        cancel=lambda result: tasks.append(asyncio.ensure_future(soon(result))),
        tools=[stubborn],
    )
    assert calls_of_tools == ["begins", "goes on"]
    assert len(model.calls) == 1
    assert [item.get("output") for item in result.to_input_list()[2:]] == [NO_OUTPUT]


def test_cancelling_the_task_of_the_run_is_cancelling_it_at_once() -> None:
    result, events = cancelled(
        working(), event_named("tool_called"), cancel=lambda result: result.run_loop_task.cancel()
    )
    assert types(result)[2:] == ["function_call_output", "function_call_output"]
    assert isinstance(end_of(events).error, RunCancelled)


def test_a_call_that_was_to_hand_over_is_answered_too() -> None:
    async def arrive(context: Any) -> None:
        calls_of_tools.append("arrives")
        await asyncio.Event().wait()

    async def soon(result: RunResultStreaming) -> None:
        await tools_have_begun(1)
        result.cancel()

    other: Agent[Any] = Agent(name="Other", model=ScriptedModel(["never asked for"]))
    model = ScriptedModel([[function_call("transfer_to_other", {}, call_id="c1")]])
    tasks: list[Any] = []
    result, _ = cancelled(
        model,
        event_named("handoff_requested"),
        cancel=lambda result: tasks.append(asyncio.ensure_future(soon(result))),
        handoffs=[handoff(other, on_handoff=arrive)],
    )
    assert types(result) == ["function_call", "function_call_output"]
    assert result.last_agent.name == "a"


@pytest.mark.parametrize(
    "when",
    [
        lambda event: isinstance(event, ModelRequested),
        lambda event: isinstance(event, ModelResponded),
        event_named("tool_called"),
        event_named("tool_output"),
    ],
)
def test_after_the_turn_its_tools_end_and_no_model_is_called_again(when: When) -> None:
    model = working()
    result, events = cancelled(model, when, "after_turn")
    assert calls_of_tools == ["one begins", "two begins", "one ends", "two ends"]
    assert len(model.calls) == 1
    assert [item.get("output") for item in result.to_input_list()[3:]] == ["one is done", "two is done"]
    assert isinstance(end_of(events).error, RunCancelled)
    assert (result.is_complete, result.final_output, result.run_loop_exception) == (True, None, None)
    assert len([event for event in events if event_named("tool_output")(event)]) == 2


def test_after_the_turn_a_final_output_is_one() -> None:
    result, events = cancelled(ScriptedModel(["done"]), lambda event: isinstance(event, ModelRequested), "after_turn")
    assert (result.final_output, end_of(events).error) == ("done", None)


def test_after_the_turn_a_handoff_is_made_and_the_next_agent_not_asked() -> None:
    other = ScriptedModel(["never asked for"])
    model = ScriptedModel([[function_call("transfer_to_other", {}, call_id="c1")]])
    result, _ = cancelled(
        model, event_named("handoff_requested"), "after_turn", handoffs=[Agent(name="Other", model=other)]
    )
    assert result.last_agent.name == "Other"
    assert (other.calls, types(result)) == ((), ["function_call", "function_call_output"])


def test_after_the_turn_before_the_first_one_is_at_once() -> None:
    model = working()
    result, events = cancelled(model, lambda event: type(event).__name__ == "RunStarted", "after_turn")
    assert len(model.calls) <= 1
    assert isinstance(end_of(events).error, RunCancelled)
    assert result.is_complete


def test_at_once_goes_before_after_the_turn() -> None:
    for modes in (("after_turn", "immediate"), ("immediate", "after_turn"), ("immediate", "immediate")):
        model = working()
        result, events = cancelled(model, event_named("tool_called"), *modes)
        assert len(model.calls) == 1
        assert not any(event_named("tool_output")(event) for event in events)
        assert len([event for event in events if isinstance(event, RunFinished)]) == 1
        assert len(types(result)) == 4


def test_a_second_reason_does_not_change_the_first() -> None:
    def twice(result: RunResultStreaming) -> None:
        result.cancel(reason=RunTimeoutError(1))
        result.cancel()

    result, events = cancelled(working(), event_named("tool_called"), cancel=twice)
    assert isinstance(end_of(events).error, RunTimeoutError)
    assert isinstance(result.run_loop_exception, RunTimeoutError)


def test_a_run_that_has_ended_is_not_changed() -> None:
    async def scenario() -> RunResultStreaming:
        result = Runner.run_streamed(Agent(name="a", model=ScriptedModel(["ok"])), "hi")
        async for _ in result.stream_events():
            pass
        result.cancel()
        result.cancel("after_turn")
        return result

    result = asyncio.run(scenario())
    assert (result.final_output, result.run_loop_exception) == ("ok", None)


def test_a_mode_that_is_none_says_so() -> None:
    async def scenario() -> None:
        result = Runner.run_streamed(Agent(name="a", model=ScriptedModel(["ok"])), "hi")
        with pytest.raises(ValueError, match="mode must be 'immediate' or 'after_turn', not 'later'"):
            result.cancel("later")  # type: ignore[arg-type]
        async for _ in result.stream_events():
            pass

    asyncio.run(scenario())


@pytest.mark.parametrize("transport", ["http", "websocket"])
def test_a_model_call_no_longer_wanted_is_hung_up_on(service: Service, transport: Literal["http", "websocket"]) -> None:
    service.script(text("word " * 200, deltas=200, delay=0.05))

    async def scenario() -> RunResultStreaming:
        provider = MultiProvider(openai_api_key="k", openai_base_url=service.base_url, responses_transport=transport)
        config = RunConfig(model_provider=provider, model="gpt-x")
        result = Runner.run_streamed(Agent(name="a"), "hi", run_config=config)
        async for event in result.stream_events():
            if isinstance(event, RawResponsesStreamEvent):
                result.cancel()
        await asyncio.wait({result.run_loop_task})
        await provider.aclose()
        return result

    assert asyncio.run(scenario()).to_input_list() == [{"role": "user", "content": "hi"}]
    service.wait_for_requests(1, closed_early=1)


def test_after_the_turn_over_a_service_lets_the_tools_end(service: Service) -> None:
    service.script(tool_calls(("work", {"name": "one"}, "call_one")), text("never asked for"))

    async def scenario() -> RunResultStreaming:
        provider = MultiProvider(openai_api_key="k", openai_base_url=service.base_url)
        config = RunConfig(model_provider=provider, model="gpt-x")
        result = Runner.run_streamed(Agent(name="a", tools=[work]), "hi", run_config=config)
        async for event in result.stream_events():
            if isinstance(event, RawResponsesStreamEvent):
                result.cancel("after_turn")
        await provider.aclose()
        return result

    assert types(asyncio.run(scenario())) == ["function_call", "function_call_output"]
    assert len(service.requests()) == 1


def test_what_was_held_for_a_call_that_waited_for_a_yes_is_kept() -> None:
    @function_tool(needs_approval=True)
    async def careful() -> str:
        calls_of_tools.append("careful begins")
        await asyncio.Event().wait()
        return "never"

    @function_tool
    def quick() -> str:
        calls_of_tools.append("quick")
        return "done at once"

    async def scenario() -> RunResultStreaming:
        both = [function_call("careful", {}, call_id="c1"), function_call("quick", {}, call_id="c2")]
        agent: Agent[Any] = Agent(name="a", model=ScriptedModel([both, "never asked for"]), tools=[careful, quick])
        state = (await Runner.run(agent, "hi")).to_state()
        state.approve(state.get_interruptions()[0])
        result = Runner.run_streamed(agent, state)
        await tools_have_begun(2)
        result.cancel()
        await asyncio.wait({result.run_loop_task})
        return result

    result = asyncio.run(scenario())
    outputs = {item.get("call_id"): item.get("output") for item in result.to_input_list()[3:]}
    assert outputs == {"c1": NO_OUTPUT, "c2": "done at once"}
    assert types(result) == ["function_call", "function_call", "function_call_output", "function_call_output"]


@pytest.mark.parametrize("passes", [1, 3])
def test_the_next_turn_waits_until_the_reader_has_handled_the_last_event(passes: int) -> None:
    async def scenario() -> int:
        model = ScriptedModel([[call("one")], "never asked for"])
        result = Runner.run_streamed(Agent(name="a", model=model, tools=[work]), "hi")
        async for event in result.stream_events():
            if event_named("tool_output")(event):
                for _ in range(passes):
                    await asyncio.sleep(0)
                result.cancel("after_turn")
        return len(model.calls)

    assert asyncio.run(scenario()) == 1


def test_a_reader_with_a_task_for_each_event_is_waited_for() -> None:
    async def scenario() -> int:
        model = ScriptedModel([[call("one")], "never asked for"])
        result = Runner.run_streamed(Agent(name="a", model=model, tools=[work]), "hi")
        events = result.stream_events()

        async def next_event() -> Any:
            return await anext(events, None)

        while (event := await asyncio.create_task(next_event())) is not None:
            if event_named("tool_output")(event):
                await asyncio.sleep(0.01)
                result.cancel("after_turn")
        return len(model.calls)

    assert asyncio.run(scenario()) == 1


def test_a_cancel_while_the_first_event_is_read_leaves_the_first_turn() -> None:
    async def scenario() -> tuple[list[str], Any]:
        result = Runner.run_streamed(Agent(name="a", model=ScriptedModel(["done"])), "hi")
        types_seen: list[str] = []
        async for event in result.stream_events():
            types_seen.append(event.type)
            if event.type == "agent_updated_stream_event":
                result.cancel("after_turn")
        return types_seen, result.final_output

    types_seen, output = asyncio.run(scenario())
    assert "run_item_stream_event" in types_seen
    assert output == "done"


@pytest.mark.parametrize("way", ["closed", "cancelled", "failed", "none"])
def test_a_run_does_not_wait_for_a_reader_that_is_gone(way: str) -> None:
    async def scenario() -> Any:
        model = ScriptedModel([[call("one")], "done"])
        result = Runner.run_streamed(Agent(name="a", model=model, tools=[work]), "hi")
        events = result.stream_events()
        has_seen = asyncio.Event()

        async def read() -> None:
            async for event in events:
                if event_named("tool_called")(event):
                    has_seen.set()
                    if way == "failed":
                        raise RuntimeError("reader")
                    await asyncio.Event().wait()

        if way == "closed":
            async for event in events:
                if event_named("tool_called")(event):
                    break
            await events.aclose()  # type: ignore[attr-defined]  # a generator
        elif way != "none":
            reader = asyncio.create_task(read())
            await has_seen.wait()
            if way == "cancelled":
                reader.cancel()
            await asyncio.wait([reader])
            reader.exception() if way == "failed" else None
        await asyncio.wait_for(result.run_loop_task, 10)
        return result.final_output

    assert asyncio.run(scenario()) == "done"


@pytest.mark.parametrize("mode", ["immediate", "after_turn"])
def test_cancelling_at_once_drops_the_unread_events_of_a_run_that_has_ended(
    mode: Literal["immediate", "after_turn"],
) -> None:
    async def scenario() -> tuple[list[str], Any]:
        result = Runner.run_streamed(Agent(name="a", model=ScriptedModel(["done"])), "hi")
        await asyncio.wait({result.run_loop_task})
        seen: list[str] = []
        async for event in result.stream_events():
            seen.append(event.type)
            result.cancel(mode)
        return seen, result.final_output

    seen, output = asyncio.run(scenario())
    assert (len(seen) == 1, output) == (mode == "immediate", "done")


def test_the_events_end_once_the_provider_of_a_cancelled_run_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []

    async def close(provider: MultiProvider) -> None:
        closed.append("begun")
        await asyncio.sleep(0.01)
        closed.append("ended")

    async def scenario() -> list[str]:
        has_begun = asyncio.Event()

        async def stream(call: Any) -> Any:
            has_begun.set()
            await asyncio.Event().wait()
            yield

        model = ScriptedModel([ModelStep.stream(stream)])
        result = Runner.run_streamed(Agent(name="a", model=model), "hi")
        await has_begun.wait()
        result.cancel()
        async for _ in result.stream_events():
            pass
        return list(closed)

    monkeypatch.setattr(MultiProvider, "aclose", close)
    assert asyncio.run(scenario()) == ["begun", "ended"]


def test_a_provider_that_cannot_be_closed_hides_neither_the_answer_nor_the_error_of_its_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def close(provider: MultiProvider) -> None:
        raise RuntimeError("stuck")

    monkeypatch.setattr(MultiProvider, "aclose", close)
    agent: Agent[Any] = Agent(name="a", model=ScriptedModel(["done", ValueError("the run's own")]))
    assert asyncio.run(Runner.run(agent, "hi")).final_output == "done"
    with pytest.raises(ValueError, match="the run's own"):
        asyncio.run(Runner.run(agent, "hi"))
    assert caplog.text.count("RuntimeError: stuck") == 2
