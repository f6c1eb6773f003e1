"""Agents as tools: what the nested run is given, what comes of it, and that nothing of it is left behind."""

import asyncio
import json
import logging
from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, RootModel

from agentctl import (
    Agent,
    AgentToolInvocation,
    AgentToolStreamEvent,
    FunctionTool,
    GuardrailFunctionOutput,
    MaxTurnsExceeded,
    ModelSettings,
    MultiProvider,
    RunConfig,
    RunContextWrapper,
    RunHooks,
    Runner,
    ToolCallItem,
    ToolCallOutputItem,
    ToolContext,
    ToolOrigin,
    ToolOriginType,
    Usage,
    UserError,
    function_tool,
    output_guardrail,
)
from agentctl.run.result import RunResultBase
from agentctl.testing import ModelStep, ScriptedModel, assistant_message, function_call
from tests.run.conftest import Run, run_streamed, run_whole
from tests.service.client import Service
from tests.service.steps import text, tool_calls


async def nothing_else_runs() -> None:
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


TOKENS = Usage(requests=1, input_tokens=5, output_tokens=3, total_tokens=8)


def inner(*steps: Any, **options: Any) -> tuple[Agent[Any], ScriptedModel]:
    model = ScriptedModel(steps or ["inner says"], default_usage=TOKENS)
    return Agent(name="inner", model=model, **options), model


def outer(tool: FunctionTool, arguments: Any = None) -> tuple[Agent[Any], ScriptedModel]:
    call = function_call(tool.name, {"input": "do it"} if arguments is None else arguments, call_id="c1")
    model = ScriptedModel([[call], "done"], default_usage=TOKENS)
    return Agent(name="outer", model=model, tools=[tool]), model


def output(model: ScriptedModel) -> str:
    """Return what the outer model reads of the call."""
    assert model.last_call is not None
    text: str = model.last_call.input[-1]["output"]  # type: ignore[index]
    return text


def given(model: ScriptedModel) -> Any:
    """Return the input that the inner model was called with first."""
    assert model.first_call is not None
    return model.first_call.input


class Translation(BaseModel):
    """Translate a text."""

    text: str = Field(description="What to translate")
    language: str = "de"


@dataclass
class Plain:
    text: str
    number: int


def test_an_agent_as_a_tool_takes_a_text_and_gives_its_final_output(run: Run) -> None:
    agent, model = inner()
    tool = agent.as_tool("ask_inner", "Asks.")
    assert (tool.name, tool.description, tool.strict_json_schema) == ("ask_inner", "Asks.", True)
    assert tool.params_json_schema["required"] == ["input"]
    assert tool.params_json_schema["additionalProperties"] is False
    main, asked = outer(tool)
    result = run(main)
    assert result.final_output == "done"
    assert output(asked) == "inner says"
    assert given(model) == "do it"
    assert [type(item).__name__ for item in result.new_items] == [
        "ToolCallItem",
        "ToolCallOutputItem",
        "MessageOutputItem",
    ]
    assert result.agent_tool_invocation is None
    origin = ToolOrigin(type=ToolOriginType.AGENT_AS_TOOL, agent_name="inner", agent_tool_name="ask_inner")
    tools = [item for item in result.new_items if isinstance(item, ToolCallItem | ToolCallOutputItem)]
    assert [item.tool_origin for item in tools] == [origin, origin]


def test_the_name_of_the_tool_comes_of_the_agents(run: Run) -> None:
    assert Agent(name="My Agent-1").as_tool(None, None).name == "my_agent_1"
    assert Agent(name="a").as_tool("My tool", None).name == "My tool"
    assert Agent(name="a").as_tool(None, None).description == ""


def test_what_the_nested_run_uses_counts_in_the_run_around_it(run: Run) -> None:
    agent, _ = inner([function_call("note", {}, call_id="n")], "inner says", tools=[note])
    main, _ = outer(agent.as_tool("ask", ""))
    usage = run(main).context_wrapper.usage
    assert (usage.requests, usage.total_tokens, len(usage.request_usage_entries)) == (4, 32, 4)


def test_the_usage_of_a_nested_run_is_its_own_and_the_result_tells_of_the_call(run: Run) -> None:
    seen: list[Any] = []

    async def extract(result: RunResultBase) -> str:
        seen.append((result.agent_tool_invocation, result.context_wrapper.usage.requests, result.final_output))
        return "extracted"

    agent, _ = inner()
    main, asked = outer(agent.as_tool("ask", "", custom_output_extractor=extract))
    run(main)
    assert output(asked) == "extracted"
    assert seen == [(AgentToolInvocation("ask", "c1", '{"input": "do it"}'), 1, "inner says")]


@function_tool
def note(context: RunContextWrapper[Any]) -> str:
    """Note what the context has."""
    return json.dumps([context.context, context.tool_input])


def test_the_context_object_is_shared_and_has_the_arguments_where_they_have_a_type(run: Run) -> None:
    for parameters, arguments, tool_input in (
        (None, {"input": "x"}, None),
        (Translation, {"text": "x", "language": "en"}, {"text": "x", "language": "en"}),
    ):
        agent, model = inner([function_call("note", {}, call_id="n")], "inner says", tools=[note])
        main, _ = outer(agent.as_tool("ask", "", parameters=parameters), arguments)
        run(main, context="ctx")
        assert json.loads(model.calls[1].input[-1]["output"]) == ["ctx", tool_input]  # type: ignore[index]


def test_an_output_that_is_no_text_is_read_as_json(run: Run) -> None:
    class Answer(BaseModel):
        value: int

    agent, _ = inner('{"value": 3}', output_type=Answer)
    main, asked = outer(agent.as_tool("ask", ""))
    result = run(main)
    assert json.loads(output(asked)) == {"value": 3}
    outputs = [item.output for item in result.new_items if isinstance(item, ToolCallOutputItem)]
    assert outputs == [Answer(value=3)]


@output_guardrail
def accepts(context: RunContextWrapper[Any], agent: Agent[Any], output: str) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(output, False)


@pytest.mark.parametrize(
    ("turn", "guardrails", "text"),
    [
        ([assistant_message("I look."), function_call("look", {}, call_id="i1")], [], "seen"),
        ([assistant_message("I look."), function_call("say_nothing", {}, call_id="i1")], [], "I look."),
        ([function_call("say_nothing", {}, call_id="i1")], [], ""),
        ([function_call("look", {}, call_id="i1")], [accepts], ""),
    ],
)
def test_in_place_of_an_empty_text_the_last_one_is_read_unless_a_guardrail_saw_it(
    run: Run, turn: list[Any], guardrails: list[Any], text: str
) -> None:
    tools = [
        function_tool(lambda: "seen", name_override="look"),
        function_tool(lambda: "", name_override="say_nothing"),
    ]
    agent, _ = inner(turn, "", tools=tools, output_guardrails=guardrails)
    main, asked = outer(agent.as_tool("ask", ""))
    run(main)
    assert output(asked) == text


def test_no_output_is_none(run: Run) -> None:
    agent, _ = inner('{"response": null}', output_type=type(None))
    main, asked = outer(agent.as_tool("ask", ""))
    result = run(main)
    assert output(asked) == "null"
    assert [item.output for item in result.new_items if isinstance(item, ToolCallOutputItem)] == [None]


@pytest.mark.parametrize("arguments", ["nope", {"wrong": 1}, {"input": 3}, "[]"])
def test_arguments_that_do_not_fit_are_told_to_the_model(run: Run, arguments: Any) -> None:
    agent, model = inner()
    main, asked = outer(agent.as_tool("ask", ""), arguments)
    run(main)
    assert "the arguments of tool 'ask'" in output(asked)
    assert model.calls == ()


def test_typed_arguments_that_do_not_fit_are_told_to_the_model(run: Run) -> None:
    agent, model = inner()
    main, asked = outer(agent.as_tool("ask", "", parameters=Plain), {"text": "x", "number": "many"})
    run(main)
    assert "the arguments of tool 'ask' are invalid: number: " in output(asked)
    assert model.calls == ()


def test_typed_arguments_are_read_with_what_they_mean(run: Run) -> None:
    agent, model = inner()
    tool = agent.as_tool("ask", "", parameters=Translation)
    assert tool.params_json_schema["required"] == ["text", "language"]
    main, _ = outer(tool, {"text": "x", "language": "en"})
    run(main)
    lines = given(model).splitlines()
    assert json.loads("\n".join(lines[1:5])) == {"text": "x", "language": "en"}
    assert lines[-3:] == ["Translate a text.", "- text (string): What to translate", "- language (string)"]


def test_typed_arguments_without_a_meaning_are_read_as_json(run: Run) -> None:
    class Bare(BaseModel):
        text: str

    agent, model = inner()
    main, _ = outer(agent.as_tool("ask", "", parameters=Bare), {"text": "x"})
    run(main)
    assert json.loads(given(model)) == {"text": "x"}


def test_the_schema_may_go_with_the_arguments(run: Run) -> None:
    agent, model = inner()
    tool = agent.as_tool("ask", "", parameters=Translation, include_input_schema=True)
    main, _ = outer(tool, {"text": "x", "language": "en"})
    run(main)
    text = given(model)
    assert json.loads(text.partition("JSON schema of the arguments:\n")[2]) == tool.params_json_schema


@pytest.mark.parametrize("made", ["built", [{"role": "user", "content": "built"}]])
def test_an_input_builder_makes_the_input(run: Run, made: Any) -> None:
    heard: list[Any] = []

    async def later(options: Any) -> Any:
        heard.append(options)
        return made

    def now(options: Any) -> Any:
        heard.append(options)
        return made

    for builder in (now, later):
        agent, model = inner()
        main, _ = outer(agent.as_tool("ask", "", parameters=Plain, input_builder=builder), {"text": "x", "number": 1})
        run(main)
        assert given(model) == made
    assert heard == [{"params": {"text": "x", "number": 1}, "summary": None, "json_schema": None}] * 2


def test_an_input_builder_may_have_a_text_alone(run: Run) -> None:
    heard: list[Any] = []

    def build(options: Any) -> str:
        heard.append(options["params"])
        return "built"

    agent, model = inner([function_call("note", {}, call_id="n")], "inner says", tools=[note])
    run(outer(agent.as_tool("ask", "", input_builder=build))[0])
    assert heard == [{"input": "do it"}]
    assert json.loads(model.calls[1].input[-1]["output"]) == [None, {"input": "do it"}]  # type: ignore[index]


def test_a_text_alone_is_read_as_it_is_and_needs_no_schema(run: Run) -> None:
    class OnlyInput(BaseModel):
        input: str

    for options in ({"include_input_schema": True}, {"parameters": OnlyInput}):
        agent, model = inner()
        run(outer(agent.as_tool("ask", "", **options))[0])  # type: ignore[arg-type]
        assert given(model) == "do it"


def test_an_input_builder_that_gives_no_input_is_told_to_the_model(run: Run) -> None:
    agent, _ = inner()
    main, asked = outer(agent.as_tool("ask", "", input_builder=lambda options: 3))  # type: ignore[arg-type,return-value]
    run(main)
    assert "input_builder must return a string or a list of items, not int" in output(asked)


@pytest.mark.parametrize("kind", [int, dict[str, int], "text"])
def test_parameters_are_a_dataclass_or_a_model(kind: Any) -> None:
    with pytest.raises(TypeError, match="a dataclass or a pydantic model"):
        Agent(name="a").as_tool("ask", "", parameters=kind)


def test_parameters_need_a_strict_schema() -> None:
    class Free(BaseModel):
        values: dict[str, int]

    with pytest.raises(UserError, match=r"agent tool 'ask'.*arbitrary keys"):
        Agent(name="a").as_tool("ask", "", parameters=Free)
    with pytest.raises(UserError, match="parameters must be a type with fields"):
        Agent(name="a").as_tool("ask", "", parameters=RootModel[list[int]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_turns": 0}, "max_turns"),
        ({"previous_response_id": "r", "conversation_id": "c"}, "cannot be combined"),
        ({"on_stream_max_pending_events": 0}, "on_stream_max_pending_events"),
        ({"on_stream_max_pending_events": "x"}, "on_stream_max_pending_events"),
        ({"on_stream": RunConfig()}, r"on_stream must be callable or None, not RunConfig.*`run_config=`"),
    ],
)
def test_a_tool_that_cannot_be_is_refused_when_it_is_made(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Agent(name="a").as_tool("ask", "", **options)


def test_a_nested_run_has_its_own_limit_of_turns(run: Run) -> None:
    def calls() -> list[Any]:
        return [[function_call("note", {}, call_id=f"n{n}")] for n in range(3)]

    agent, _ = inner(*calls(), "late", tools=[note])
    main, asked = outer(agent.as_tool("ask", "", max_turns=2))
    run(main)
    assert output(asked) == "Error: MaxTurnsExceeded: the run needs more than 2 turns"
    agent, _ = inner(*calls(), "late", tools=[note])
    main, asked = outer(agent.as_tool("ask", ""))
    run(main, max_turns=2)
    assert output(asked) == "late"


def test_what_a_nested_run_raises_may_end_the_run_around_it(run: Run) -> None:
    agent, _ = inner(*[[function_call("note", {}, call_id=f"n{n}")] for n in range(3)], tools=[note])
    main, _ = outer(agent.as_tool("ask", "", max_turns=1, failure_error_function=None))
    with pytest.raises(MaxTurnsExceeded, match=r"more than 1 turn$") as caught:
        run(main)
    assert caught.value.run_data is not None
    assert caught.value.run_data.last_agent is main
    usage = caught.value.run_data.context_wrapper.usage
    assert (usage.requests, usage.total_tokens) == (2, 16)


def test_what_a_model_of_a_nested_run_raises_is_told_to_the_model(run: Run) -> None:
    agent, _ = inner(RuntimeError("no such luck"))
    main, asked = outer(agent.as_tool("ask", "", failure_error_function=lambda context, error: f"sorry: {error}"))
    run(main)
    assert output(asked) == "sorry: no such luck"


def test_a_nested_run_has_the_configuration_of_the_run_around_it(run: Run) -> None:
    agent, model = inner()
    main, _ = outer(agent.as_tool("ask", ""))
    run(main, run_config=RunConfig(model_settings=ModelSettings(temperature=0.5)))
    assert model.calls[0].model_settings.temperature == 0.5
    agent, model = inner()
    main, _ = outer(agent.as_tool("ask", "", run_config={"model_settings": ModelSettings(top_p=0.1)}))
    run(main, run_config=RunConfig(model_settings=ModelSettings(temperature=0.5)))
    assert (model.calls[0].model_settings.temperature, model.calls[0].model_settings.top_p) == (None, 0.1)


def test_a_nested_run_may_go_on_from_a_history_that_the_service_keeps(run: Run) -> None:
    agent, model = inner("one", "two")
    run(outer(agent.as_tool("ask", "", previous_response_id="resp"))[0])
    run(outer(agent.as_tool("ask", "", conversation_id="conv"))[0])
    assert (model.calls[0].previous_response_id, model.calls[1].conversation_id) == ("resp", "conv")


def test_a_nested_run_has_hooks_of_its_own(run: Run) -> None:
    heard: list[tuple[str, str]] = []

    class Heard(RunHooks[Any]):
        def __init__(self, name: str) -> None:
            self.name = name

        async def on_agent_start(self, context: Any, agent: Agent[Any]) -> None:
            heard.append((self.name, agent.name))

    agent, _ = inner()
    main, _ = outer(agent.as_tool("ask", "", hooks=Heard("inner")))
    run(main, hooks=Heard("outer"))
    assert heard == [("outer", "outer"), ("inner", "inner")]


def test_an_agent_tool_may_be_switched_off(run: Run) -> None:
    agent, _ = inner()
    model = ScriptedModel(["done"])
    tools: list[Any] = [
        agent.as_tool("off", "", is_enabled=False),
        agent.as_tool("asked", "", is_enabled=lambda context, agent: bool(context.context == agent.name)),
    ]
    run(Agent(name="outer", model=model, tools=tools), context="outer")
    assert [tool.name for tool in model.calls[0].tools] == ["asked"]


def test_agents_may_be_tools_of_agents_that_are_tools(run: Run) -> None:
    deepest, _ = inner()
    middle = Agent(
        name="middle",
        model=ScriptedModel(
            [[function_call("deep", {"input": "x"}, call_id="d")], "middle says"], default_usage=TOKENS
        ),
        tools=[deepest.as_tool("deep", "")],
    )
    main, asked = outer(middle.as_tool("ask", ""))
    usage = run(main).context_wrapper.usage
    assert output(asked) == "middle says"
    assert (usage.requests, usage.total_tokens) == (5, 40)


def test_a_call_outside_a_run_runs_the_agent() -> None:
    agent = Agent(name="a", model=ScriptedModel(["answer"]))
    tool = agent.as_tool("ask", "", failure_error_function=None)
    context = ToolContext(None, tool_name="ask", tool_call_id="c", tool_arguments="{}")

    async def scenario() -> Any:
        return await tool.on_invoke_tool(context, '{"input": "x"}')

    assert asyncio.run(scenario()) == "answer"
    assert context.usage.requests == 1


def test_on_stream_hears_every_event_in_order_with_the_agent_that_has_the_word(run: Run) -> None:
    heard: list[tuple[str, str]] = []
    calls: set[str] = set()

    async def listen(event: AgentToolStreamEvent) -> None:
        await asyncio.sleep(0)
        heard.append((event["event"].type, event["agent"].name))
        calls.add(event["tool_call"].call_id)

    model = ScriptedModel([[function_call("transfer_to_second", {}, call_id="h")], "second says"])
    agent = Agent(name="first", model=model, handoffs=[Agent(name="second", model=model)])
    main, asked = outer(agent.as_tool("ask", "", on_stream=listen))
    run(main)
    assert output(asked) == "second says"
    assert [one for one in heard if one[0] != "raw_response_event"] == [
        ("agent_updated_stream_event", "first"),
        ("run_item_stream_event", "first"),
        ("run_item_stream_event", "first"),
        ("agent_updated_stream_event", "second"),
        ("run_item_stream_event", "second"),
    ]
    assert heard.count(("raw_response_event", "second")) > 3
    assert calls == {"c1"}
    assert model.calls[0].streamed


@pytest.mark.parametrize("error", [RuntimeError("cannot look"), asyncio.CancelledError()])
def test_what_on_stream_raises_is_logged_and_ends_nothing(
    run: Run, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    async def listen(event: AgentToolStreamEvent) -> None:
        raise error

    agent, _ = inner()
    main, asked = outer(agent.as_tool("ask", "", on_stream=listen, on_stream_max_pending_events=1))
    with caplog.at_level(logging.ERROR, "openai.agents"):
        run(main)
    assert output(asked) == "inner says"
    assert [record.message for record in caplog.records] == ["on_stream of agent tool ask failed"]


def test_on_stream_hears_everything_before_a_failure_is_told(run: Run) -> None:
    heard: list[str] = []

    async def listen(event: AgentToolStreamEvent) -> None:
        await asyncio.sleep(0)
        heard.append(event["event"].type)

    agent, _ = inner(ModelStep(stream_events=[{"type": "response.created"}], error=RuntimeError("gone")))
    main, asked = outer(agent.as_tool("ask", "", on_stream=listen))
    run(main)
    assert "RuntimeError: gone" in output(asked)
    assert heard == ["agent_updated_stream_event", "raw_response_event"]


def test_a_nested_run_waits_for_a_listener_that_is_too_far_behind() -> None:
    may_hear, is_asked, heard = asyncio.Event(), asyncio.Event(), 0

    def answer(call: Any) -> str:
        is_asked.set()
        return "one two three four five six seven eight nine ten"

    async def listen(event: AgentToolStreamEvent) -> None:
        nonlocal heard
        await may_hear.wait()
        heard += 1

    agent, _ = inner(answer)
    main, _ = outer(agent.as_tool("ask", "", on_stream=listen, on_stream_max_pending_events=2))

    async def scenario() -> None:
        run = asyncio.create_task(Runner.run(main, "hi"))
        await is_asked.wait()
        for _ in range(50):
            await asyncio.sleep(0)
        assert not run.done()
        may_hear.set()
        await run
        await nothing_else_runs()

    asyncio.run(scenario())
    assert heard > 10


@pytest.mark.parametrize("is_listening", [False, True])
def test_cancelling_the_run_around_it_cancels_a_nested_run_and_awaits_it(is_listening: bool) -> None:
    ended: list[str] = []
    began = asyncio.Event()

    @function_tool
    async def wait() -> str:
        """Wait."""
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("tool")
        return ""

    async def listen(event: AgentToolStreamEvent) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("listener")

    agent, _ = inner([function_call("wait", {}, call_id="w")], tools=[wait])
    main, _ = outer(agent.as_tool("ask", "", on_stream=listen if is_listening else None))

    async def scenario() -> None:
        result = Runner.run_streamed(main, "hi")
        await began.wait()
        result.cancel()
        async for _ in result.stream_events():
            pass
        await asyncio.wait([result.run_loop_task])
        await nothing_else_runs()
        assert result.context_wrapper.usage.requests == 2

    asyncio.run(scenario())
    assert sorted(ended) == (["listener", "tool"] if is_listening else ["tool"])


def test_a_tool_that_takes_too_long_cancels_its_run_and_awaits_it(run: Run) -> None:
    ended: list[str] = []

    @function_tool
    async def wait() -> str:
        """Wait."""
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("tool")
        return ""

    agent, _ = inner([function_call("wait", {}, call_id="w")], tools=[wait])
    main, asked = outer(replace(agent.as_tool("ask", ""), timeout_seconds=0.01))
    assert run(main).final_output == "done"
    assert "0.01" in output(asked)
    assert ended == ["tool"]


def test_several_agents_may_run_beside_each_other(run: Run) -> None:
    meeting = asyncio.Barrier(2)

    async def step(call: Any) -> Any:
        await meeting.wait()
        return [assistant_message("met")]

    agents = [Agent(name=name, model=ScriptedModel([step], default_usage=TOKENS)) for name in ("left", "right")]
    calls = [function_call(agent.name, {"input": "x"}, call_id=agent.name) for agent in agents]
    model = ScriptedModel([calls, "done"], default_usage=TOKENS)
    main = Agent(name="main", model=model, tools=[agent.as_tool(None, "") for agent in agents])
    usage = run(main).context_wrapper.usage
    assert [item["output"] for item in model.calls[1].input[-2:]] == ["met", "met"]  # type: ignore[index]
    assert usage.requests == 4


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("transport", ["http", "websocket"])
def test_a_nested_run_never_waits_for_the_connection_of_the_run_around_it(
    is_streamed: bool, transport: Literal["http", "websocket"], service: Service
) -> None:
    names = [f"inner{n}" for n in range(12)]
    service.script(
        tool_calls(*((name, {"input": "x"}, f"call_{name}") for name in names)),
        *(text("inner says") for _ in names),
        text("done"),
    )
    tools: list[Any] = [Agent(name=name, instructions=name).as_tool(None, "") for name in names]
    provider = MultiProvider(
        openai_api_key="sk-nested", openai_base_url=service.base_url, responses_transport=transport
    )

    config = RunConfig(model_provider=provider, model="gpt-x")
    way = run_streamed if is_streamed else run_whole

    async def scenario() -> RunResultBase:
        try:
            return await way(Agent(name="outer", tools=tools), "hi", run_config=config)
        finally:
            await provider.aclose()

    result = asyncio.run(scenario())
    outputs = [item.output for item in result.new_items if isinstance(item, ToolCallOutputItem)]
    assert outputs == ["inner says"] * len(names)
    assert result.final_output == "done"
    assert result.context_wrapper.usage.requests == len(names) + 2
