"""The filter of model calls: what it is handed, what it may give, and that the run itself stays as it is."""

from collections.abc import Callable
from typing import Any

import pytest

from agentctl import Agent, CallModelData, ModelInputData, RunConfig, RunHooks, UserError, function_tool
from agentctl.agent.wire import WireItem
from agentctl.testing import ScriptedModel, function_call
from tests.run.conftest import Run

HI = {"role": "user", "content": "hi"}


@function_tool
def double(number: int) -> int:
    """Double a number."""
    return number * 2


def counting(model: ScriptedModel | None = None) -> tuple[Agent[Any], ScriptedModel]:
    """Return an agent whose model calls a tool twice, and the model."""
    calls = [[function_call("double", {"number": n}, call_id=f"c{n}")] for n in (1, 2)]
    model = model or ScriptedModel([*calls, "ok"])
    return Agent(name="a", instructions="Count.", model=model, tools=[double]), model


def contents(model: ScriptedModel) -> list[list[Any]]:
    """Return what each call was made with, an item as what is telling of it."""
    return [
        [item.get("content") or item.get("output") or item.get("name") for item in call.input]
        for call in model.calls
        if isinstance(call.input, list)
    ]


def filtering(change: Any) -> RunConfig:
    return RunConfig(call_model_input_filter=change)


def test_the_filter_is_handed_input_instructions_agent_and_context(run: Run) -> None:
    seen: list[CallModelData[Any]] = []

    def look(data: CallModelData[Any]) -> ModelInputData:
        seen.append(data)
        return data.model_data

    agent, _ = counting()
    run(agent, run_config=filtering(look), context={"user": 7})
    assert [len(data.model_data.input) for data in seen] == [1, 3, 5]
    assert seen[0].model_data == ModelInputData(input=[HI], instructions="Count.")
    assert seen[0].agent is agent
    assert seen[0].context == {"user": 7}


def test_what_it_gives_is_what_the_model_gets_and_no_more(run: Run) -> None:
    async def only_the_newest(data: CallModelData[Any]) -> ModelInputData:
        return ModelInputData(input=data.model_data.input[-1:], instructions="Short.")

    agent, model = counting()
    result = run(agent, run_config=filtering(only_the_newest))
    assert contents(model) == [["hi"], ["2"], ["4"]]
    assert {call.system_instructions for call in model.calls} == {"Short."}
    assert [item.get("type") for item in result.to_input_list()] == [
        None, "function_call", "function_call_output", "function_call", "function_call_output", "message",
    ]  # fmt: skip
    assert len(result.new_items) == 5


def test_changing_the_items_themselves_leaves_the_run_as_it_is(run: Run) -> None:
    def shout(data: CallModelData[Any]) -> ModelInputData:
        data.model_data.input[0]["content"] = "HI"
        data.model_data.input.append({"role": "user", "content": "now"})
        return data.model_data

    agent, model = counting()
    result = run(agent, run_config=filtering(shout))
    assert contents(model)[1] == ["HI", "double", "2", "now"]
    assert result.to_input_list()[0] == HI


def test_a_text_as_input_is_a_message(run: Run) -> None:
    model = ScriptedModel(["ok"])
    run(
        Agent(name="a", model=model),
        run_config=filtering(lambda data: ModelInputData(input="bye", instructions=None)),  # type: ignore[arg-type]
    )
    assert contents(model) == [["bye"]]


@pytest.mark.parametrize("given", [None, [], {"input": []}])
def test_what_is_no_input_says_so(run: Run, given: Any) -> None:
    with pytest.raises(UserError, match=f"must return a ModelInputData, not {type(given).__name__}"):
        run(Agent(name="a", model=ScriptedModel(["ok"])), run_config=filtering(lambda data: given))


def test_what_is_no_filter_says_so(run: Run) -> None:
    with pytest.raises(UserError, match="call_model_input_filter must be a function, not str"):
        run(Agent(name="a", model=ScriptedModel(["ok"])), run_config=filtering("short"))


def test_what_it_raises_comes_out(run: Run) -> None:
    def broken(data: CallModelData[Any]) -> ModelInputData:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(Agent(name="a", model=ScriptedModel(["ok"])), run_config=filtering(broken))


def test_hooks_are_told_what_the_model_gets(run: Run) -> None:
    told: list[Any] = []

    class Hooks(RunHooks[Any]):
        async def on_llm_start(self, context: Any, agent: Any, system_prompt: Any, input_items: Any) -> None:
            told.append((system_prompt, input_items))

    run(
        Agent(name="a", instructions="Long.", model=ScriptedModel(["ok"])),
        hooks=Hooks(),
        run_config=filtering(lambda data: ModelInputData(input=data.model_data.input, instructions="Short.")),
    )
    assert told == [("Short.", [HI])]


def without(content: str) -> Callable[[CallModelData[Any]], ModelInputData]:
    """Return a filter that leaves a message out of the first call."""
    calls: list[int] = []

    def change(data: CallModelData[Any]) -> ModelInputData:
        calls.append(1)
        items = data.model_data.input
        kept = [item for item in items if item.get("content") != content] if len(calls) == 1 else items
        return ModelInputData(input=kept, instructions=None)

    return change


TWO = [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]


def kept_by_the_service(run: Run, change: Any, **options: Any) -> list[list[Any]]:
    """Return what is sent of two messages and two tools where the service keeps the history."""
    agent, model = counting()
    options = options or {"previous_response_id": "resp_0"}
    run(agent, input=list(TWO), run_config=filtering(change), **options)
    return contents(model)


@pytest.mark.parametrize(
    "options",
    [{}, {"conversation_id": "conv_1"}, {"auto_previous_response_id": True}],
    ids=lambda options: str(options),
)
def test_where_the_service_keeps_the_history_each_item_is_sent_once(run: Run, options: dict[str, Any]) -> None:
    assert kept_by_the_service(run, lambda data: data.model_data, **options) == [["one", "two"], ["2"], ["4"]]


def test_what_was_left_out_there_is_offered_again(run: Run) -> None:
    assert kept_by_the_service(run, without("two")) == [["one"], ["two", "2"], ["4"]]


def test_what_was_changed_or_added_there_is_not_sent_again(run: Run) -> None:
    def redact(data: CallModelData[Any]) -> ModelInputData:
        return ModelInputData(
            input=[
                {**item, "content": "secret"} if item.get("content") == "two" else item
                for item in data.model_data.input
            ],
            instructions=None,
        )

    def add(data: CallModelData[Any]) -> ModelInputData:
        return ModelInputData(input=[{"role": "user", "content": "so"}, *data.model_data.input], instructions=None)

    assert kept_by_the_service(run, redact) == [["one", "secret"], ["2"], ["4"]]
    assert kept_by_the_service(run, add) == [["so", "one", "two"], ["so", "2"], ["so", "4"]]


REASONING: WireItem = {"type": "reasoning", "id": "rs_1", "summary": []}


@pytest.mark.parametrize(
    ("policy", "sent"), [(None, REASONING), ("preserve", REASONING), ("omit", {**REASONING, "id": 0})]
)
def test_reasoning_items_are_sent_without_ids_where_they_are_to_be(run: Run, policy: Any, sent: WireItem) -> None:
    expected = {name: value for name, value in sent.items() if value != 0}
    calls = [REASONING, function_call("double", {"number": 1}, call_id="c1")]
    agent, model = counting(ScriptedModel([calls, "ok"]))
    given = {**REASONING, "id": "rs_0"}
    result = run(agent, input=[HI, given], run_config=RunConfig(reasoning_item_id_policy=policy))
    assert model.calls[1].input[1] == ({"type": "reasoning", "summary": []} if policy == "omit" else given)
    assert model.calls[1].input[2] == expected
    assert result.to_input_list()[2] == expected
    assert result.new_items[0].to_input_item() == REASONING


def test_of_two_outputs_of_a_call_the_newest_is_sent_and_calls_stay_before_them(run: Run) -> None:
    def output(text: str) -> WireItem:
        return {"type": "function_call_output", "call_id": "c", "output": text}

    first, second = function_call("f", {"x": 1}, call_id="c"), function_call("f", {"x": 2}, call_id="c")
    message = {"type": "message", "role": "assistant", "id": "m", "content": []}
    given = [first, output("old"), message, second, output("new"), message]
    model = ScriptedModel(["ok"])
    config = RunConfig(call_model_input_filter=lambda data: ModelInputData(input=given, instructions=None))
    run(Agent(name="a", model=model), run_config=config)
    assert model.calls[0].input == [second, message, output("new"), message]


def test_a_filter_that_drops_reasoning_leaves_no_item_that_needs_it(run: Run) -> None:
    def drop(data: Any) -> ModelInputData:
        return ModelInputData(
            input=[item for item in data.model_data.input if item.get("type") != "reasoning"], instructions=None
        )

    calls = [REASONING, function_call("double", {"number": 1}, call_id="c1")]
    agent, model = counting(ScriptedModel([calls, "ok"]))
    run(agent, run_config=RunConfig(call_model_input_filter=drop))
    sent = next(item for item in model.calls[1].input if item.get("type") == "function_call")  # type: ignore[union-attr]
    assert "id" not in sent
