"""The spans of handoffs, guardrails and nested agents: each below what it is part of, streamed or not."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from agentctl import (
    Agent,
    GuardrailFunctionOutput,
    InputGuardrailTripwireTriggered,
    OutputGuardrailTripwireTriggered,
    RunConfig,
    Runner,
    function_tool,
    input_guardrail,
    output_guardrail,
)
from agentctl.testing import ScriptedModel, function_call
from agentctl.tracing import Span, custom_span
from tests.tracing.recorder import Recorder, recording


@pytest.fixture
def recorder(home: object) -> Iterator[Recorder]:
    """The one processor that is told."""
    with recording() as recorder:
        yield recorder


@function_tool
async def slow(word: str) -> str:
    """Say a word after all the others have begun."""
    with custom_span(f"saying {word}"):
        await asyncio.sleep(0.01)
    return word


@function_tool
def blocking() -> str:
    """Work in a thread."""
    with custom_span("in a thread"):
        return "done"


def scripted(steps: list[Any]) -> ScriptedModel:
    """Return a scripted model whose calls have spans."""
    return ScriptedModel(steps, emit_traces=True)


def play(agent: Agent[Any], *, streamed: bool, config: RunConfig | None = None) -> None:
    async def scenario() -> None:
        if not streamed:
            await Runner.run(agent, "Go.", run_config=config)
            return
        result = Runner.run_streamed(agent, "Go.", run_config=config)
        async for _ in result.stream_events():
            pass

    asyncio.run(scenario())


def paths(recorder: Recorder) -> list[str]:
    """Return, for each span, its labels from the top, in the order in which the spans ended."""
    by_id = {span.span_id: span for span in recorder.spans}
    return ["/".join(_labels(span, by_id)) for span in recorder.spans]


def _labels(span: Span[Any], by_id: dict[str, Span[Any]]) -> list[str]:
    above = _labels(by_id[span.parent_id], by_id) if span.parent_id else []
    return [*above, label(span)]


def label(span: Span[Any]) -> str:
    data = span.span_data.export()
    match data["type"], data.get("name"):
        case "custom", "turn":
            return f"turn {data['data']['turn']}"
        case "custom", "task":
            return "task"
        case "agent" | "function" | "guardrail" | "custom", name:
            return str(name)
        case kind, _:
            return str(kind)


def errors(recorder: Recorder) -> dict[str, Any]:
    return {label(span): span.error for span in recorder.spans if span.error}


def allow(name: str) -> Any:
    async def check(*_: Any) -> GuardrailFunctionOutput:
        await asyncio.sleep(0)
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered=name.startswith("bad"))

    check.__name__ = name
    return check


@pytest.mark.parametrize("streamed", [False, True])
def test_each_agent_that_has_the_word_has_a_span_below_the_run(recorder: Recorder, streamed: bool) -> None:
    second = Agent(name="second", model=scripted(["Done."]))
    third = Agent(name="third")
    calls = [function_call("transfer_to_second", {}, call_id="h1")]
    first = Agent(name="first", model=scripted([calls]), handoffs=[second, third])
    play(first, streamed=streamed)
    assert paths(recorder) == [
        "task/first/turn 1/generation",
        "task/first/turn 1/handoff",
        "task/first/turn 1",
        "task/first",
        "task/second/turn 2/generation",
        "task/second/turn 2",
        "task/second",
        "task",
    ]
    agents = {span.span_data.name: span.span_data for span in recorder.spans if span.span_data.type == "agent"}
    assert (agents["first"].handoffs, agents["second"].handoffs) == (["second", "third"], [])
    [handoff] = [span.span_data.export() for span in recorder.spans if span.span_data.type == "handoff"]
    assert handoff == {"type": "handoff", "from_agent": "first", "to_agent": "second"}
    assert errors(recorder) == {}


@pytest.mark.parametrize("streamed", [False, True])
def test_more_than_one_handoff_is_an_error_of_the_span(recorder: Recorder, streamed: bool) -> None:
    others = [Agent(name=name, model=scripted(["Done."])) for name in ("second", "third")]
    calls = [function_call(f"transfer_to_{agent.name}", {}, call_id=agent.name) for agent in others]
    play(Agent(name="first", model=scripted([calls]), handoffs=[*others]), streamed=streamed)
    data = {"requested_agents": ["second", "third"]}
    assert errors(recorder) == {"handoff": {"message": "Multiple handoffs requested", "data": data}}


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_that_run_together_keep_their_own_spans(recorder: Recorder, streamed: bool) -> None:
    calls = [
        *(function_call("slow", {"word": word}, call_id=word) for word in ("one", "two")),
        function_call("blocking", {}, call_id="three"),
    ]
    play(Agent(name="a", model=scripted([calls, "Done."]), tools=[slow, blocking]), streamed=streamed)
    assert sorted(path for path in paths(recorder) if "turn 1/" in path) == [
        "task/a/turn 1/blocking",
        "task/a/turn 1/blocking/in a thread",
        "task/a/turn 1/generation",
        "task/a/turn 1/slow",
        "task/a/turn 1/slow",
        "task/a/turn 1/slow/saying one",
        "task/a/turn 1/slow/saying two",
    ]
    sayings = {span.span_data.name: span for span in recorder.spans if span.span_data.type == "custom"}
    assert sayings["saying one"].parent_id != sayings["saying two"].parent_id


@pytest.mark.parametrize("streamed", [False, True])
def test_an_agent_as_a_tool_is_below_the_call_of_the_tool(recorder: Recorder, streamed: bool) -> None:
    inner = Agent(
        name="inner",
        model=scripted([[function_call("blocking", {}, call_id="c")], "Inside."]),
        tools=[blocking],
    )
    outer = Agent(
        name="outer",
        model=scripted([[function_call("ask", {"input": "x"}, call_id="c1")], "Done."]),
        tools=[inner.as_tool("ask", "Asks the other.")],
    )
    play(outer, streamed=streamed)
    assert len(recorder.traces) == 1
    above = "task/outer/turn 1/ask"
    assert [path for path in paths(recorder) if path.startswith(above)] == [
        f"{above}/task/inner/turn 1/generation",
        f"{above}/task/inner/turn 1/blocking/in a thread",
        f"{above}/task/inner/turn 1/blocking",
        f"{above}/task/inner/turn 1",
        f"{above}/task/inner/turn 2/generation",
        f"{above}/task/inner/turn 2",
        f"{above}/task/inner",
        f"{above}/task",
        above,
    ]


@pytest.mark.parametrize("streamed", [False, True])
def test_guardrails_of_the_input_are_beside_the_model_call_and_of_the_output_after_the_turn(
    recorder: Recorder, streamed: bool
) -> None:
    agent = Agent(
        name="a",
        model=scripted(["Done."]),
        input_guardrails=[input_guardrail(allow("good input"))],
        output_guardrails=[output_guardrail(allow("good output"))],
    )
    play(agent, streamed=streamed)
    assert sorted(paths(recorder)) == [
        "task",
        "task/a",
        "task/a/good output",
        "task/a/turn 1",
        "task/a/turn 1/generation",
        "task/a/turn 1/good input",
    ]
    assert errors(recorder) == {}
    triggered = [span.span_data.triggered for span in recorder.spans if span.span_data.type == "guardrail"]
    assert triggered == [False, False]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tripwire_of_the_input_is_in_its_span_and_an_error_of_the_agent(recorder: Recorder, streamed: bool) -> None:
    agent = Agent(name="a", model=scripted(["Done."]), input_guardrails=[input_guardrail(allow("bad input"))])
    with pytest.raises(InputGuardrailTripwireTriggered):
        play(agent, streamed=streamed)
    assert "task/a/turn 1/bad input" in paths(recorder)
    assert errors(recorder)["a"]["message"] == "InputGuardrailTripwireTriggered"
    [check] = [span.span_data for span in recorder.spans if span.span_data.type == "guardrail"]
    assert check.triggered


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tripwire_of_the_output_is_in_its_span_and_an_error_of_the_agent(recorder: Recorder, streamed: bool) -> None:
    agent = Agent(name="a", model=scripted(["Done."]), output_guardrails=[output_guardrail(allow("bad output"))])
    with pytest.raises(OutputGuardrailTripwireTriggered):
        play(agent, streamed=streamed)
    assert paths(recorder)[-3:] == ["task/a/bad output", "task/a", "task"]
    assert list(errors(recorder)) == ["a"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_guardrail_that_fails_is_an_error_of_its_span(recorder: Recorder, streamed: bool) -> None:
    @input_guardrail
    async def broken(*_: Any) -> GuardrailFunctionOutput:
        raise ValueError("no such list")

    with pytest.raises(ValueError, match="no such list"):
        play(Agent(name="a", model=scripted(["Done."]), input_guardrails=[broken]), streamed=streamed)
    assert errors(recorder)["broken"] == {"message": "ValueError", "data": {"error": "no such list"}}


def test_streamed_and_not_streamed_runs_give_equal_spans() -> None:
    def heard(streamed: bool) -> list[tuple[str, Any, Any]]:
        second = Agent(
            name="second",
            model=scripted([[function_call("blocking", {}, call_id="c")], "Done."]),
            tools=[blocking],
            output_guardrails=[output_guardrail(allow("good output"))],
        )
        first = Agent(
            name="first",
            model=scripted([[function_call("transfer_to_second", {}, call_id="h1")]]),
            handoffs=[second],
            input_guardrails=[input_guardrail(allow("good input"))],
        )
        with recording() as recorder:
            play(first, streamed=streamed)
        data = [span.span_data.export() for span in recorder.spans]
        errors = [span.error for span in recorder.spans]
        return sorted(zip(paths(recorder), map(str, data), errors, strict=True))

    assert heard(streamed=True) == heard(streamed=False)


@pytest.mark.parametrize("streamed", [False, True])
def test_without_spans_of_turns_all_is_below_the_agent(recorder: Recorder, streamed: bool) -> None:
    second = Agent(name="second", model=scripted(["Done."]))
    calls = [function_call("transfer_to_second", {}, call_id="h1")]
    first = Agent(name="first", model=scripted([calls]), handoffs=[second])
    play(first, streamed=streamed, config=RunConfig(tracing={"include_task_and_turn_spans": False}))
    assert paths(recorder) == ["first/generation", "first/handoff", "first", "second/generation", "second"]


def test_a_cancelled_run_ends_the_spans_of_all_that_ran(recorder: Recorder) -> None:
    started = asyncio.Event()

    @function_tool
    async def never() -> str:
        started.set()
        await asyncio.Event().wait()
        return ""

    async def scenario() -> None:
        inner = Agent(name="inner", model=scripted([[function_call("never", {}, call_id="c")]]), tools=[never])
        outer = Agent(
            name="outer",
            model=scripted([[function_call("ask", {"input": "x"}, call_id="c1")]]),
            tools=[inner.as_tool("ask", "Asks the other.")],
        )
        result = Runner.run_streamed(outer, "Go.")
        await started.wait()
        result.cancel()
        await asyncio.wait({result.run_loop_task})

    asyncio.run(scenario())
    begun = [news for news in recorder.heard if news.endswith(" begins")]
    ended = [news for news in recorder.heard if news.endswith(" ends")]
    assert len(begun) == len(ended)
    assert errors(recorder)["never"]["message"] == "CancelledError"
