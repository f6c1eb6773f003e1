"""The scripted model: what its steps may be, and what it says when script and run do not fit."""

import asyncio
from typing import Any

import pytest

from agentctl import Agent, Runner, Usage
from agentctl.testing import (
    InvalidModelStep,
    ModelCall,
    ModelStep,
    ScriptedModel,
    UnconsumedModelSteps,
    UnexpectedModelCall,
    assistant_message,
)


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


def test_a_call_too_many_says_so() -> None:
    with pytest.raises(UnexpectedModelCall, match="call 1 of the model"):
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
