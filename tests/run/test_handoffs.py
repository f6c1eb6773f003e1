"""Handoffs in runs: who gets the word, what the history shows then, and what the result keeps all the same."""

import asyncio
import gc
from typing import Any
from weakref import ref

import pytest
from pydantic import BaseModel

from agentctl import (
    Agent,
    Handoff,
    HandoffCallItem,
    HandoffInputData,
    HandoffOutputItem,
    MessageOutputItem,
    ModelBehaviorError,
    ModelSettings,
    RunConfig,
    RunContextWrapper,
    RunHooks,
    Runner,
    RunResultStreaming,
    ToolCallItem,
    ToolCallOutputItem,
    UserError,
    function_tool,
    handoff,
)
from agentctl.agent.events import Warned
from agentctl.extensions.handoff_filters import remove_all_tools
from agentctl.run.result import RunResultBase
from agentctl.testing import ScriptedModel, assistant_message, function_call
from tests.run.conftest import Run


@function_tool
def double(number: int) -> int:
    """Double a number."""
    return number * 2


def transfer(name: str, call_id: str = "h1", arguments: Any = None) -> dict[str, Any]:
    return function_call(f"transfer_to_{name}", {} if arguments is None else arguments, call_id=call_id)


def answer(call_id: str, output: str) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def ids(result: RunResultBase) -> list[str]:
    return [item.get("call_id", "") for item in result.to_input_list()]


def sent(model: ScriptedModel) -> Any:
    assert model.last_call is not None
    return model.last_call.input


def test_the_agent_that_is_handed_to_goes_on_with_the_same_history(run: Run) -> None:
    model = ScriptedModel([[transfer("b")], "done"])
    b = Agent(name="b", instructions="You are b.", model=model)
    a = Agent(name="a", model=model, handoffs=[b])
    result = run(a)
    assert result.final_output == "done"
    assert result.last_agent is b
    assert [type(item) for item in result.new_items] == [HandoffCallItem, HandoffOutputItem, MessageOutputItem]
    assert [item.agent.name for item in result.new_items] == ["a", "a", "b"]
    output = result.new_items[1]
    assert isinstance(output, HandoffOutputItem)
    assert (output.source_agent, output.target_agent) == (a, b)
    assert model.calls[1].system_instructions == "You are b."
    assert sent(model) == [
        {"role": "user", "content": "hi"},
        transfer("b"),
        answer("h1", '{"assistant": "b"}'),
    ]


def test_a_model_is_offered_the_handoffs_of_the_agent_that_has_the_word(run: Run) -> None:
    model = ScriptedModel([[transfer("b")], "done"])
    b = Agent(name="b", model=model)
    run(Agent(name="a", model=model, handoffs=[b, handoff(Agent(name="c"))]))
    offered = [[one.tool_name for one in call.handoffs] for call in model.calls]
    assert offered == [["transfer_to_b", "transfer_to_c"], []]


def test_the_handoff_to_an_agent_is_made_once_in_a_run(run: Run) -> None:
    model = ScriptedModel([[function_call("double", {"number": 1}, call_id="c1")], "done"])
    run(Agent(name="a", model=model, tools=[double], handoffs=[Agent(name="b")]))
    assert model.calls[0].handoffs[0] is model.calls[1].handoffs[0]


def test_two_agents_that_are_equal_are_two_handoffs(run: Run) -> None:
    model = ScriptedModel([[transfer("b")], "done"])
    first, second = Agent(name="b", model=model), Agent(name="b", model=model)
    a = Agent(name="a", model=model, handoffs=[handoff(first), handoff(second, tool_name_override="other")])
    assert run(a).last_agent is first


def test_the_first_handoff_of_a_response_is_taken_and_the_others_are_told_so(run: Run) -> None:
    model = ScriptedModel(
        [[transfer("b"), function_call("double", {"number": 2}, call_id="c1"), transfer("c", "h2")], "done"]
    )
    b, c = Agent(name="b", model=model), Agent(name="c", model=model)
    result = run(Agent(name="a", model=model, tools=[double], handoffs=[b, c]))
    assert result.last_agent is b
    assert [type(item) for item in result.new_items] == [
        HandoffCallItem,
        ToolCallItem,
        HandoffCallItem,
        ToolCallOutputItem,
        HandoffOutputItem,
        ToolCallOutputItem,
        MessageOutputItem,
    ]
    outputs = {item["call_id"]: item["output"] for item in sent(model) if item.get("type") == "function_call_output"}
    assert outputs["c1"] == "4"
    assert outputs["h1"] == '{"assistant": "b"}'
    assert "Not taken" in outputs["h2"]
    assert "agent b" in outputs["h2"]


def test_a_handoff_may_go_back_and_forth(run: Run) -> None:
    model = ScriptedModel([[transfer("b")], [transfer("a", "h2")], [transfer("b", "h3")], "done"])
    a, b = Agent(name="a", model=model), Agent(name="b", model=model)
    a.handoffs, b.handoffs = [b], [a]
    result = run(a)
    assert result.last_agent is b
    assert ids(result) == ["", "h1", "h1", "h2", "h2", "h3", "h3", ""]


def test_events_tell_of_a_handoff_in_its_order() -> None:
    async def scenario() -> list[Any]:
        model = ScriptedModel([[transfer("b")], "done"])
        result = Runner.run_streamed(Agent(name="a", model=model, handoffs=[Agent(name="b", model=model)]), "hi")
        return [
            event.name if event.type == "run_item_stream_event" else event.new_agent.name
            async for event in result.stream_events()
            if event.type != "raw_response_event"
        ]

    assert asyncio.run(scenario()) == ["a", "handoff_requested", "handoff_occured", "b", "message_output_created"]


class Reason(BaseModel):
    reason: str


def test_on_handoff_hears_the_context_and_what_the_model_gave(run: Run) -> None:
    heard: list[Any] = []

    async def hear(context: RunContextWrapper[str], given: Reason) -> None:
        heard.append((context.context, given))

    model = ScriptedModel([[transfer("b", arguments={"reason": "tired"})], "done"])
    b = Agent[str](name="b", model=model)
    run(Agent(name="a", model=model, handoffs=[handoff(b, on_handoff=hear, input_type=Reason)]), context="ctx")
    assert heard == [("ctx", Reason(reason="tired"))]


def test_input_that_does_not_fit_ends_the_run(run: Run) -> None:
    model = ScriptedModel([[transfer("b", arguments="no json")]])
    made = handoff(Agent(name="b"), on_handoff=lambda context, given: None, input_type=Reason)
    with pytest.raises(ModelBehaviorError, match="input for the handoff to 'b'") as caught:
        run(Agent(name="a", model=model, handoffs=[made]))
    assert caught.value.run_data is not None
    assert caught.value.run_data.last_agent.name == "a"


def test_what_on_handoff_raises_ends_the_run(run: Run) -> None:
    def refuse(context: RunContextWrapper[Any]) -> None:
        raise OSError("not today")

    model = ScriptedModel([[transfer("b")]])
    with pytest.raises(OSError, match="not today"):
        run(Agent(name="a", model=model, handoffs=[handoff(Agent(name="b"), on_handoff=refuse)]))


def test_a_run_that_is_cancelled_while_it_hands_over_leaves_no_call_unanswered() -> None:
    began = asyncio.Event()

    async def hang(context: RunContextWrapper[Any]) -> None:
        began.set()
        await asyncio.Event().wait()

    async def scenario() -> RunResultStreaming:
        model = ScriptedModel([[transfer("b"), transfer("c", "h2")]])
        agents = [handoff(Agent(name="b"), on_handoff=hang), Agent(name="c")]
        result = Runner.run_streamed(Agent(name="a", model=model, handoffs=agents), "hi")
        await began.wait()
        result.cancel()
        await asyncio.wait([result.run_loop_task])
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    result = asyncio.run(scenario())
    assert ids(result) == ["", "h1", "h2", "h1", "h2"]
    assert result.last_agent.name == "a"


def test_a_handoff_that_is_not_enabled_is_not_offered_and_not_taken(run: Run) -> None:
    asked: list[Any] = []

    async def never(context: RunContextWrapper[Any], agent: Agent[Any]) -> bool:
        asked.append((context.context, agent.name))
        return False

    model = ScriptedModel([[transfer("b")]])
    b = Agent[Any](name="b")
    with pytest.raises(ModelBehaviorError, match="transfer_to_b"):
        run(Agent(name="a", model=model, handoffs=[handoff(b, is_enabled=never)]), context="ctx")
    assert asked == [("ctx", "a")]
    assert model.calls[0].handoffs == []


def test_a_handoff_may_be_enabled_by_a_plain_function_or_a_flag(run: Run) -> None:
    model = ScriptedModel([[transfer("c")], "done"])
    b, c = Agent[Any](name="b", model=model), Agent[Any](name="c", model=model)
    off = handoff(b, is_enabled=False)
    on = handoff(c, is_enabled=lambda context, agent: True)
    result = run(Agent(name="a", model=model, handoffs=[off, on]))
    assert result.last_agent is c
    assert [one.tool_name for one in model.calls[0].handoffs] == ["transfer_to_c"]


def test_what_is_neither_agent_nor_handoff_cannot_be_handed_to(run: Run) -> None:
    agents: list[Any] = []
    agent = Agent(name="a", model=ScriptedModel([]), handoffs=agents)
    agents.append("b")
    with pytest.raises(UserError, match=r"handoffs of 'a' has a str"):
        run(agent)


def test_a_handoff_of_ones_own_gives_an_agent(run: Run) -> None:
    model = ScriptedModel([[transfer("b")], "done", [transfer("b")]])
    b = Agent(name="b", model=model)

    async def found(context: RunContextWrapper[Any], arguments: str) -> Agent[Any]:
        return b

    async def nobody(context: RunContextWrapper[Any], arguments: str) -> Any:
        return "b"

    def made(found: Any) -> Handoff[Any, Any]:
        return Handoff("transfer_to_b", "To b.", {"type": "object", "properties": {}}, found, "b")

    assert run(Agent(name="a", model=model, handoffs=[made(found)])).last_agent is b
    with pytest.raises(UserError, match="must return an Agent, not str"):
        run(Agent(name="a", model=model, handoffs=[made(nobody)]))


def test_hooks_hear_of_a_handoff(run: Run) -> None:
    heard: list[tuple[str, ...]] = []

    class Heard(RunHooks[Any]):
        async def on_handoff(self, context: Any, from_agent: Agent[Any], to_agent: Agent[Any]) -> None:
            heard.append(("handoff", from_agent.name, to_agent.name))

        async def on_agent_start(self, context: Any, agent: Agent[Any]) -> None:
            heard.append(("start", agent.name))

    model = ScriptedModel([[transfer("b")], "done"])
    run(Agent(name="a", model=model, handoffs=[Agent(name="b", model=model)]), hooks=Heard())
    assert heard == [("start", "a"), ("handoff", "a", "b"), ("start", "b")]


def chain(
    model: ScriptedModel, first: dict[str, Any] | None = None, second: dict[str, Any] | None = None
) -> Agent[Any]:
    """Return agent a, which hands over to b, which hands over to c; with options of the two handoffs."""
    c = Agent[Any](name="c", model=model)
    b = Agent[Any](name="b", model=model, tools=[double], handoffs=[handoff(c, **second or {})])
    return Agent(name="a", model=model, tools=[double], handoffs=[handoff(b, **first or {})])


def steps() -> list[Any]:
    return [
        [function_call("double", {"number": 1}, call_id="c1")],
        [assistant_message("moving"), transfer("b")],
        [function_call("double", {"number": 2}, call_id="c2")],
        [transfer("c", "h2")],
        "done",
    ]


EVERYTHING = ["", "c1", "c1", "", "h1", "h1", "c2", "c2", "h2", "h2", ""]


def test_a_filter_sees_what_there_is_and_says_what_the_next_agent_is_shown(run: Run) -> None:
    seen: list[HandoffInputData] = []

    def first(data: HandoffInputData) -> HandoffInputData:
        seen.append(data)
        return data.clone(input_history="filtered", pre_handoff_items=(), new_items=())

    async def second(data: HandoffInputData) -> HandoffInputData:
        seen.append(data)
        return data

    model = ScriptedModel(steps())
    result = run(chain(model, {"input_filter": first}, {"input_filter": second}))
    assert [data.input_history for data in seen] == ["hi", "filtered"]
    assert [[type(item).__name__ for item in data.pre_handoff_items] for data in seen] == [
        ["ToolCallItem", "ToolCallOutputItem"],
        ["ToolCallItem", "ToolCallOutputItem"],
    ]
    assert [[type(item).__name__ for item in data.new_items] for data in seen] == [
        ["MessageOutputItem", "HandoffCallItem", "HandoffOutputItem"],
        ["HandoffCallItem", "HandoffOutputItem"],
    ]
    assert seen[0].run_context is not None
    assert model.calls[2].input == [{"role": "user", "content": "filtered"}]
    assert [item.get("call_id") for item in model.calls[3].input] == [None, "c2", "c2"]
    assert [item.get("call_id") for item in sent(model)] == [None, "c2", "c2", "h2", "h2"]
    assert ids(result) == EVERYTHING
    assert result.input == "hi"
    normalized = result.to_input_list(mode="normalized")
    assert [item.get("call_id") for item in normalized] == [None, "c2", "c2", "h2", "h2", None]


def test_a_filter_may_show_other_items_than_the_new_ones(run: Run) -> None:
    model = ScriptedModel(steps())
    run(chain(model, {"input_filter": lambda data: data.clone(input_items=data.new_items[:1])}))
    assert [item.get("call_id") for item in model.calls[2].input] == [None, "c1", "c1", None]


def test_a_filter_of_the_run_is_for_handoffs_without_one(run: Run) -> None:
    model = ScriptedModel(steps())
    config = RunConfig(
        handoff_input_filter=lambda data: data.clone(input_history="run's", pre_handoff_items=(), new_items=())
    )
    result = run(chain(model, {"input_filter": lambda data: data}), run_config=config)
    assert len(model.calls[2].input) == 6
    assert sent(model) == [{"role": "user", "content": "run's"}]
    assert ids(result) == EVERYTHING


def test_tools_can_be_filtered_out(run: Run) -> None:
    model = ScriptedModel(steps())
    result = run(chain(model, second={"input_filter": remove_all_tools}))
    assert sent(model) == [{"role": "user", "content": "hi"}, assistant_message("moving")]
    assert ids(result) == EVERYTHING


def test_a_nested_history_has_the_messages_of_the_last_turn_as_they_are(run: Run) -> None:
    model = ScriptedModel(steps())
    result = run(chain(model), run_config=RunConfig(nest_handoff_history=True))
    before, message, after = model.calls[2].input
    assert message == assistant_message("moving")
    assert [line[:9] for line in before["content"].splitlines()[2:-1]] == ["1. user: ", '2. {"type', '3. {"type']
    assert [line[:9] for line in after["content"].splitlines()[2:-1]] == ['1. {"type', '2. {"type']
    (last,) = sent(model)
    assert last["content"].count("<CONVERSATION HISTORY>") == 1
    assert last["content"].splitlines()[5] == "4. assistant: moving"
    assert last["content"].splitlines()[-2].startswith('10. {"type"')
    assert ids(result) == EVERYTHING


def test_a_handoff_may_nest_against_the_run_and_the_run_may_have_its_own_mapper(run: Run) -> None:
    def short(transcript: list[Any]) -> list[Any]:
        return [{"role": "user", "content": f"{len(transcript)} items"}]

    model = ScriptedModel(steps())
    config = RunConfig(handoff_history_mapper=short)
    run(chain(model, {"nest_handoff_history": True}), run_config=config)
    assert model.calls[2].input == [{"role": "user", "content": "6 items"}]
    model = ScriptedModel(steps())
    config = RunConfig(nest_handoff_history=True, handoff_history_mapper=short)
    run(chain(model, {"nest_handoff_history": False}), run_config=config)
    assert len(model.calls[2].input) == 6
    assert sent(model) == [{"role": "user", "content": "10 items"}]


def test_a_filter_goes_before_nesting(run: Run) -> None:
    model = ScriptedModel(steps())
    run(chain(model, {"input_filter": lambda data: data, "nest_handoff_history": True}))
    assert len(model.calls[2].input) == 6


def test_a_filter_that_gives_nothing_ends_the_run(run: Run) -> None:
    for given, message in (
        (lambda data: None, "HandoffInputData, not NoneType"),
        ("text", "must be a function, not str"),
    ):
        with pytest.raises(UserError, match=message):
            run(chain(ScriptedModel(steps()), {"input_filter": given}))


KEPT = [{"conversation_id": "conv"}, {"previous_response_id": "resp"}, {"auto_previous_response_id": True}]


@pytest.mark.parametrize("kept", KEPT, ids=["conversation", "response", "auto"])
def test_a_filter_cannot_change_a_history_that_the_service_keeps(run: Run, kept: dict[str, Any]) -> None:
    heard: list[Any] = []
    options = {"input_filter": lambda data: data, "on_handoff": heard.append}
    with pytest.raises(UserError, match="a history that the service keeps"):
        run(chain(ScriptedModel(steps()), options), **kept)
    assert heard == []


@pytest.mark.parametrize("kept", KEPT, ids=["conversation", "response", "auto"])
def test_a_history_that_the_service_keeps_is_not_nested_and_a_warning_says_so(kept: dict[str, Any]) -> None:
    model = ScriptedModel(steps())

    async def scenario() -> tuple[RunResultStreaming, list[str]]:
        result = Runner.run_streamed(chain(model, {"nest_handoff_history": True}), "hi", **kept)
        return result, [event.message async for event in result.run_events() if isinstance(event, Warned)]

    result, warnings = asyncio.run(scenario())
    assert warnings == ["handoff 'transfer_to_b': the service keeps the history, which is not nested"]
    assert [item.get("call_id") for item in model.calls[2].input] == ["h1"]
    assert ids(result) == EVERYTHING


def test_a_mapper_that_gives_no_list_ends_the_run(run: Run) -> None:
    mapper: Any = lambda transcript: None  # noqa: E731
    config = RunConfig(nest_handoff_history=True, handoff_history_mapper=mapper)
    with pytest.raises(UserError, match="must return a list of items, not NoneType"):
        run(chain(ScriptedModel(steps())), run_config=config)


def test_a_forced_handoff_is_forced_once(run: Run) -> None:
    model = ScriptedModel([[transfer("b")], [transfer("a", "h2")], "done"])
    a = Agent(name="a", model=model, model_settings=ModelSettings(tool_choice="required"))
    b = Agent(name="b", model=model, handoffs=[a])
    a.handoffs = [b]
    run(a)
    assert [call.model_settings.tool_choice for call in model.calls] == ["required", None, None]


def test_a_handoff_goes_before_a_tool_that_may_end_the_run(run: Run) -> None:
    model = ScriptedModel([[function_call("double", {"number": 2}, call_id="c1"), transfer("b")], "done"])
    b = Agent(name="b", model=model)
    result = run(Agent(name="a", model=model, tools=[double], handoffs=[b], tool_use_behavior="stop_on_first_tool"))
    assert (result.final_output, result.last_agent) == ("done", b)


def test_a_result_may_let_go_of_all_agents_that_had_the_word(run: Run) -> None:
    def scenario() -> tuple[RunResultBase, list[ref[Agent[Any]]]]:
        model = ScriptedModel([[transfer("b")], "done"])
        b = Agent(name="b", model=model)
        a = Agent(name="a", model=model, handoffs=[b])
        return run(a), [ref(a), ref(b)]

    result, agents = scenario()
    gc.collect()
    assert [agent() is not None for agent in agents] == [True, True]
    result.release_agents()
    gc.collect()
    assert [agent() for agent in agents] == [None, None]


def test_the_limit_of_turns_is_that_of_the_run(run: Run) -> None:
    model = ScriptedModel([[transfer("b")], [transfer("a", "h2")]] * 3)
    a, b = Agent(name="a", model=model), Agent(name="b", model=model)
    a.handoffs, b.handoffs = [b], [a]
    with pytest.raises(Exception, match="more than 3 turns"):
        run(a, max_turns=3)
