"""Error handlers: what they are told, what they may return, and how the run goes on to its end."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from agentctl import (
    Agent,
    GuardrailFunctionOutput,
    MaxTurnsExceeded,
    MessageOutputItem,
    ModelBehaviorError,
    ModelRefusalError,
    OutputGuardrail,
    OutputGuardrailTripwireTriggered,
    RunErrorHandlerInput,
    RunErrorHandlerResult,
    RunErrorHandlers,
    RunHooks,
    RunItemStreamEvent,
    Runner,
    ToolCallItem,
    ToolCallOutputItem,
    UserError,
    function_tool,
)
from agentctl.agent.output import AgentOutputSchemaBase
from agentctl.testing import ScriptedModel, function_call
from tests.run.conftest import Run


class Place(BaseModel):
    name: str


@dataclass
class Point:
    x: int


@function_tool
def double(number: int) -> int:
    """Double a number."""
    return number * 2


def endless(**fields: Any) -> Agent[Any]:
    """An agent that needs more than the one turn it gets."""
    steps = [[function_call("double", {"number": n}, call_id=f"c{n}")] for n in (1, 2)]
    return Agent(name="a", model=ScriptedModel(steps), tools=[double], **fields)


def refusing() -> Agent[Any]:
    refusal = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no way"}]}
    return Agent(name="a", model=ScriptedModel([[refusal]]))


def returning(value: Any) -> RunErrorHandlers[Any]:
    return {"max_turns": lambda _: value}


def text_of(item: Any) -> str:
    text: str = item.wire["content"][0]["text"]
    return text


def test_a_handler_of_the_turn_limit_gives_the_final_output(run: Run) -> None:
    asked: list[RunErrorHandlerInput[str]] = []

    async def give_up(error: RunErrorHandlerInput[str]) -> RunErrorHandlerResult:
        asked.append(error)
        return RunErrorHandlerResult(final_output="I gave up.")

    result = run(endless(), "hi", max_turns=1, context="mine", error_handlers={"max_turns": give_up})
    assert result.final_output == "I gave up."
    assert [type(item) for item in result.new_items] == [ToolCallItem, ToolCallOutputItem, MessageOutputItem]
    assert text_of(result.new_items[-1]) == "I gave up."
    assert result.to_input_list()[-1] == result.new_items[-1].wire
    told = asked[0]
    assert isinstance(told.error, MaxTurnsExceeded)
    assert told.context.context == "mine"
    data = told.run_data
    assert data.input == "hi"
    assert [type(item) for item in data.new_items] == [ToolCallItem, ToolCallOutputItem]
    assert [item.get("type") or item["role"] for item in data.history] == [
        "user",
        "function_call",
        "function_call_output",
    ]
    assert data.output == data.history[1:]
    assert (len(data.raw_responses), data.last_agent.name) == (1, "a")


def test_an_output_may_be_kept_out_of_the_history(run: Run) -> None:
    result = run(endless(), max_turns=1, error_handlers=returning(RunErrorHandlerResult("x", include_in_history=False)))
    assert result.final_output == "x"
    assert [type(item) for item in result.new_items] == [ToolCallItem, ToolCallOutputItem]


@pytest.mark.parametrize(
    ("returned", "output", "text"),
    [
        ("plain", "plain", "plain"),
        (3, 3, "3"),
        ({"final_output": "of a dict"}, "of a dict", "of a dict"),
        ({"final_output": "x", "include_in_history": False}, "x", None),
        ({"some": "data"}, {"some": "data"}, "{'some': 'data'}"),
    ],
)
def test_a_handler_may_return_a_result_a_dict_or_just_the_output(
    run: Run, returned: Any, output: Any, text: str | None
) -> None:
    result = run(endless(), max_turns=1, error_handlers=returning(returned))
    assert result.final_output == output
    last = result.new_items[-1]
    assert (text_of(last) if isinstance(last, MessageOutputItem) else None) == text


def test_a_handler_that_returns_none_lets_the_run_fail(run: Run) -> None:
    with pytest.raises(MaxTurnsExceeded) as raised:
        run(endless(), max_turns=1, error_handlers=returning(None))
    assert raised.value.run_data is not None
    assert len(raised.value.run_data.new_items) == 2


def test_what_a_handler_raises_comes_out(run: Run) -> None:
    def fail(_: Any) -> Any:
        raise OSError("no cache")

    with pytest.raises(OSError, match="no cache"):
        run(endless(), max_turns=1, error_handlers={"max_turns": fail})


def test_a_result_with_an_unknown_field_is_an_error(run: Run) -> None:
    with pytest.raises(UserError, match="not other"):
        run(endless(), max_turns=1, error_handlers=returning({"final_output": 1, "other": 2}))


def test_handlers_are_a_dict(run: Run) -> None:
    handlers: Any = 3
    with pytest.raises(UserError, match="error_handlers must be a dict of functions, not int"):
        run(endless(), max_turns=1, error_handlers=handlers)


def test_a_handler_of_refusals_is_told_of_one(run: Run) -> None:
    told: list[Any] = []

    def calm(error: RunErrorHandlerInput[Any]) -> str:
        told.append(error.error)
        return "Sorry."

    result = run(refusing(), error_handlers={"model_refusal": calm})
    assert result.final_output == "Sorry."
    assert isinstance(told[0], ModelRefusalError)
    assert [type(item) for item in result.new_items] == [MessageOutputItem, MessageOutputItem]


def test_a_handler_of_another_kind_of_error_is_not_asked(run: Run) -> None:
    with pytest.raises(ModelRefusalError):
        run(refusing(), error_handlers=returning("x"))


@pytest.mark.parametrize("steps", [["no JSON"], [[]]], ids=["not of the type", "none at all"])
def test_a_handler_of_invalid_final_outputs_is_asked(run: Run, steps: list[Any]) -> None:
    told: list[Any] = []

    def mend(error: RunErrorHandlerInput[Any]) -> Place:
        told.append(error.error)
        return Place(name="Oslo")

    agent: Agent[Any] = Agent(name="a", model=ScriptedModel(steps), output_type=Place)
    result = run(agent, error_handlers={"invalid_final_output": mend})
    assert result.final_output == Place(name="Oslo")
    assert text_of(result.new_items[-1]) == '{"name":"Oslo"}'
    assert isinstance(told[0], ModelBehaviorError)


def test_a_call_of_an_unknown_tool_is_no_invalid_final_output(run: Run) -> None:
    agent: Agent[Any] = Agent(name="a", model=ScriptedModel([[function_call("nope", {}, call_id="c1")]]))
    with pytest.raises(ModelBehaviorError, match="nope"):
        run(agent, error_handlers={"invalid_final_output": lambda _: "x"})


@pytest.mark.parametrize(
    ("output_type", "returned", "output", "text"),
    [
        (Place, Place(name="Oslo"), Place(name="Oslo"), '{"name":"Oslo"}'),
        (Place, {"name": "Oslo"}, Place(name="Oslo"), '{"name":"Oslo"}'),
        (Place, RunErrorHandlerResult({"name": "Oslo"}), Place(name="Oslo"), '{"name":"Oslo"}'),
        (list[int], [1, 2], [1, 2], '{"response":[1,2]}'),
        (Point, Point(1), Point(1), None),
        (str, 3, 3, "3"),
    ],
)
def test_the_final_output_of_a_handler_is_of_the_agents_output_type(
    run: Run, output_type: Any, returned: Any, output: Any, text: str | None
) -> None:
    result = run(endless(output_type=output_type), max_turns=1, error_handlers=returning(returned))
    assert result.final_output == output
    if text is not None:
        assert text_of(result.new_items[-1]) == text


@pytest.mark.parametrize("returned", ["text", {"nom": "Oslo"}, 3])
def test_a_final_output_that_is_not_of_the_output_type_is_an_error(run: Run, returned: Any) -> None:
    with pytest.raises(UserError, match="of an error handler is not valid for the agent's output type Place"):
        run(endless(output_type=Place), max_turns=1, error_handlers=returning(returned))


def test_an_output_schema_of_the_users_own_checks_what_a_handler_gives(run: Run) -> None:
    class Upper(AgentOutputSchemaBase):
        def is_plain_text(self) -> bool:
            return False

        def name(self) -> str:
            return "Upper"

        def json_schema(self) -> dict[str, Any]:
            return {"type": "object"}

        def is_strict_json_schema(self) -> bool:
            return False

        def validate_json(self, json_str: str) -> Any:
            return json_str.upper()

    result = run(endless(output_type=Upper()), max_turns=1, error_handlers=returning({"a": 1}))
    assert result.final_output == '{"A": 1}'


def test_the_end_of_the_agent_and_output_guardrails_follow_a_handler(run: Run) -> None:
    told: list[Any] = []

    class Told(RunHooks[Any]):
        async def on_agent_end(self, context: Any, agent: Any, output: Any) -> None:
            told.append(("end", output))

    def check(_: Any, agent: Any, output: Any) -> GuardrailFunctionOutput:
        told.append(("check", output))
        return GuardrailFunctionOutput(None, tripwire_triggered=True)

    agent = endless(output_guardrails=[OutputGuardrail(check)])
    with pytest.raises(OutputGuardrailTripwireTriggered):
        run(agent, max_turns=1, hooks=Told(), error_handlers=returning("x"))
    assert told == [("end", "x"), ("check", "x")]


def test_the_message_of_a_handler_is_an_event() -> None:
    async def scenario() -> list[str]:
        result = Runner.run_streamed(endless(), "hi", max_turns=1, error_handlers=returning("x"))
        return [event.name async for event in result.stream_events() if isinstance(event, RunItemStreamEvent)]

    assert asyncio.run(scenario()) == ["tool_called", "tool_output", "message_output_created"]


def test_the_message_of_a_handler_is_input_for_a_next_run(run: Run) -> None:
    result = run(endless(), "hi", max_turns=1, error_handlers=returning("I gave up."))
    model = ScriptedModel(["fine"])
    run(Agent(name="b", model=model), result.to_input_list())
    assert model.last_call is not None
    sent: Any = model.last_call.input[-1]
    assert sent["content"] == [{"type": "output_text", "text": "I gave up.", "annotations": []}]
    typed: Any = result.new_items[-1].raw_item
    assert typed.content[0].text == "I gave up."


@pytest.mark.parametrize("limit", [0, -1])
def test_a_run_of_no_turns_ends_with_its_handler_or_the_error(run: Run, limit: int) -> None:
    model = ScriptedModel(["never asked for"])
    agent = Agent(name="a", model=model)
    assert run(agent, max_turns=limit, error_handlers={"max_turns": lambda data: "handled"}).final_output == "handled"
    with pytest.raises(MaxTurnsExceeded):
        run(agent, max_turns=limit)
    assert model.calls == ()
