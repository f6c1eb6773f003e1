"""A run read as it goes: the order of events, slow readers, and the ways to end it early."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from agentctl import (
    Agent,
    AgentUpdatedStreamEvent,
    ModelRequest,
    ModelRequested,
    ModelResponded,
    RawResponsesStreamEvent,
    RunCancelled,
    RunFinished,
    RunItemStreamEvent,
    Runner,
    RunResultStreaming,
    RunStarted,
    RunTimeoutError,
    ServiceUnavailableError,
    ToolContext,
    ToolFinished,
    ToolProgressed,
    ToolStarted,
    Warned,
    WireModel,
    function_tool,
)
from agentctl.agent.ports import ModelEvent
from agentctl.testing import ModelStep, ScriptedModel, function_call
from agentctl.testing.wire_output import response_events


@function_tool
def double(number: int) -> int:
    """Double a number."""
    return number * 2


def agent_with_a_tool() -> Agent[Any]:
    calls = [function_call("double", {"number": 2}, call_id="c1")]
    return Agent(name="a", model=ScriptedModel([calls, "It is 4."]), tools=[double])


async def events_of(result: RunResultStreaming) -> list[object]:
    return [event async for event in result.run_events()]


class EndlessModel(WireModel):
    """Streams until it is told to stop, and says whether it was."""

    def __init__(self) -> None:
        self.was_closed = False
        self.sent = 0

    @property
    def model_name(self) -> str:
        return "endless"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        try:
            while True:
                self.sent += 1
                yield {"type": "response.output_text.delta", "delta": "x"}
                await asyncio.sleep(0)
        finally:
            self.was_closed = True


def test_everything_that_happens_comes_in_order() -> None:
    async def scenario() -> list[object]:
        return await events_of(Runner.run_streamed(agent_with_a_tool(), "hi"))

    kinds = [type(event) for event in asyncio.run(scenario()) if not isinstance(event, RawResponsesStreamEvent)]
    assert kinds == [
        RunStarted,
        AgentUpdatedStreamEvent,
        ModelRequested,
        ModelResponded,
        RunItemStreamEvent,
        ToolStarted,
        ToolFinished,
        RunItemStreamEvent,
        ModelRequested,
        ModelResponded,
        RunItemStreamEvent,
        RunFinished,
    ]


@pytest.mark.parametrize("is_async", [True, False])
def test_a_tool_reports_how_far_it_is_while_it_runs(is_async: bool) -> None:
    """Also from the thread of a function that is not async; what it reports after its end is dropped."""
    contexts: list[ToolContext[Any]] = []

    def copy(context: ToolContext[Any]) -> str:
        contexts.append(context)
        context.report_progress(1, 2, "copying")
        context.report_progress(message="almost")
        return "copied"

    async def copy_async(context: ToolContext[Any]) -> str:
        return copy(context)

    tool = function_tool(copy_async if is_async else copy, name_override="copy")
    model = ScriptedModel([[function_call("copy", {}, call_id="c1")], "done"])

    async def scenario() -> list[Any]:
        events: list[Any] = await events_of(Runner.run_streamed(Agent(name="a", model=model, tools=[tool]), "hi"))
        contexts[0].report_progress(2, 2, "too late")
        await asyncio.sleep(0)
        return [event for event in events if isinstance(event, ToolStarted | ToolProgressed | ToolFinished)]

    begun, first, second, ended = asyncio.run(scenario())
    assert (begun.tool, begun.call_id, begun.agent.name) == ("copy", "c1", "a")
    assert (first.progress, first.total, first.message, first.call_id) == (1.0, 2.0, "copying", "c1")
    assert (second.progress, second.total, second.message) == (None, None, "almost")
    assert (ended.call_id, ended.failed, ended.seconds >= 0) == ("c1", False, True)


def test_each_call_of_a_turn_ends_on_its_own_and_a_failed_one_says_so() -> None:
    both = asyncio.Event()

    @function_tool
    async def first() -> str:
        await both.wait()
        return "first"

    @function_tool
    async def second() -> str:
        both.set()
        raise ValueError("broken")

    calls = [function_call("first", {}, call_id="c1"), function_call("second", {}, call_id="c2")]
    agent: Agent[Any] = Agent(name="a", model=ScriptedModel([calls, "done"]), tools=[first, second])

    async def scenario() -> list[Any]:
        return await events_of(Runner.run_streamed(agent, "hi"))

    ended = [(e.call_id, e.failed) for e in asyncio.run(scenario()) if isinstance(e, ToolFinished)]
    assert sorted(ended) == [("c1", False), ("c2", True)]


def test_without_a_reader_of_every_event_a_tool_reports_nothing() -> None:
    seen: list[Any] = []

    @function_tool
    def look(context: ToolContext[Any]) -> str:
        seen.append(context.on_progress)
        context.report_progress(1)
        return "looked"

    def agent() -> Agent[Any]:
        model = ScriptedModel([[function_call("look", {}, call_id="c1")], "done"])
        return Agent(name="a", model=model, tools=[look])

    async def scenario() -> None:
        await Runner.run(agent(), "hi")
        async for _ in Runner.run_streamed(agent(), "hi").stream_events():
            pass

    asyncio.run(scenario())
    assert seen == [None, None]


def test_stream_events_are_the_three_kinds_of_the_agents_sdk() -> None:
    async def scenario() -> list[Any]:
        return [event async for event in Runner.run_streamed(agent_with_a_tool(), "hi").stream_events()]

    events = asyncio.run(scenario())
    assert {event.type for event in events} == {
        "raw_response_event",
        "run_item_stream_event",
        "agent_updated_stream_event",
    }
    names = [event.name for event in events if isinstance(event, RunItemStreamEvent)]
    assert names == ["tool_called", "tool_output", "message_output_created"]
    text = "".join(
        e.data.delta for e in events if e.type == "raw_response_event" and e.data.type.endswith("text.delta")
    )
    assert text == "It is 4."


def test_stream_events_raises_what_the_run_raised_and_run_events_carries_it() -> None:
    async def scenario() -> object:
        agent = Agent(name="a", model=ScriptedModel([ServiceUnavailableError("gone")]))
        with pytest.raises(ServiceUnavailableError, match="gone"):
            async for _ in Runner.run_streamed(agent, "hi").stream_events():
                pass
        agent = Agent(name="a", model=ScriptedModel([ServiceUnavailableError("gone")]))
        return (await events_of(Runner.run_streamed(agent, "hi")))[-1]

    end = asyncio.run(scenario())
    assert isinstance(end, RunFinished)
    assert isinstance(end.error, ServiceUnavailableError)


def test_a_run_goes_on_when_nobody_reads() -> None:
    async def scenario() -> RunResultStreaming:
        result = Runner.run_streamed(agent_with_a_tool(), "hi")
        await result.run_loop_task
        return result

    result = asyncio.run(scenario())
    assert result.final_output == "It is 4."
    assert result.current_turn == 2


def test_a_slow_reader_slows_the_run_down() -> None:
    async def scenario() -> int:
        model = EndlessModel()
        result = Runner.run_streamed(Agent(name="a", model=model), "hi")
        reader = result.run_events()
        await anext(reader)
        for _ in range(20_000):
            await asyncio.sleep(0)
        sent = model.sent
        result.cancel()
        await asyncio.wait({result.run_loop_task})
        return sent

    assert asyncio.run(scenario()) < 5_000


def test_a_reader_who_leaves_early_does_not_hold_the_run_up() -> None:
    async def scenario() -> int:
        result = Runner.run_streamed(Agent(name="a", model=ScriptedModel(["word " * 5000])), "hi")
        async for _ in result.stream_events():
            break
        await result.run_loop_task
        return len([event async for event in result.stream_events()])

    assert asyncio.run(scenario()) > 5000


def test_a_result_says_what_came_of_the_run_when_it_is_printed() -> None:
    async def scenario() -> str:
        result = await Runner.run(agent_with_a_tool(), "hi")
        text = str(result)
        result.release_agents()
        assert str(result).startswith("RunResult of a released agent: ")
        return text

    printed = asyncio.run(scenario())
    assert printed == "RunResult of agent 'a': 3 new items, 2 responses; final output: It is 4."


def test_cancel_ends_the_model_call_and_the_events() -> None:
    async def scenario() -> tuple[bool, object, list[object]]:
        model = EndlessModel()
        result = Runner.run_streamed(Agent(name="a", model=model), "hi")
        read: list[object] = []
        async for event in result.run_events():
            read.append(event)
            if len(read) == 10:
                result.cancel()
        await asyncio.wait({result.run_loop_task})
        return model.was_closed, read[-1], read

    was_closed, end, read = asyncio.run(scenario())
    assert was_closed
    assert isinstance(end, RunFinished)
    assert isinstance(end.error, RunCancelled)
    assert len(read) == 11


def test_after_cancel_stream_events_just_end() -> None:
    async def scenario() -> None:
        result = Runner.run_streamed(Agent(name="a", model=EndlessModel()), "hi")
        async for _ in result.stream_events():
            result.cancel()
        assert result.is_complete

    asyncio.run(scenario())


def test_cancel_for_a_reason_ends_with_that_error() -> None:
    async def scenario() -> object:
        result = Runner.run_streamed(Agent(name="a", model=EndlessModel()), "hi")
        asyncio.get_running_loop().call_soon(lambda: result.cancel(reason=RunTimeoutError(1)))
        return (await events_of(result))[-1]

    end = asyncio.run(scenario())
    assert isinstance(end, RunFinished)
    assert isinstance(end.error, RunTimeoutError)
    assert end.error.run_data is not None


def test_cancel_after_the_turn_lets_the_turn_end() -> None:
    async def scenario() -> RunResultStreaming:
        result = Runner.run_streamed(agent_with_a_tool(), "hi")
        async for event in result.run_events():
            if isinstance(event, ModelRequested):
                result.cancel("after_turn")
        return result

    result = asyncio.run(scenario())
    assert result.run_loop_exception is None
    assert [item.type for item in result.new_items] == ["tool_call_item", "tool_call_output_item"]


def test_a_tool_that_runs_is_cancelled_with_the_run() -> None:
    ended: list[str] = []

    @function_tool
    async def wait() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("wait")
        return ""

    async def scenario() -> None:
        calls = [function_call("wait", {}, call_id="c1")]
        result = Runner.run_streamed(Agent(name="a", model=ScriptedModel([calls]), tools=[wait]), "hi")
        async for event in result.run_events():
            if isinstance(event, RunItemStreamEvent):
                asyncio.get_running_loop().call_later(0.01, result.cancel)
        await asyncio.wait({result.run_loop_task})

    asyncio.run(scenario())
    assert ended == ["wait"]


def test_a_cut_answer_is_warned_of() -> None:
    async def scenario() -> list[object]:
        step = ModelStep(output="Half", incomplete="max_output_tokens")
        return await events_of(Runner.run_streamed(Agent(name="a", model=ScriptedModel([step])), "hi"))

    warnings = [event.message for event in asyncio.run(scenario()) if isinstance(event, Warned)]
    assert warnings == ["the answer was cut before its end (max_output_tokens)"]


def test_no_task_is_left_when_a_run_has_ended() -> None:
    async def scenario() -> set[Any]:
        await events_of(Runner.run_streamed(agent_with_a_tool(), "hi"))
        await asyncio.sleep(0.01)
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(scenario()) == set()


def test_a_stream_without_a_terminal_event_breaks_the_protocol() -> None:
    events = list(response_events([], response_id="r", usage={}))[:-1]

    async def scenario() -> object:
        agent = Agent(name="a", model=ScriptedModel([ModelStep(stream_events=events)]))
        return (await events_of(Runner.run_streamed(agent, "hi")))[-1]

    end = asyncio.run(scenario())
    assert isinstance(end, RunFinished)
    assert "response.completed" in str(end.error)
