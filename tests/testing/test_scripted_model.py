"""The scripted model: what its steps may be, and what it says when script and run do not fit."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import fields
from typing import Any

import pytest

from agentctl import Agent, ModelResponse, ModelRetryAdvice, ModelRetryAdviceRequest, Runner, Usage, function_tool
from agentctl.errors import ServiceError
from agentctl.testing import (
    InvalidModelStep,
    ModelCall,
    ModelStep,
    ScriptedModel,
    UnconsumedModelSteps,
    UnexpectedModelCall,
    assistant_message,
    function_call,
)
from agentctl.testing.wire_output import response_events


def run(model: ScriptedModel) -> Any:
    return asyncio.run(Runner.run(Agent(name="a", model=model), "hi"))


@pytest.mark.parametrize(
    "step",
    [
        "hello",
        [assistant_message("hello")],
        ModelStep(output="hello"),
        lambda call: "hello",
        lambda call: ModelStep(output=[assistant_message("hello")]),
        {"output": [assistant_message("hello")]},
        (assistant_message("hello"),),
        ModelStep([assistant_message("hello")]),
        ModelResponse(output=[assistant_message("hello")], usage=Usage(), response_id=None),
        lambda call: ModelResponse(output=[assistant_message("hello")], usage=Usage(), response_id=None),
    ],
)
def test_a_step_may_be_said_in_many_ways(step: Any) -> None:
    assert run(ScriptedModel([step])).final_output == "hello"


def test_a_responder_sees_the_call_and_may_be_async() -> None:
    async def respond(call: ModelCall) -> str:
        return f"you said {call.input}"

    assert run(ScriptedModel([respond])).final_output == "you said hi"


def test_an_error_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        run(ScriptedModel([ZeroDivisionError()]))


def test_usage_and_response_id_are_those_of_the_step() -> None:
    step = ModelStep(output="x", usage=Usage(requests=1, input_tokens=3, total_tokens=3), response_id="resp_7")
    result = run(ScriptedModel([step]))
    assert result.last_response_id == "resp_7"
    assert result.context_wrapper.usage.input_tokens == 3


def test_a_call_has_what_a_model_is_given_and_nothing_of_the_engine() -> None:
    model = ScriptedModel(["ok"])
    Runner.run_sync(Agent(name="a", instructions="Be brief.", model=model), "hi")
    (call,) = model.calls
    assert type(call) is ModelCall
    assert (call.system_instructions, call.input, call.streamed) == ("Be brief.", "hi", False)
    assert {field.name for field in fields(call)}.isdisjoint({"may_retry", "history"})


def test_a_call_too_many_says_so() -> None:
    with pytest.raises(UnexpectedModelCall, match="no step for model call 1"):
        run(ScriptedModel())


def test_steps_that_are_left_say_so() -> None:
    model = ScriptedModel(["a"])
    model.enqueue("b")
    model.extend(["c"])
    run(model)
    assert model.remaining_steps == 2
    with pytest.raises(UnconsumedModelSteps, match="2 steps"):
        model.assert_complete()


def test_a_step_of_no_kind_says_so() -> None:
    with pytest.raises(InvalidModelStep, match="not 7"):
        ScriptedModel([7])  # type: ignore[list-item]


def test_a_step_as_a_dict_with_a_field_that_is_not_there_says_so() -> None:
    with pytest.raises(InvalidModelStep, match="no field 'outputs'"):
        ScriptedModel([{"outputs": []}])  # type: ignore[list-item]


def test_advice_without_an_error_says_so() -> None:
    with pytest.raises(InvalidModelStep, match="retry_advice needs an error"):
        ScriptedModel([ModelStep(output="x", retry_advice=ModelRetryAdvice(suggested=True))])


def test_advice_is_given_for_the_error_of_its_step() -> None:
    error, advice = ValueError("x"), ModelRetryAdvice(suggested=True)
    model = ScriptedModel([ModelStep(error=error, retry_advice=advice)])
    with pytest.raises(ValueError, match="x"):
        run(model)
    assert model.get_retry_advice(ModelRetryAdviceRequest(error=error, attempt=1, stream=False)) is advice
    assert model.get_retry_advice(ModelRetryAdviceRequest(error=ValueError(), attempt=1, stream=False)) is None


def test_request_id_and_raw_usage_are_those_of_the_step() -> None:
    step = ModelStep(output="x", usage=Usage(input_tokens=3), request_id="req_7", raw_usage={"cost": 2})
    response = run(ScriptedModel([step])).raw_responses[0]
    assert (response.request_id, response.usage.input_tokens) == ("req_7", 3)
    assert response.raw_usage["cost"] == 2


def test_events_may_come_from_a_function_of_the_call_and_an_error_after_them() -> None:
    async def stream(call: ModelCall) -> AsyncIterator[Any]:
        for event in response_events([assistant_message(f"you said {call.input}")], response_id="r", usage={}):
            yield event

    assert run(ScriptedModel([ModelStep(stream_events=stream)])).final_output == "you said hi"
    with pytest.raises(ValueError, match="cut"):
        run(ScriptedModel([ModelStep(stream_events=stream, error=ValueError("cut"))]))


def test_the_output_that_the_last_event_leaves_out_is_that_of_the_finished_items() -> None:
    *events, last = response_events(
        [function_call("one", {}, call_id="c1"), function_call("two", {}, call_id="c2")], response_id="r", usage={}
    )
    last = {**last, "response": {**last["response"], "output": []}}

    async def stream(call: ModelCall) -> AsyncIterator[Any]:
        for event in (*events, last):
            yield event

    for given in (stream, [*events, last]):
        model = ScriptedModel([ModelStep.stream(given), "done"])
        tools: list[Any] = [function_tool(lambda: "", name_override=name) for name in ("one", "two")]
        result = asyncio.run(Runner.run(Agent(name="a", model=model, tools=tools), "hi"))
        assert [item["call_id"] for item in result.raw_responses[0].wire_output] == ["c1", "c2"]
        assert result.final_output == "done"


def test_a_failure_among_the_events_is_raised() -> None:
    failed = {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "broken"}}}
    with pytest.raises(ServiceError, match="broken"):
        run(ScriptedModel([ModelStep.stream([failed])]))


def test_a_call_says_whether_it_was_streamed() -> None:
    async def scenario() -> list[bool]:
        model = ScriptedModel(["a", "b"])
        agent: Agent[Any] = Agent(name="a", model=model)
        await Runner.run(agent, "hi")
        async for _ in Runner.run_streamed(agent, "hi").stream_events():
            pass
        return [call.streamed for call in model.calls]

    assert asyncio.run(scenario()) == [False, True]


def test_a_call_of_a_tool_may_be_in_a_namespace() -> None:
    assert function_call("look", {}, call_id="c1", namespace="eyes")["namespace"] == "eyes"
    assert "namespace" not in function_call("look", {}, call_id="c1")
