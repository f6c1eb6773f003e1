"""The rules of the loop, each for a streamed and a not streamed run."""

import asyncio
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from agentctl import (
    Agent,
    MaxTurnsExceeded,
    MessageOutputItem,
    ModelBehaviorError,
    ModelRefusalError,
    ModelSettings,
    RunConfig,
    RunContextWrapper,
    Runner,
    ServiceUnavailableError,
    SQLiteSession,
    ToolCallItem,
    ToolCallOutputItem,
    UnrecognizedItem,
    Usage,
    UserError,
    function_tool,
)
from agentctl.run.result import RunResultBase
from agentctl.testing import ModelStep, ScriptedModel, assistant_message, function_call

Run = Callable[..., RunResultBase]


def run_whole(agent: Agent[Any], input: Any = "hi", **options: Any) -> RunResultBase:
    return asyncio.run(Runner.run(agent, input, **options))


def run_streamed(agent: Agent[Any], input: Any = "hi", **options: Any) -> RunResultBase:
    async def scenario() -> RunResultBase:
        result = Runner.run_streamed(agent, input, **options)
        async for _ in result.stream_events():
            pass
        assert result.is_complete
        return result

    return asyncio.run(scenario())


@pytest.fixture(params=[run_whole, run_streamed])
def run(request: pytest.FixtureRequest) -> Run:
    way: Run = request.param
    return way


@function_tool
def double(number: int) -> int:
    """Double a number."""
    return number * 2


def call(name: str, arguments: Any, call_id: str = "c1") -> list[dict[str, Any]]:
    return [function_call(name, arguments, call_id=call_id)]


def test_a_text_is_the_final_output(run: Run) -> None:
    model = ScriptedModel(["Hello there"])
    result = run(Agent(name="a", instructions="Be kind.", model=model))
    assert result.final_output == "Hello there"
    assert [type(item) for item in result.new_items] == [MessageOutputItem]
    assert model.last_call is not None
    assert model.last_call.system_instructions == "Be kind."
    assert model.last_call.input == "hi"
    assert result.last_response_id == "resp_scripted_1"


def test_instructions_may_be_a_function_that_is_asked_at_every_turn(run: Run) -> None:
    turns: list[int] = []

    async def instructions(context: RunContextWrapper[str], agent: Agent[str]) -> str:
        turns.append(len(turns))
        return f"{context.context} {agent.name} {len(turns)}"

    model = ScriptedModel([call("double", {"number": 2}), "4"])
    run(Agent(name="a", instructions=instructions, model=model, tools=[double]), context="ctx")
    assert [c.system_instructions for c in model.calls] == ["ctx a 1", "ctx a 2"]


def test_a_tool_runs_and_the_model_reads_its_output(run: Run) -> None:
    model = ScriptedModel([call("double", {"number": 21}), "It is 42."])
    result = run(Agent(name="a", model=model, tools=[double]))
    assert result.final_output == "It is 42."
    assert [type(item) for item in result.new_items] == [ToolCallItem, ToolCallOutputItem, MessageOutputItem]
    assert model.last_call is not None
    assert model.last_call.input[1:] == [
        function_call("double", {"number": 21}, call_id="c1"),
        {"type": "function_call_output", "call_id": "c1", "output": "42"},
    ]
    output = result.new_items[1]
    assert isinstance(output, ToolCallOutputItem)
    assert output.output == 42


def test_tool_calls_of_one_response_run_together_and_answer_in_call_order(run: Run) -> None:
    first_may_end = asyncio.Event()

    @function_tool
    async def slow() -> str:
        await first_may_end.wait()
        return "slow"

    @function_tool
    async def quick() -> str:
        first_may_end.set()
        return "quick"

    calls = [function_call("slow", {}, call_id="c1"), function_call("quick", {}, call_id="c2")]
    result = run(Agent(name="a", model=ScriptedModel([calls, "done"]), tools=[slow, quick]))
    outputs = [item.output for item in result.new_items if isinstance(item, ToolCallOutputItem)]
    assert outputs == ["slow", "quick"]


def test_a_tool_that_is_not_async_does_not_hold_up_the_event_loop(run: Run) -> None:
    import threading

    met = threading.Barrier(2, timeout=10)

    @function_tool
    def meet(number: int) -> str:
        met.wait()
        return "met"

    calls = [function_call("meet", {"number": n}, call_id=f"c{n}") for n in (1, 2)]
    result = run(Agent(name="a", model=ScriptedModel([calls, "done"]), tools=[meet]))
    assert result.final_output == "done"


def test_what_a_tool_raises_is_told_to_the_model(run: Run) -> None:
    @function_tool
    def fail() -> str:
        raise OSError("no such room")

    model = ScriptedModel([call("fail", {}), "sorry"])
    run(Agent(name="a", model=model, tools=[fail]))
    assert model.last_call is not None
    assert model.last_call.input[-1]["output"] == "Error: OSError: no such room"


def test_arguments_that_are_not_json_or_do_not_fit_are_told_to_the_model(run: Run) -> None:
    model = ScriptedModel([call("double", '{"number": '), call("double", {"number": "x"}, "c2"), "sorry"])
    run(Agent(name="a", model=model, tools=[double]))
    outputs = [item["output"] for item in model.calls[-1].input if item.get("type") == "function_call_output"]
    assert "Invalid JSON input for tool 'double'" in outputs[0]
    assert "number: " in outputs[1]


def test_a_tool_may_end_the_run_by_raising(run: Run) -> None:
    @function_tool(failure_error_function=None)
    def fail() -> str:
        raise OSError("no such room")

    with pytest.raises(UserError, match="tool 'fail' failed: OSError: no such room") as caught:
        run(Agent(name="a", model=ScriptedModel([call("fail", {})]), tools=[fail]))
    assert isinstance(caught.value.__cause__, OSError)


def test_a_tool_that_raises_cancels_those_beside_it(run: Run) -> None:
    cancelled: list[str] = []

    @function_tool(failure_error_function=None)
    async def fail() -> str:
        raise ServiceUnavailableError("gone")

    @function_tool
    async def wait() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append("wait")
            raise
        return ""

    calls = [function_call("wait", {}, call_id="c1"), function_call("fail", {}, call_id="c2")]
    with pytest.raises(ServiceUnavailableError, match="gone"):
        run(Agent(name="a", model=ScriptedModel([calls]), tools=[fail, wait]))
    assert cancelled == ["wait"]


def test_a_call_of_a_tool_that_is_not_there_ends_the_run(run: Run) -> None:
    with pytest.raises(ModelBehaviorError, match=r"Tool tripel not found.*it has: double"):
        run(Agent(name="a", model=ScriptedModel([call("tripel", {})]), tools=[double]))
    many = [dataclasses.replace(double, name=f"double{number:02}") for number in range(25)]
    with pytest.raises(ModelBehaviorError, match=r"double18, double19 and 5 more\)"):
        run(Agent(name="a", model=ScriptedModel([call("tripel", {})]), tools=many))


def test_one_turn_more_than_allowed_ends_the_run_with_what_there_is(run: Run) -> None:
    model = ScriptedModel([call("double", {"number": n}, f"c{n}") for n in range(3)])
    with pytest.raises(MaxTurnsExceeded, match="more than 2 turns") as caught:
        run(Agent(name="a", model=model, tools=[double]), max_turns=2)
    assert caught.value.run_data is not None
    assert len(caught.value.run_data.new_items) == 4
    assert len(model.calls) == 2


def test_no_limit_of_turns_is_none(run: Run) -> None:
    model = ScriptedModel([*(call("double", {"number": n}, f"c{n}") for n in range(12)), "end"])
    assert run(Agent(name="a", model=model, tools=[double]), max_turns=None).final_output == "end"


def test_usage_is_summed_over_the_calls(run: Run) -> None:
    usage = Usage(requests=1, input_tokens=5, output_tokens=2, total_tokens=7)
    model = ScriptedModel([call("double", {"number": 1}), "2"], default_usage=usage)
    total = run(Agent(name="a", model=model, tools=[double])).context_wrapper.usage
    assert (total.requests, total.input_tokens, total.output_tokens, total.total_tokens) == (2, 10, 4, 14)
    assert [entry.total_tokens for entry in total.request_usage_entries] == [7, 7]


class Weather(BaseModel):
    city: str
    degrees: int


@dataclass
class Point:
    x: int


@pytest.mark.parametrize(
    ("output_type", "text", "value"),
    [
        (Weather, '{"city": "Oslo", "degrees": 3}', Weather(city="Oslo", degrees=3)),
        (Point, '{"response": {"x": 1}}', Point(1)),
        (list[int], '{"response": [1, 2]}', [1, 2]),
        (int, '{"response": 7}', 7),
    ],
)
def test_output_of_a_type_is_a_value_of_it(run: Run, output_type: Any, text: str, value: object) -> None:
    result = run(Agent(name="a", model=ScriptedModel([text]), output_type=output_type))
    assert result.final_output == value


def test_output_that_does_not_fit_its_type_ends_the_run(run: Run) -> None:
    with pytest.raises(ModelBehaviorError, match="degrees"):
        run(Agent(name="a", model=ScriptedModel(['{"city": "Oslo"}']), output_type=Weather))


def test_output_of_a_type_that_was_cut_says_so(run: Run) -> None:
    step = ModelStep(output='{"city": "Os', incomplete="max_output_tokens")
    with pytest.raises(ModelBehaviorError, match="cut before its end"):
        run(Agent(name="a", model=ScriptedModel([step]), output_type=Weather))


def test_a_text_that_was_cut_is_the_output_all_the_same(run: Run) -> None:
    step = ModelStep(output="Half an ans", incomplete="max_output_tokens")
    assert run(Agent(name="a", model=ScriptedModel([step]))).final_output == "Half an ans"


def test_an_answer_cut_before_its_first_word_is_none(run: Run) -> None:
    step = ModelStep(output=[], incomplete="max_output_tokens")
    with pytest.raises(ModelBehaviorError, match="before its first word"):
        run(Agent(name="a", model=ScriptedModel([step])))


def test_a_refusal_ends_the_run(run: Run) -> None:
    item = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "I may not."}]}
    with pytest.raises(ModelRefusalError, match="I may not") as caught:
        run(Agent(name="a", model=ScriptedModel([[item]])))
    assert caught.value.refusal == "I may not."


def test_an_item_of_unknown_type_stays_in_the_history(run: Run) -> None:
    item = {"type": "hologram", "id": "h1", "data": [1, {"deep": True}]}
    result = run(Agent(name="a", model=ScriptedModel([[item, assistant_message("ok")]])))
    assert isinstance(result.new_items[0], UnrecognizedItem)
    assert result.to_input_list()[1] == item


def test_the_result_is_the_input_of_a_next_run(run: Run) -> None:
    model = ScriptedModel([call("double", {"number": 4}), "8", "16"])
    agent = Agent(name="a", model=model, tools=[double])
    first = run(agent)
    run(agent, [*first.to_input_list(), {"role": "user", "content": "again"}])
    assert model.last_call is not None
    assert model.last_call.input == [*first.to_input_list(), {"role": "user", "content": "again"}]


def test_the_model_of_the_run_goes_before_that_of_the_agent(run: Run) -> None:
    mine, theirs = ScriptedModel(["mine"]), ScriptedModel([])
    result = run(Agent(name="a", model=theirs), run_config=RunConfig(model=mine))
    assert result.final_output == "mine"
    assert theirs.calls == ()


def test_settings_of_the_run_go_over_those_of_the_agent(run: Run) -> None:
    model = ScriptedModel(["ok"])
    agent = Agent(name="a", model=model, model_settings=ModelSettings(temperature=0.1, max_tokens=9))
    run(agent, run_config=RunConfig(model_settings=ModelSettings(temperature=0.9)))
    assert model.last_call is not None
    assert model.last_call.model_settings == ModelSettings(temperature=0.9, max_tokens=9)


def test_a_forced_tool_choice_is_lifted_once_a_tool_was_used(run: Run) -> None:
    model = ScriptedModel([call("double", {"number": 1}), "2"])
    settings = ModelSettings(tool_choice="required")
    run(Agent(name="a", model=model, tools=[double], model_settings=settings))
    assert [c.model_settings.tool_choice for c in model.calls] == ["required", None]


def test_an_error_of_the_model_carries_what_was_produced(run: Run) -> None:
    model = ScriptedModel([call("double", {"number": 1}), ServiceUnavailableError("overloaded", status=503)])
    with pytest.raises(ServiceUnavailableError, match="overloaded") as caught:
        run(Agent(name="a", model=model, tools=[double]))
    assert caught.value.run_data is not None
    assert [type(item) for item in caught.value.run_data.new_items] == [ToolCallItem, ToolCallOutputItem]


def test_the_context_reaches_the_tools_and_not_the_model(run: Run) -> None:
    seen: list[object] = []

    @function_tool
    def look(context: RunContextWrapper[dict[str, int]], key: str) -> int:
        seen.append(context.usage.requests)
        return context.context[key]

    model = ScriptedModel([call("look", {"key": "a"}), "1"], default_usage=Usage(requests=1))
    run(Agent(name="a", model=model, tools=[look]), context={"a": 1})
    assert seen == [1]
    assert list(look.params_json_schema["properties"]) == ["key"]


@pytest.mark.parametrize(
    ("agent", "options", "message"),
    [
        ("no agent", {}, "must be an Agent, not str"),
        (Agent(name="a"), {"max_turns": "3"}, "whole number, or None for no limit, not '3'"),
        (Agent(name="a"), {"run_config": {"modle": "x"}}, "Unknown run_config settings: modle"),
        (Agent(name="a"), {"run_config": "gpt-5"}, "a RunConfig or a dict, not str"),
        (Agent(name="a"), {"input": ["hi"]}, r"input\[0\] of the run must be a dict, not str"),
        (Agent(name="a", instructions=lambda context, agent: 3), {}, "'a' must return a string, not int"),
    ],
)
def test_a_run_that_cannot_be_is_refused(run: Run, agent: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises((UserError, TypeError), match=message):
        run(agent, **options)


def test_the_input_may_have_items_that_a_result_gave(run: Run) -> None:
    said = run(Agent(name="a", model=ScriptedModel(["1"]))).new_items[0]
    question = {"role": "user", "content": "and?"}
    for options in ({}, {"session": SQLiteSession("s")}):
        model = ScriptedModel(["2"])
        result = run(Agent(name="a", model=model), [question, said.raw_item], **options)
        assert model.calls[0].input == result.input == [question, said.to_input_item()]
    with pytest.raises(UserError, match="its to_input_item"):
        run(Agent(name="a", model=ScriptedModel([])), [question, said])


def test_run_sync_refuses_to_block_an_event_loop() -> None:
    async def scenario() -> None:
        Runner.run_sync(Agent(name="a", model=ScriptedModel(["x"])), "hi")

    with pytest.raises(RuntimeError, match=r"await Runner.run"):
        asyncio.run(scenario())
    assert Runner.run_sync(Agent(name="a", model=ScriptedModel(["x"])), "hi").final_output == "x"


def test_a_service_that_keeps_the_history_is_sent_what_is_new(run: Run) -> None:
    model = ScriptedModel([call("double", {"number": 2}), "4"])
    result = run(Agent(name="a", model=model, tools=[double]), previous_response_id="resp_0")
    output = {"type": "function_call_output", "call_id": "c1", "output": "4"}
    assert [c.previous_response_id for c in model.calls] == ["resp_0", "resp_scripted_1"]
    assert [c.input for c in model.calls] == ["hi", [output]]
    assert len(result.to_input_list()) == 4


def test_auto_previous_response_id_begins_with_the_whole_input(run: Run) -> None:
    model = ScriptedModel([call("double", {"number": 2}), call("double", {"number": 4}, "c2"), "8"])
    run(Agent(name="a", model=model, tools=[double]), auto_previous_response_id=True)
    assert [c.previous_response_id for c in model.calls] == [None, "resp_scripted_1", "resp_scripted_2"]
    assert [len(c.input) if isinstance(c.input, list) else c.input for c in model.calls] == ["hi", 1, 1]


def test_a_conversation_keeps_its_id(run: Run) -> None:
    model = ScriptedModel([call("double", {"number": 2}), "4"])
    run(Agent(name="a", model=model, tools=[double]), conversation_id="conv_1")
    assert [(c.conversation_id, c.previous_response_id) for c in model.calls] == [("conv_1", None)] * 2
    assert len(model.calls[1].input) == 1


def test_a_conversation_and_a_previous_response_exclude_each_other(run: Run) -> None:
    with pytest.raises(UserError, match="not both"):
        run(Agent(name="a", model=ScriptedModel([])), conversation_id="c", previous_response_id="r")
