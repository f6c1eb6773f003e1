"""The spans of a run: the right tree, streamed or not, with errors, and none where nobody is told."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from agentctl import Agent, ModelSettings, ModelTracing, RunConfig, RunContextWrapper, Runner, Usage, function_tool
from agentctl.errors import AgentsException, MaxTurnsExceeded
from agentctl.testing import ModelStep, ScriptedModel, function_call
from agentctl.tracing import (
    AgentSpanData,
    CustomSpanData,
    FunctionSpanData,
    GenerationSpanData,
    ResponseSpanData,
    Span,
    TaskSpanData,
    TurnSpanData,
    custom_span,
    get_current_span,
    get_current_trace,
    set_trace_processors,
    trace,
)
from tests.service.client import Service
from tests.tracing.recorder import Recorder, recording


@pytest.fixture
def recorder(home: object) -> Iterator[Recorder]:
    """The one processor that is told."""
    with recording() as recorder:
        yield recorder


@function_tool
async def double(number: int) -> int:
    """Double a number, in a span of the tool's own."""
    with custom_span(f"doubling {number}"):
        await asyncio.sleep(0)
    return 2 * number


@function_tool
def in_thread() -> str:
    """Work in a thread, in a span of the tool's own."""
    with custom_span("in a thread"):
        return "done"


@function_tool
def soft() -> str:
    """Fail in a way that the model is told of."""
    raise ValueError("no such file")


@function_tool(failure_error_function=None)
def hard() -> str:
    """Fail in a way that ends the run."""
    raise ValueError("no such disk")


def agent(*steps: Any, tools: Any = (double, in_thread, soft, hard)) -> Agent[Any]:
    usage = Usage(requests=1, input_tokens=3, output_tokens=2, total_tokens=5)
    return Agent(
        name="calculator",
        instructions="Count.",
        tools=list(tools),
        model=ScriptedModel(steps, emit_traces=True, default_usage=usage),
    )


def play(agent: Agent[Any], *, streamed: bool = False, config: RunConfig | None = None, **further: Any) -> None:
    async def scenario() -> None:
        if not streamed:
            await Runner.run(agent, "How much?", run_config=config, **further)
            return
        result = Runner.run_streamed(agent, "How much?", run_config=config, **further)
        async for _ in result.stream_events():
            pass

    asyncio.run(scenario())


def tree(recorder: Recorder) -> dict[str, str | None]:
    """Return, for each span by its label, the label of its parent."""
    labels = {span.span_id: label(span) for span in recorder.spans}
    return {label(span): labels[span.parent_id] if span.parent_id else None for span in recorder.spans}


def label(span: Span[Any]) -> str:
    match span.span_data:
        case TurnSpanData(turn=turn):
            return f"turn {turn}"
        case FunctionSpanData(name=name, input=input):
            return " ".join([name, *map(str, json.loads(input or "{}").values())])
        case CustomSpanData(name=name):
            return name
        case GenerationSpanData(input=list(input)):
            return f"generation {1 + sum(item.get('type') == 'function_call' for item in input[:3])}"
        case data:
            return str(data.type)


def of_kind(recorder: Recorder, kind: type[Any]) -> list[Any]:
    return [span for span in recorder.spans if isinstance(span.span_data, kind)]


CALLS = [
    function_call("double", {"number": 1}, call_id="c1"),
    function_call("double", {"number": 2}, call_id="c2"),
    function_call("in_thread", {}, call_id="c3"),
]


@pytest.mark.parametrize("streamed", [False, True])
def test_every_piece_of_a_run_has_its_span_below_the_piece_it_is_part_of(recorder: Recorder, streamed: bool) -> None:
    play(agent(CALLS, "Six."), streamed=streamed)
    assert [made.name for made in recorder.traces] == ["Agent workflow"]
    assert tree(recorder) == {
        "task": None,
        "agent": "task",
        "turn 1": "agent",
        "turn 2": "agent",
        "generation 1": "turn 1",
        "generation 2": "turn 2",
        "double 1": "turn 1",
        "double 2": "turn 1",
        "in_thread": "turn 1",
        "doubling 1": "double 1",
        "doubling 2": "double 2",
        "in a thread": "in_thread",
    }


def test_streamed_and_not_streamed_runs_give_equal_spans() -> None:
    def heard(streamed: bool) -> list[tuple[dict[str, Any], Any]]:
        with recording() as recorder:
            play(agent(CALLS[:1], "Two."), streamed=streamed)
        return [(span.span_data.export(), span.error) for span in recorder.spans]

    assert heard(streamed=True) == heard(streamed=False)


def test_spans_hold_what_went_in_and_came_out(recorder: Recorder) -> None:
    play(agent(CALLS[:1], "Two."))
    [call] = of_kind(recorder, FunctionSpanData)
    assert (call.span_data.name, call.span_data.output) == ("double", "2")
    first, second = (span.span_data for span in of_kind(recorder, GenerationSpanData))
    assert first.input == [{"role": "system", "content": "Count."}, {"role": "user", "content": "How much?"}]
    assert [item["type"] for item in first.output] == ["function_call"]
    assert first.model == "scripted"
    assert first.usage["input_tokens"] == 3
    assert [item.get("type") for item in second.input[2:]] == ["function_call", "function_call_output"]
    [described] = of_kind(recorder, AgentSpanData)
    assert described.span_data.export() == {
        "type": "agent",
        "name": "calculator",
        "handoffs": [],
        "tools": ["double", "in_thread", "soft", "hard"],
        "output_type": "str",
    }


def test_turns_and_the_run_have_their_usage(recorder: Recorder) -> None:
    play(agent(CALLS[:1], "Two."))
    tokens = {"input_tokens": 3, "output_tokens": 2, "cached_input_tokens": 0, "cache_write_input_tokens": 0}
    assert [span.span_data.usage for span in of_kind(recorder, TurnSpanData)] == [tokens, tokens]
    [whole] = of_kind(recorder, TaskSpanData)
    assert whole.span_data.usage == {
        "requests": 2,
        "input_tokens": 6,
        "output_tokens": 4,
        "cached_input_tokens": 0,
        "cache_write_input_tokens": 0,
        "total_tokens": 10,
    }


def test_nothing_sensitive_is_held_if_the_run_says_so(recorder: Recorder) -> None:
    calls = [*CALLS[:1], function_call("soft", {}, call_id="c4")]
    play(agent(calls, "Two."), config=RunConfig(trace_include_sensitive_data=False))
    for span in of_kind(recorder, FunctionSpanData):
        assert (span.span_data.input, span.span_data.output) == (None, None)
    for span in of_kind(recorder, GenerationSpanData):
        assert (span.span_data.input, span.span_data.output) == (None, None)
        assert span.span_data.usage
    assert [span.error for span in recorder.spans if span.error] == [{"message": "ValueError", "data": None}]


@pytest.mark.parametrize(("value", "includes"), [("0", False), ("false", False), ("1", True), ("", True)])
def test_the_environment_decides_on_sensitive_data_where_the_run_does_not(
    monkeypatch: pytest.MonkeyPatch, value: str, includes: bool
) -> None:
    monkeypatch.setenv("OPENAI_AGENTS_TRACE_INCLUDE_SENSITIVE_DATA", value)
    assert RunConfig().trace_include_sensitive_data is includes


def test_the_run_names_its_trace(recorder: Recorder) -> None:
    config = RunConfig(
        workflow_name="sums",
        trace_id="trace_7",
        group_id="talk",
        trace_metadata={"user": "u"},
        tracing={"api_key": "sk-of-the-run"},
    )
    play(agent("Two."), config=config)
    [made] = recorder.traces
    assert (made.name, made.trace_id, made.group_id, made.metadata) == ("sums", "trace_7", "talk", {"user": "u"})
    assert made.tracing_api_key == "sk-of-the-run"


def test_spans_of_run_and_turns_may_be_left_out(recorder: Recorder) -> None:
    play(agent("Two."), config=RunConfig(tracing={"include_task_and_turn_spans": False}))
    assert tree(recorder) == {"generation 1": "agent", "agent": None}


def test_what_a_user_adds_to_requests_is_in_no_trace(recorder: Recorder) -> None:
    settings = ModelSettings(temperature=0.5, extra_headers={"authorization": "k"}, extra_body={"token": "k"})
    play(agent("Two."), config=RunConfig(model_settings=settings))
    [generation] = of_kind(recorder, GenerationSpanData)
    assert generation.span_data.model_config == {"temperature": 0.5}


def test_a_run_inside_a_trace_is_part_of_it(recorder: Recorder) -> None:
    async def scenario() -> None:
        with trace("two runs"), custom_span("mine"):
            for _ in range(2):
                await Runner.run(agent("Two."), "How much?")
            await Runner.run_streamed(agent("Two."), "How much?").run_loop_task
            assert isinstance(get_current_span(), Span)

    asyncio.run(scenario())
    assert [made.name for made in recorder.traces] == ["two runs"]
    tasks = of_kind(recorder, TaskSpanData)
    assert len(tasks) == 3
    assert {tree(recorder)["task"]} == {"mine"}


def test_a_run_inside_a_tool_is_below_the_call_of_the_tool(recorder: Recorder) -> None:
    @function_tool
    async def ask_other() -> str:
        result = await Runner.run(Agent(name="other", model=ScriptedModel(["Four."], emit_traces=True)), "?")
        return str(result.final_output)

    play(agent([function_call("ask_other", {}, call_id="c1")], "Four.", tools=[ask_other]))
    assert len(recorder.traces) == 1
    [call] = of_kind(recorder, FunctionSpanData)
    inner, outer = of_kind(recorder, TaskSpanData)
    assert (inner.parent_id, outer.parent_id) == (call.span_id, None)


def test_a_run_leaves_the_current_trace_and_span_as_they_were(recorder: Recorder) -> None:
    async def scenario() -> None:
        await Runner.run(agent("Two."), "How much?")
        with pytest.raises(MaxTurnsExceeded):
            await Runner.run(agent(CALLS), "How much?", max_turns=1)
        assert (get_current_trace(), get_current_span()) == (None, None)

    asyncio.run(scenario())


@pytest.mark.parametrize("streamed", [False, True])
def test_a_failed_model_call_is_an_error_of_its_span_and_of_the_agent(recorder: Recorder, streamed: bool) -> None:
    with pytest.raises(RuntimeError):
        play(agent(RuntimeError("the model is ill")), streamed=streamed)
    error = {"message": "RuntimeError", "data": {"error": "the model is ill"}}
    assert [(label(span), span.error) for span in recorder.spans] == [
        ("generation 1", error),
        ("turn 1", None),
        ("agent", error),
        ("task", None),
    ]
    assert len(recorder.traces) == 1


def test_a_failed_tool_is_an_error_of_its_span(recorder: Recorder) -> None:
    play(agent([function_call("soft", {}, call_id="c1")], "Well."))
    [call] = of_kind(recorder, FunctionSpanData)
    assert call.error == {"message": "ValueError", "data": {"error": "no such file"}}
    assert "no such file" in call.span_data.output


def test_a_tool_that_ends_the_run_is_an_error_of_its_span_and_of_the_agent(recorder: Recorder) -> None:
    with pytest.raises(AgentsException):
        play(agent([function_call("hard", {}, call_id="c1"), function_call("double", {"number": 1}, call_id="c2")]))
    failed = {label(span).partition(" ")[0]: span.error for span in recorder.spans if span.error}
    assert "no such disk" in failed["hard"]["data"]["error"]
    assert "no such disk" in failed["agent"]["data"]["error"]


def test_the_turn_limit_is_an_error_of_the_agent(recorder: Recorder) -> None:
    with pytest.raises(MaxTurnsExceeded):
        play(agent(CALLS), max_turns=1)
    [described] = of_kind(recorder, AgentSpanData)
    assert described.error["message"] == "MaxTurnsExceeded"


def test_a_cancelled_run_ends_its_spans(recorder: Recorder) -> None:
    async def scenario() -> None:
        async def wait(_: Any) -> ModelStep:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

        asked = asyncio.Event()
        result = Runner.run_streamed(agent(wait), "How much?")
        await asked.wait()
        result.cancel()
        await asyncio.wait({result.run_loop_task})

    asyncio.run(scenario())
    assert [label(span) for span in recorder.spans] == ["generation 1", "turn 1", "agent", "task"]
    assert recorder.spans[0].error == {"message": "CancelledError", "data": None}
    assert len(recorder.traces) == 1


def test_a_response_of_the_service_is_a_response_span(recorder: Recorder, service: Service) -> None:
    from agentctl import OpenAIProvider

    provider = OpenAIProvider(base_url=service.base_url, api_key="none")
    play(Agent(name="a"), config=RunConfig(model_provider=provider))
    [span] = of_kind(recorder, ResponseSpanData)
    assert span.span_data.response_id.startswith("resp_")
    assert span.span_data.input == "How much?"
    assert span.span_data.usage["input_tokens"] > 0


def test_the_id_of_a_response_is_held_though_its_data_is_not(recorder: Recorder, service: Service) -> None:
    from agentctl import OpenAIProvider

    provider = OpenAIProvider(base_url=service.base_url, api_key="none")
    play(Agent(name="a"), config=RunConfig(model_provider=provider, trace_include_sensitive_data=False))
    [span] = of_kind(recorder, ResponseSpanData)
    assert span.span_data.response_id.startswith("resp_")
    assert (span.span_data.input, span.span_data.response.output) == (None, None)


def test_a_model_is_told_how_much_it_may_trace(home: object) -> None:
    def told(config: RunConfig) -> ModelTracing:
        asked: list[ModelTracing] = []
        play(agent(lambda request: asked.append(request.tracing) or "Two."), config=config)
        return asked[0]

    with recording():
        assert told(RunConfig()) is ModelTracing.ENABLED
        assert told(RunConfig(trace_include_sensitive_data=False)) is ModelTracing.ENABLED_WITHOUT_DATA
        assert told(RunConfig(tracing_disabled=True)) is ModelTracing.DISABLED
    assert told(RunConfig()) is ModelTracing.DISABLED


def test_a_run_may_have_no_trace(recorder: Recorder) -> None:
    play(agent(CALLS, "Six."), config=RunConfig(tracing_disabled=True))
    assert recorder.heard == []


def test_without_processors_a_run_makes_no_spans(recorder: Recorder) -> None:
    seen: list[Any] = []

    @function_tool
    def look(context: RunContextWrapper[Any]) -> str:
        seen.append((get_current_trace(), get_current_span()))
        return "nothing"

    set_trace_processors([])
    play(agent([function_call("look", {}, call_id="c1")], "Nothing.", tools=[look]))
    assert seen == [(None, None)]


def test_a_run_that_nobody_traces_does_not_import_spans() -> None:
    code = """
import asyncio, sys
from agentctl import Agent, Runner
from agentctl.testing import ScriptedModel
asyncio.run(Runner.run(Agent(name="a", model=ScriptedModel(["Hi."], emit_traces=True)), "Hi"))
print({"agentctl.tracing.spans", "agentctl.tracing.provider", "agentctl.run.spans.recorded"} & set(sys.modules))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "set()\n"
