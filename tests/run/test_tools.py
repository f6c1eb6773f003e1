"""Tools in runs, streamed and not: what is offered, what runs, what the model reads, and what ends the run."""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any, Literal

import pytest

from agentctl import (
    Agent,
    AgentHooks,
    FunctionTool,
    FunctionToolCustomDataContext,
    FunctionToolResult,
    ModelBehaviorError,
    ModelSettings,
    RunConfig,
    RunContextWrapper,
    RunHooks,
    Runner,
    StopAtTools,
    Tool,
    ToolCallItem,
    ToolCallOutputItem,
    ToolContext,
    ToolErrorFormatterArgs,
    ToolExecutionConfig,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrailData,
    ToolInputGuardrailTripwireTriggered,
    ToolOutputGuardrailData,
    ToolOutputGuardrailTripwireTriggered,
    ToolOutputImage,
    ToolOutputText,
    ToolsToFinalOutputResult,
    ToolTimeoutError,
    UserError,
    function_tool,
    handoff,
    tool_input_guardrail,
    tool_output_guardrail,
)
from agentctl.agent.tools.tool import ToolOriginType
from agentctl.run.result import RunResultBase
from agentctl.testing import ScriptedModel, assistant_message, function_call
from agentctl.threads import wait_for_running

Run = Callable[..., RunResultBase]


def calling(*tools: Tool, calls: dict[str, Any] | None = None, **fields: Any) -> Agent[Any]:
    """Return an agent whose model calls its tools, or those that are named, then says `done`."""
    wanted = {tool.name: {} for tool in tools} if calls is None else calls
    first = [function_call(name, arguments, call_id=f"c{n}") for n, (name, arguments) in enumerate(wanted.items(), 1)]
    return Agent(name="a", tools=list(tools), model=ScriptedModel([first, "done"]), **fields)


def model_of(agent: Agent[Any]) -> ScriptedModel:
    assert isinstance(agent.model, ScriptedModel)
    return agent.model


def outputs(result: RunResultBase) -> list[ToolCallOutputItem]:
    return [item for item in result.new_items if isinstance(item, ToolCallOutputItem)]


def read(agent: Agent[Any]) -> list[Any]:
    """Return what the model read of the tools."""
    history = model_of(agent).calls[-1].input
    return [item["output"] for item in history if isinstance(item, dict) and "output" in item]


@function_tool
def one() -> int:
    """Give one."""
    return 1


@function_tool
def two() -> str:
    """Give two."""
    return "two"


@function_tool
def fails() -> str:
    """Fail."""
    raise OSError("no such room")


@pytest.mark.parametrize(
    ("wanted", "is_offered"),
    [
        (True, True),
        (False, False),
        (lambda context, agent: context.context == "ctx" and agent.name == "a", True),
        (lambda context, agent: 0, False),
    ],
)
def test_a_tool_is_offered_where_it_is_enabled(run: Run, wanted: Any, is_offered: bool) -> None:
    optional = function_tool(lambda: 3, name_override="optional", is_enabled=wanted)
    agent = calling(one, optional, calls={"one": {}})
    run(agent, context="ctx")
    assert [tool.name for tool in model_of(agent).calls[0].tools] == ["one", "optional"][: 1 + is_offered]


def test_enablement_may_be_async_and_is_asked_at_every_turn(run: Run) -> None:
    async def once(context: RunContextWrapper[Any], agent: Agent[Any]) -> bool:
        return context.usage.requests == 0

    agent = calling(function_tool(lambda: 3, name_override="early", is_enabled=once), calls={"early": {}})
    run(agent)
    assert [[tool.name for tool in call.tools] for call in model_of(agent).calls] == [["early"], []]


def test_a_tool_that_is_replaced_while_another_decides_comes_in_the_next_turn(run: Run) -> None:
    @function_tool(is_enabled=False)
    def off() -> None: ...

    async def replace_tools(context: RunContextWrapper[Any], agent: Agent[Any]) -> bool:
        agent.tools[:] = [off, two]
        return True

    first = function_tool(lambda: 3, name_override="first", is_enabled=replace_tools)
    agent = calling(first, off, calls={"first": {}})
    run(agent)
    assert [[tool.name for tool in call.tools] for call in model_of(agent).calls] == [["first"], ["two"]]


def test_a_tool_that_is_not_enabled_is_not_there(run: Run) -> None:
    off = function_tool(lambda: 3, name_override="off", is_enabled=False)
    with pytest.raises(ModelBehaviorError, match=r"^Tool off not found: .*\(it has: one\)"):
        run(calling(one, off, calls={"off": {}}))


def test_of_several_tools_of_one_name_the_last_is_offered_and_the_user_is_told_once(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    other = function_tool(lambda: 3, name_override="one", description_override="Another.")
    agent = calling(one, two, other, calls={"one": {}})
    with caplog.at_level(logging.WARNING, "openai.agents"):
        result = run(agent)
    offered = model_of(agent).calls[0].tools
    assert [tool.name for tool in offered] == ["two", "one"]
    assert [item.output for item in outputs(result)] == [3]
    (record,) = caplog.records
    assert record.message.startswith("agent 'a' has several tools or handoffs named 'one'; ")


def test_a_handoff_is_preferred_to_a_tool_of_its_name(run: Run) -> None:
    taker = Agent(name="b", model=ScriptedModel(["taken"]))
    agent = calling(one, handoffs=[handoff(taker, tool_name_override="one")])
    assert run(agent).final_output == "taken"
    assert model_of(agent).calls[0].tools == []


@pytest.mark.parametrize("kind", ["tools", "handoffs", "both"])
def test_names_that_collide_may_be_an_error(run: Run, kind: Literal["tools", "handoffs", "both"]) -> None:
    to_one = handoff(Agent(name="b"), tool_name_override="one")
    agents = {
        "tools": calling(one, one),
        "handoffs": calling(two, handoffs=[to_one, to_one]),
        "both": calling(one, handoffs=[to_one]),
    }
    with pytest.raises(UserError, match="several tools or handoffs named 'one'"):
        run(agents[kind], run_config=RunConfig(tool_name_collision_policy="error"))
    assert model_of(agents[kind]).calls == ()


def test_tools_that_are_not_enabled_collide_with_nothing(run: Run) -> None:
    off = function_tool(lambda: 3, name_override="one", is_enabled=False)
    config = RunConfig(tool_name_collision_policy="error")
    assert [item.output for item in outputs(run(calling(one, off, calls={"one": {}}), run_config=config))] == [1]


def test_a_forced_tool_choice_is_lifted_after_the_first_use_unless_it_is_to_stay(run: Run) -> None:
    for resets, then in ((True, None), (False, "one")):
        agent = calling(one, model_settings=ModelSettings(tool_choice="one"), reset_tool_choice=resets)
        run(agent)
        assert [call.model_settings.tool_choice for call in model_of(agent).calls] == ["one", then]


def test_a_call_of_a_tool_that_is_not_there_may_be_answered_in_its_place(run: Run) -> None:
    agent = calling(one, calls={"tripel": {}, "one": {}})
    result = run(agent, run_config=RunConfig(tool_not_found_behavior="return_error_to_model"))
    assert read(agent) == ["Error: there is no tool 'tripel'", "1"]
    assert [item.failed for item in outputs(result)] == [True, False]
    assert result.final_output == "done"


def test_the_answer_to_a_call_of_a_tool_that_is_not_there_ends_no_run(run: Run) -> None:
    agent = calling(one, calls={"tripel": {}}, tool_use_behavior="stop_on_first_tool")
    assert run(agent, run_config=RunConfig(tool_not_found_behavior="return_error_to_model")).final_output == "done"


def test_the_run_may_word_what_the_model_is_told_of_failures(run: Run) -> None:
    told: list[ToolErrorFormatterArgs[Any]] = []

    async def formatter(args: ToolErrorFormatterArgs[Any]) -> str | None:
        told.append(args)
        return None if args.kind == "tool_not_found" else f"{args.tool_name} is out of order"

    agent = calling(fails, calls={"fails": {}, "tripel": {}})
    config = RunConfig(tool_error_formatter=formatter, tool_not_found_behavior="return_error_to_model")
    run(agent, run_config=config)
    assert read(agent) == ["fails is out of order", "Error: there is no tool 'tripel'"]
    by_kind = {args.kind: args for args in told}
    failed, missing = by_kind["tool_exception"], by_kind["tool_not_found"]
    assert (failed.tool_type, failed.call_id, failed.default_message) == (
        "function",
        "c1",
        "Error: OSError: no such room",
    )
    assert isinstance(failed.error, OSError)
    assert isinstance(failed.run_context, ToolContext)
    assert (missing.tool_name, missing.call_id, missing.error) == ("tripel", "c2", None)


def test_a_tool_with_words_of_its_own_keeps_them(run: Run) -> None:
    async def own(context: RunContextWrapper[Any], error: Exception) -> str:
        return f"own: {error}"

    def fail() -> str:
        raise OSError("no such room")

    agent = calling(function_tool(fail, failure_error_function=own))
    run(agent, run_config=RunConfig(tool_error_formatter=lambda args: "the run's"))
    assert read(agent) == ["own: no such room"]


@pytest.mark.parametrize("formatter", [lambda args: 1 / 0, lambda args: 5])
def test_a_formatter_that_fails_does_the_run_no_harm(run: Run, formatter: Any) -> None:
    agent = calling(fails)
    run(agent, run_config=RunConfig(tool_error_formatter=formatter))
    assert read(agent) == ["Error: OSError: no such room"]


def test_an_error_function_that_fails_ends_the_run(run: Run) -> None:
    def broken(context: RunContextWrapper[Any], error: Exception) -> str:
        raise ValueError("no words")

    def fail() -> str:
        raise OSError("no such room")

    with pytest.raises(UserError, match="tool 'fail' failed: ValueError: no words"):
        run(calling(function_tool(fail, failure_error_function=broken)))


def test_a_tool_made_by_hand_ends_the_run_with_what_it_raises(run: Run) -> None:
    async def invoke(context: ToolContext[Any], arguments: str) -> str:
        raise OSError("no such room")

    with pytest.raises(UserError, match="tool 'raw' failed: OSError: no such room"):
        run(calling(FunctionTool("raw", "Raw.", {"type": "object", "properties": {}}, invoke)))


def test_a_cancellation_of_the_tools_own_making_is_a_failure_like_any_other(run: Run) -> None:
    @function_tool
    async def gives_up() -> str:
        raise asyncio.CancelledError

    agent = calling(gives_up, one)
    run(agent)
    assert read(agent) == ["Error: RuntimeError: the tool was cancelled from inside", "1"]

    async def invoke(context: ToolContext[Any], arguments: str) -> str:
        raise asyncio.CancelledError

    with pytest.raises(UserError, match="tool 'raw' failed: CancelledError"):
        run(calling(FunctionTool("raw", "Raw.", {"type": "object", "properties": {}}, invoke)))


@function_tool(timeout=0.01)
async def hangs() -> str:
    """Hang."""
    await asyncio.Event().wait()
    return "never"


def test_the_model_is_told_of_a_timeout_and_the_run_goes_on(run: Run) -> None:
    agent = calling(hangs, one)
    result = run(agent)
    assert read(agent) == ["Error: tool 'hangs' took longer than 0.01 s", "1"]
    assert [item.failed for item in outputs(result)] == [True, False]


def test_a_tool_that_is_not_async_is_abandoned_at_its_timeout(run: Run) -> None:
    may_end = threading.Event()

    @function_tool(timeout=0.01)
    def sleeps() -> str:
        may_end.wait(30)
        return "late"

    agent = calling(sleeps)
    assert run(agent).final_output == "done"
    assert read(agent) == ["Error: tool 'sleeps' took longer than 0.01 s"]
    may_end.set()
    assert wait_for_running(30) == []


def test_a_timeout_may_be_worded_by_the_tool(run: Run) -> None:
    def own(context: RunContextWrapper[Any], error: Exception) -> str:
        assert isinstance(error, ToolTimeoutError)
        return f"{error.tool_name} is slow today ({error.timeout_seconds})"

    async def slow() -> str:
        await asyncio.Event().wait()
        return "never"

    agent = calling(function_tool(slow, timeout=0.01, timeout_error_function=own))
    run(agent)
    assert read(agent) == ["slow is slow today (0.01)"]


def test_a_timeout_may_end_the_run(run: Run) -> None:
    async def slow() -> str:
        await asyncio.Event().wait()
        return "never"

    with pytest.raises(ToolTimeoutError, match=r"tool 'slow' took longer than 0\.01 s") as caught:
        run(calling(function_tool(slow, timeout=0.01, timeout_behavior="raise_exception")))
    assert caught.value.run_data is not None


def test_a_timeout_error_of_the_tools_own_is_a_failure_like_any_other(run: Run) -> None:
    @function_tool(timeout=30)
    async def asks() -> str:
        raise TimeoutError("the room did not answer")

    agent = calling(asks)
    run(agent)
    assert read(agent) == ["Error: TimeoutError: the room did not answer"]


def test_a_tool_in_time_is_as_one_without_a_timeout(run: Run) -> None:
    agent = calling(function_tool(lambda: 7, name_override="quick", timeout=30))
    run(agent)
    assert read(agent) == ["7"]


@pytest.mark.parametrize("most", [1, 2, None])
def test_no_more_tools_run_at_a_time_than_the_run_allows(run: Run, most: int | None) -> None:
    under_way: list[int] = []
    counts: list[int] = []

    @function_tool
    async def work(number: int) -> int:
        under_way.append(number)
        counts.append(len(under_way))
        for _ in range(5):
            await asyncio.sleep(0)
        under_way.remove(number)
        return number

    calls = [function_call("work", {"number": n}, call_id=f"c{n}") for n in range(5)]
    agent = Agent(name="a", tools=[work], model=ScriptedModel([calls, "done"]))
    result = run(agent, run_config=RunConfig(tool_execution=ToolExecutionConfig(max_function_tool_concurrency=most)))
    assert max(counts) == (most or 5)
    assert [item.output for item in outputs(result)] == [0, 1, 2, 3, 4]


def test_a_tool_that_ends_the_run_keeps_those_that_wait_from_being_called(run: Run) -> None:
    called: list[int] = []

    @function_tool(failure_error_function=None)
    async def work(number: int) -> int:
        called.append(number)
        await asyncio.sleep(0)
        raise OSError("no such room")

    calls = [function_call("work", {"number": n}, call_id=f"c{n}") for n in range(5)]
    agent = Agent(name="a", tools=[work], model=ScriptedModel([calls]))
    with pytest.raises(UserError, match="no such room"):
        run(agent, run_config=RunConfig(tool_execution=ToolExecutionConfig(max_function_tool_concurrency=1)))
    assert called == [0]


def test_cancelling_a_run_cancels_its_tools_whatever_they_are_waiting_for() -> None:
    ended: list[str] = []

    async def scenario() -> None:
        are_waiting = asyncio.Event()

        @function_tool(timeout=30)
        async def waits(number: int) -> str:
            are_waiting.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                ended.append(f"waits {number}")
                raise
            return "never"

        calls = [function_call("waits", {"number": n}, call_id=f"c{n}") for n in range(3)]
        agent = Agent(name="a", tools=[waits], model=ScriptedModel([calls]))
        config = RunConfig(tool_execution=ToolExecutionConfig(max_function_tool_concurrency=2))
        result = Runner.run_streamed(agent, "hi", run_config=config)
        await are_waiting.wait()
        result.cancel()
        await asyncio.wait([result.run_loop_task])
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert result.is_complete

    asyncio.run(scenario())
    assert sorted(ended) == ["waits 0", "waits 1"]


def test_the_settings_of_a_run_are_checked() -> None:
    assert RunConfig(tool_execution={"max_function_tool_concurrency": 2}).tool_execution == ToolExecutionConfig(2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_function_tool_concurrency"):
        ToolExecutionConfig(max_function_tool_concurrency=0)
    with pytest.raises(ValueError, match="tool_name_collision_policy must be warn or error, not 'shrug'"):
        RunConfig(tool_name_collision_policy="shrug")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="tool_not_found_behavior must be raise_error or return_error_to_model"):
        RunConfig(tool_not_found_behavior="shrug")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="tool_use_behavior must be run_llm_again, stop_on_first_tool, StopAtTools"):
        Agent(name="a", tool_use_behavior="shrug")  # type: ignore[arg-type]


def decided(context: RunContextWrapper[Any], results: list[FunctionToolResult]) -> ToolsToFinalOutputResult:
    names = [result.tool.name for result in results]
    gave = [result.output for result in results]
    items = [type(result.run_item).__name__ for result in results]
    return ToolsToFinalOutputResult(is_final_output=True, final_output=[context.context, names, gave, items])


async def decided_later(context: RunContextWrapper[Any], results: list[FunctionToolResult]) -> ToolsToFinalOutputResult:
    return ToolsToFinalOutputResult(is_final_output=True, final_output="later")


@pytest.mark.parametrize(
    ("behavior", "final"),
    [
        ("run_llm_again", "done"),
        ("stop_on_first_tool", "1"),
        (StopAtTools(stop_at_tool_names=["two", "other"]), "two"),
        (StopAtTools(stop_at_tool_names=["other"]), "done"),
        (
            decided,
            '["ctx", ["one", "two"], [1, "two"], ["ToolCallOutputItem", "ToolCallOutputItem"]]',
        ),
        (decided_later, "later"),
        (lambda context, results: ToolsToFinalOutputResult(is_final_output=False), "done"),
    ],
)
def test_the_outputs_of_tools_may_end_the_run(run: Run, behavior: Any, final: str) -> None:
    agent = calling(one, two, tool_use_behavior=behavior)
    result = run(agent, context="ctx")
    assert result.final_output == final
    assert [item.output for item in outputs(result)] == [1, "two"]
    assert len(model_of(agent).calls) == (2 if final == "done" else 1)


def test_what_tools_end_a_run_with_is_a_value_where_the_agent_has_an_output_type(run: Run) -> None:
    assert run(calling(one, tool_use_behavior="stop_on_first_tool", output_type=int)).final_output == 1
    assert run(calling(one, tool_use_behavior="stop_on_first_tool", output_type=str)).final_output == "1"


def test_a_function_that_decides_nothing_ends_the_run(run: Run) -> None:
    with pytest.raises(UserError, match="tool_use_behavior returned a NoneType"):
        run(calling(one, tool_use_behavior=lambda context, results: None))


@tool_input_guardrail
def lets_through(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.allow((data.agent.name, data.context.tool_name, data.context.tool_arguments))


@tool_input_guardrail
async def rejects(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.reject_content("not today", output_info={"why": "rain"})


@tool_input_guardrail(name="the wire")
def stops(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.raise_exception("info")


@tool_output_guardrail
def reads(data: ToolOutputGuardrailData) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.allow(data.output)


@tool_output_guardrail
async def hides(data: ToolOutputGuardrailData) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.reject_content("hidden")


@tool_output_guardrail
def forbids(data: ToolOutputGuardrailData) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.raise_exception()


def guarded(called: list[str], **guardrails: Any) -> FunctionTool:
    def look(at: str) -> str:
        called.append(at)
        return f"seen {at}"

    return function_tool(look, **guardrails)


def test_a_guardrail_may_keep_a_tool_from_being_called(run: Run) -> None:
    called: list[str] = []
    agent = calling(
        guarded(called, tool_input_guardrails=[lets_through, rejects, stops], tool_output_guardrails=[forbids]),
        calls={"look": {"at": "sky"}},
    )
    result = run(agent)
    assert called == []
    assert read(agent) == ["not today"]
    assert [
        (found.guardrail.get_name(), found.output.output_info) for found in result.tool_input_guardrail_results
    ] == [
        ("lets_through", ("a", "look", '{"at": "sky"}')),
        ("rejects", {"why": "rain"}),
    ]
    assert result.tool_output_guardrail_results == []


def test_a_guardrail_may_put_something_in_place_of_an_output(run: Run) -> None:
    called: list[str] = []
    agent = calling(guarded(called, tool_output_guardrails=[reads, hides, forbids]), calls={"look": {"at": "sky"}})
    result = run(agent)
    assert called == ["sky"]
    assert read(agent) == ["hidden"]
    assert [item.output for item in outputs(result)] == ["hidden"]
    assert [found.output.output_info for found in result.tool_output_guardrail_results] == ["seen sky", None]


def test_an_output_guardrail_sees_what_the_model_would_be_told_of_a_failure(run: Run) -> None:
    def fail() -> str:
        raise OSError("no such room")

    result = run(calling(function_tool(fail, tool_output_guardrails=[reads])))
    assert [found.output.output_info for found in result.tool_output_guardrail_results] == [
        "Error: OSError: no such room"
    ]


def test_a_guardrail_may_end_the_run_before_a_tool_is_called(run: Run) -> None:
    called: list[str] = []
    tool = guarded(called, tool_input_guardrails=[lets_through, stops])
    with pytest.raises(ToolInputGuardrailTripwireTriggered, match="'the wire' stopped the run") as caught:
        run(calling(tool, calls={"look": {"at": "sky"}}))
    assert called == []
    assert (caught.value.guardrail, caught.value.output.output_info) == (stops, "info")
    assert caught.value.run_data is not None
    (passed,) = caught.value.run_data.tool_input_guardrail_results
    assert passed.guardrail is lets_through


def test_a_guardrail_may_end_the_run_at_what_a_tool_gave(run: Run) -> None:
    called: list[str] = []
    with pytest.raises(ToolOutputGuardrailTripwireTriggered, match="'forbids' stopped the run") as caught:
        run(calling(guarded(called, tool_output_guardrails=[forbids]), calls={"look": {"at": "sky"}}))
    assert called == ["sky"]
    assert caught.value.guardrail is forbids


def test_a_guardrail_that_says_nothing_ends_the_run(run: Run) -> None:
    mute = tool_input_guardrail(lambda data: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(UserError, match="must return a ToolGuardrailFunctionOutput, not NoneType"):
        run(calling(guarded([], tool_input_guardrails=[mute]), calls={"look": {"at": "sky"}}))


class Told(RunHooks[Any]):
    """Notes what it is told of tools."""

    def __init__(self) -> None:
        self.of: list[tuple[str, ...]] = []

    async def on_tool_start(self, context: RunContextWrapper[Any], agent: Agent[Any], tool: Tool) -> None:
        assert isinstance(context, ToolContext)
        self.of.append(("start", agent.name, tool.name, context.tool_call_id))

    async def on_tool_end(self, context: RunContextWrapper[Any], agent: Agent[Any], tool: Tool, result: object) -> None:
        self.of.append(("end", agent.name, tool.name, str(result)))


class AgentTold(AgentHooks[Any]):
    """Notes what an agent's hooks are told of tools."""

    def __init__(self) -> None:
        self.of: list[str] = []

    async def on_tool_start(self, context: RunContextWrapper[Any], agent: Agent[Any], tool: Tool) -> None:
        self.of.append(f"start {tool.name}")

    async def on_tool_end(self, context: RunContextWrapper[Any], agent: Agent[Any], tool: Tool, result: object) -> None:
        self.of.append(f"end {tool.name}")


def test_hooks_are_told_of_each_tool_that_is_called_and_of_what_the_model_reads(run: Run) -> None:
    hooks, own = Told(), AgentTold()
    look = guarded([], tool_output_guardrails=[hides])
    agent = calling(look, calls={"look": {"at": "sky"}}, hooks=own)
    run(agent, hooks=hooks)
    assert hooks.of == [("start", "a", "look", "c1"), ("end", "a", "look", "hidden")]
    assert own.of == ["start look", "end look"]


def test_hooks_are_told_of_failures_and_timeouts_too(run: Run) -> None:
    hooks = Told()
    run(calling(fails), hooks=hooks)
    run(calling(hangs), hooks=hooks)
    assert [told[-1] for told in hooks.of if told[0] == "end"] == [
        "Error: OSError: no such room",
        "Error: tool 'hangs' took longer than 0.01 s",
    ]


def test_hooks_are_told_nothing_of_a_call_that_a_guardrail_rejects(run: Run) -> None:
    hooks = Told()
    run(calling(guarded([], tool_input_guardrails=[rejects]), calls={"look": {"at": "sky"}}), hooks=hooks)
    assert hooks.of == []


def test_the_context_of_a_call_tells_of_it(run: Run) -> None:
    seen: list[ToolContext[Any]] = []

    @function_tool
    def look(context: ToolContext[Any], at: str) -> str:
        seen.append(context)
        return at

    run(calling(look, calls={"look": {"at": "sky"}}), context={"user": 1})
    context = seen[0]
    assert (context.context, context.tool_name, context.qualified_tool_name) == ({"user": 1}, "look", "look")
    assert (context.tool_call_id, context.tool_arguments) == ("c1", '{"at": "sky"}')
    assert context.tool_call is not None
    assert (context.tool_call.name, context.tool_call.call_id) == ("look", "c1")
    assert context.agent is not None
    assert context.agent.name == "a"
    assert context.turn_input == [{"role": "user", "content": "hi"}]


def test_items_tell_where_a_tool_comes_from_and_what_it_is_for(run: Run) -> None:
    result = run(calling(one))
    call = next(item for item in result.new_items if isinstance(item, ToolCallItem))
    assert call.description == "Give one."
    assert call.tool_origin is not None
    assert call.tool_origin.type is ToolOriginType.FUNCTION
    assert outputs(result)[0].tool_origin == call.tool_origin


def test_a_tool_may_note_something_of_a_call_for_the_program_alone(run: Run) -> None:
    async def note(data: FunctionToolCustomDataContext) -> dict[str, Any]:
        return {"call": data.tool_context.tool_call_id, "gave": data.output, "item": data.raw_item["output"]}

    agent = calling(function_tool(lambda: 3, name_override="noted", custom_data_extractor=note), one)
    result = run(agent)
    assert [item.custom_data for item in outputs(result)] == [{"call": "c1", "gave": 3, "item": "3"}, None]
    assert "gave" not in str(model_of(agent).calls[-1].input)


@pytest.mark.parametrize(
    ("extractor", "message"), [(lambda data: 1 / 0, "failed: division by zero"), (lambda data: 5, "returned an int")]
)
def test_an_extractor_that_fails_ends_the_run(run: Run, extractor: Any, message: str) -> None:
    tool = function_tool(lambda: 3, name_override="noted", custom_data_extractor=extractor)
    with pytest.raises(UserError, match=f"custom_data_extractor of tool 'noted' {message}"):
        run(calling(tool))


def test_parts_are_put_to_the_model_as_parts(run: Run) -> None:
    parts = [ToolOutputText(text="a map"), ToolOutputImage(image_url="https://x/map.png", detail="low")]
    agent = calling(function_tool(lambda: parts, name_override="draw"))
    result = run(agent)
    assert read(agent) == [
        [
            {"type": "input_text", "text": "a map"},
            {"type": "input_image", "image_url": "https://x/map.png", "detail": "low"},
        ]
    ]
    assert outputs(result)[0].output == parts


def test_a_message_beside_calls_does_not_end_the_run(run: Run) -> None:
    steps = [[assistant_message("Let me see."), function_call("one", {}, call_id="c1")], "done"]
    assert run(Agent(name="a", tools=[one], model=ScriptedModel(steps))).final_output == "done"
