"""The budget of a run: no call once it is reached, every output within what is left, runs within runs included."""

import asyncio
from typing import Any

import pytest

from agentctl import Agent, ModelSettings, RunConfig, Runner, function_tool
from agentctl.agent.events import ModelRequested, RunFinished
from agentctl.agent.usage import Usage
from agentctl.errors import BudgetExceeded
from agentctl.run.result import RunResult
from agentctl.testing import ModelStep, ScriptedModel, function_call

SPENT = Usage(requests=1, input_tokens=30, output_tokens=10, total_tokens=40)


@function_tool
def look() -> str:
    return "seen"


def looking(*, usage: Usage = SPENT) -> ModelStep:
    return ModelStep(output=[function_call("look", {}, call_id="c")], usage=usage)


def answer(text: str = "done", *, usage: Usage = SPENT, incomplete: str | None = None) -> ModelStep:
    return ModelStep(output=text, usage=usage, incomplete=incomplete)


def run(agent: Agent[Any], limit: int | None, *, streamed: bool = False) -> RunResult:
    """Run an agent within a budget, read along or not."""

    async def scenario() -> Any:
        config = RunConfig(max_tokens_total=limit)
        if not streamed:
            return await Runner.run(agent, "hi", run_config=config)
        result = Runner.run_streamed(agent, "hi", run_config=config)
        async for _ in result.stream_events():
            pass
        return result

    result: RunResult = asyncio.run(scenario())
    return result


def limits(model: ScriptedModel) -> list[int | None]:
    return [call.model_settings.max_tokens for call in model.calls]


@pytest.mark.parametrize("streamed", [False, True])
def test_each_output_is_limited_to_what_is_left(streamed: bool) -> None:
    model = ScriptedModel([looking(), answer()])
    result = run(Agent(name="a", model=model, tools=[look]), 100, streamed=streamed)
    assert result.final_output == "done"
    assert limits(model) == [100, 60]


@pytest.mark.parametrize("streamed", [False, True])
def test_no_call_begins_once_the_budget_is_reached(streamed: bool) -> None:
    model = ScriptedModel([looking(), looking(), answer()])
    with pytest.raises(BudgetExceeded, match="has used 80 tokens of its budget of 80") as raised:
        run(Agent(name="a", model=model, tools=[look]), 80, streamed=streamed)
    assert len(model.calls) == 2
    assert raised.value.run_data is not None
    assert [item.type for item in raised.value.run_data.new_items] == ["tool_call_item", "tool_call_output_item"] * 2


def test_with_fewer_left_than_the_service_takes_no_call_begins() -> None:
    model = ScriptedModel([looking(), answer()])
    with pytest.raises(BudgetExceeded, match="40 tokens of its budget of 50"):
        run(Agent(name="a", model=model, tools=[look]), 50)
    assert len(model.calls) == 1


def test_a_budget_below_what_the_service_takes_lets_no_call_begin() -> None:
    model = ScriptedModel([answer()])
    with pytest.raises(BudgetExceeded, match="0 tokens of its budget of 15"):
        run(Agent(name="a", model=model), 15)
    assert not model.calls


def test_a_call_that_is_not_made_is_not_announced() -> None:
    agent = Agent(name="a", model=ScriptedModel([looking(), answer()]), tools=[look])

    async def scenario() -> list[Any]:
        result = Runner.run_streamed(agent, "hi", run_config=RunConfig(max_tokens_total=40))
        return [event async for event in result.run_events()]

    events = asyncio.run(scenario())
    assert sum(isinstance(event, ModelRequested) for event in events) == 1
    assert isinstance(events[-1], RunFinished)
    assert isinstance(events[-1].error, BudgetExceeded)


def test_a_final_output_that_goes_beyond_by_its_input_counts() -> None:
    model = ScriptedModel([answer(usage=Usage(requests=1, input_tokens=500, output_tokens=9, total_tokens=509))])
    assert run(Agent(name="a", model=model), 100).final_output == "done"


def test_an_answer_that_the_budget_cut_is_none() -> None:
    model = ScriptedModel([answer("The riv", incomplete="max_output_tokens")])
    with pytest.raises(BudgetExceeded) as raised:
        run(Agent(name="a", model=model), 100)
    assert raised.value.run_data is not None
    assert len(raised.value.run_data.raw_responses) == 1
    assert raised.value.run_data.context_wrapper.usage.total_tokens == 40


def test_an_answer_that_the_users_own_limit_cut_is_one() -> None:
    model = ScriptedModel([answer("The riv", incomplete="max_output_tokens")])
    agent = Agent(name="a", model=model, model_settings=ModelSettings(max_tokens=20))
    assert run(agent, 100).final_output == "The riv"
    assert limits(model) == [20]


def test_limits_of_other_names_do_not_go_beyond_the_budget() -> None:
    model = ScriptedModel([answer()])
    settings = ModelSettings(extra_args={"max_completion_tokens": 70, "seed": 1}, extra_body={"max_tokens": 9000})
    run(Agent(name="a", model=model, model_settings=settings), 100)
    (call,) = model.calls
    assert call.model_settings.max_tokens == 70
    assert call.model_settings.extra_args == {"seed": 1}
    assert call.model_settings.extra_body == {}


def test_the_usage_is_always_asked_for() -> None:
    model = ScriptedModel([answer()])
    run(Agent(name="a", model=model, model_settings=ModelSettings(include_usage=False)), 100)
    assert model.calls[0].model_settings.include_usage is True


def test_where_usage_is_not_told_no_second_call_begins() -> None:
    model = ScriptedModel([looking(usage=Usage()), answer()])
    with pytest.raises(BudgetExceeded, match="reported no token usage"):
        run(Agent(name="a", model=model, tools=[look]), 1000)


def test_an_agent_that_is_a_tool_spends_from_the_same_budget() -> None:
    inner_model = ScriptedModel([looking(), answer("inner")])
    inner = Agent(name="inner", model=inner_model, tools=[look])
    model = ScriptedModel(
        [ModelStep(output=[function_call("ask", {"input": "x"}, call_id="c")], usage=SPENT), answer()]
    )
    outer = Agent(name="outer", model=model, tools=[inner.as_tool("ask", "Asks.")])
    result = run(outer, 200)
    assert (limits(model), limits(inner_model)) == ([200, 80], [160, 120])
    assert result.context_wrapper.usage.total_tokens == 160


def test_agents_that_run_side_by_side_wait_for_each_other() -> None:
    seen: list[str] = []

    async def slow(call: Any) -> ModelStep:
        seen.append("begin")
        await asyncio.sleep(0.01)
        seen.append("end")
        return answer("inner")

    model = ScriptedModel([ModelStep(responder=slow), ModelStep(responder=slow)])
    inner = Agent(name="inner", model=model)
    asks = [function_call("ask", {"input": "x"}, call_id=name) for name in ("c1", "c2")]
    outer = Agent(
        name="outer",
        model=ScriptedModel([ModelStep(output=asks, usage=SPENT), answer()]),
        tools=[inner.as_tool("ask", "Asks.")],
    )
    run(outer, 200)
    assert seen == ["begin", "end"] * 2
    assert limits(model) == [160, 120]


def test_it_counts_on_over_an_interruption() -> None:
    @function_tool(needs_approval=True)
    def ask() -> str:
        return "asked"

    model = ScriptedModel([ModelStep(output=[function_call("ask", {}, call_id="c")], usage=SPENT), looking(), answer()])
    agent = Agent(name="a", model=model, tools=[ask, look])

    async def scenario() -> None:
        config = RunConfig(max_tokens_total=80)
        state = (await Runner.run(agent, "hi", run_config=config)).to_state()
        state.approve(state.get_interruptions()[0])
        await Runner.run(agent, state, run_config=config)

    with pytest.raises(BudgetExceeded, match="80 tokens of its budget of 80"):
        asyncio.run(scenario())
    assert limits(model) == [80, 40]


@pytest.mark.parametrize("limit", [0, -1, True, 1.5])
def test_what_is_no_budget_is_refused(limit: Any) -> None:
    with pytest.raises(ValueError, match="max_tokens_total"):
        RunConfig(max_tokens_total=limit)
