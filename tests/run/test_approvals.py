"""Calls that need somebody's yes: what waits, who decides, and what comes of it; streamed and not streamed."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from agentctl import (
    Agent,
    ApplyPatchTool,
    FunctionTool,
    FunctionToolResult,
    GuardrailFunctionOutput,
    HostedMCPTool,
    InputGuardrailTripwireTriggered,
    LocalShellTool,
    MaxTurnsExceeded,
    MCPApprovalRequestItem,
    MCPApprovalResponseItem,
    MCPToolApprovalRequest,
    ModelBehaviorError,
    OutputGuardrailTripwireTriggered,
    RunConfig,
    RunContextWrapper,
    RunErrorHandlerInput,
    RunHooks,
    Runner,
    ShellTool,
    Tool,
    ToolApprovalItem,
    ToolCallOutputItem,
    ToolContext,
    ToolErrorFormatterArgs,
    ToolExecutionConfig,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrailData,
    ToolOutputGuardrailData,
    ToolsToFinalOutputResult,
    UserError,
    function_tool,
    handoff,
    input_guardrail,
    output_guardrail,
    tool_input_guardrail,
    tool_output_guardrail,
)
from agentctl.run.result import RunResultBase
from agentctl.testing import ScriptedModel, function_call
from tests.run.conftest import Run
from tests.run.test_local_tools import patch_call, shell_call
from tests.tracing.recorder import recording

done: Counter[str] = Counter()
"""How often each call was made, by its id."""


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    done.clear()


@function_tool(needs_approval=True)
def delete(context: ToolContext[Any], name: str) -> str:
    """Delete a file."""
    done[context.tool_call_id] += 1
    return f"deleted {name}"


@function_tool
async def look(context: ToolContext[Any]) -> str:
    """Look around."""
    done[context.tool_call_id] += 1
    return "looked"


def deletes(*names: str) -> list[dict[str, Any]]:
    return [function_call("delete", {"name": name}, call_id=f"c-{name}") for name in names]


def looks(call_id: str = "c-look") -> dict[str, Any]:
    return function_call("look", {}, call_id=call_id)


def agent_with(*steps: Any, tools: list[Tool] | None = None, name: str = "a", **fields: Any) -> Agent[Any]:
    model = ScriptedModel(steps)
    return Agent(name=name, model=model, tools=[delete, look] if tools is None else tools, **fields)


def waiting(result: RunResultBase) -> list[str]:
    return [f"{item.agent.name} {item.name} {item.arguments}" for item in result.interruptions]


def outputs(result: RunResultBase) -> list[Any]:
    return [item.output for item in result.new_items if isinstance(item, ToolCallOutputItem)]


def sent(agent: Agent[Any], call: int = -1) -> list[dict[str, Any]]:
    assert isinstance(agent.model, ScriptedModel)
    given = agent.model.calls[call].input
    assert isinstance(given, list)
    return given


def approved(run: Run, agent: Agent[Any], result: RunResultBase, **options: Any) -> RunResultBase:
    """Go on, with a yes to all that waits."""
    state = result.to_state()
    for item in state.get_interruptions():
        state.approve(item)
    return run(agent, state, **options)


def test_a_call_that_needs_a_yes_waits_for_it(run: Run) -> None:
    agent = agent_with(deletes("x"), "done")
    result = run(agent)
    assert waiting(result) == ['a delete {"name": "x"}']
    assert (result.final_output, outputs(result), dict(done)) == (None, [], {})
    result = approved(run, agent, result)
    assert (result.final_output, result.interruptions) == ("done", [])
    assert (outputs(result), dict(done)) == (["deleted x"], {"c-x": 1})
    assert len(result.raw_responses) == 2


def test_the_model_reads_that_a_call_was_rejected(run: Run) -> None:
    agent = agent_with(deletes("x"), "then not")
    state = run(agent).to_state()
    state.reject(state.get_interruptions()[0])
    result = run(agent, state)
    assert (result.final_output, dict(done)) == ("then not", {})
    output = result.new_items[1]
    assert isinstance(output, ToolCallOutputItem)
    assert output.failed
    assert sent(agent)[-1] == {
        "type": "function_call_output",
        "call_id": "c-x",
        "output": "The call was not approved, so it was not made.",
    }


def test_a_no_may_say_why(run: Run) -> None:
    agent = agent_with(deletes("x"), "then not")
    state = run(agent).to_state()
    state.reject(state.get_interruptions()[0], rejection_message="That one is needed.")
    assert outputs(run(agent, state)) == ["That one is needed."]


def test_the_run_words_a_no_without_words(run: Run) -> None:
    told: list[ToolErrorFormatterArgs[Any]] = []

    def words(args: ToolErrorFormatterArgs[Any]) -> str:
        told.append(args)
        return "Nope."

    agent = agent_with(deletes("x"), "then not")
    state = run(agent).to_state()
    state.reject(state.get_interruptions()[0])
    result = run(agent, state, run_config=RunConfig(tool_error_formatter=words))
    assert outputs(result) == ["Nope."]
    assert [(args.kind, args.tool_type, args.tool_name, args.call_id) for args in told] == [
        ("approval_rejected", "function", "delete", "c-x")
    ]


def test_always_is_for_every_later_call_of_the_tool(run: Run) -> None:
    agent = agent_with(deletes("x"), deletes("y"), "done")
    state = run(agent).to_state()
    state.approve(state.get_interruptions()[0], always_approve=True)
    assert outputs(run(agent, state)) == ["deleted x", "deleted y"]


def test_never_is_for_every_later_call_of_the_tool(run: Run) -> None:
    agent = agent_with(deletes("x"), deletes("y"), "done")
    state = run(agent).to_state()
    state.reject(state.get_interruptions()[0], always_reject=True, rejection_message="Never.")
    assert outputs(run(agent, state)) == ["Never.", "Never."]
    assert not done


def test_never_is_for_calls_that_would_need_no_yes(run: Run) -> None:
    tool = with_approval(delete, lambda context, arguments, call_id: arguments["name"] == "x")
    agent = agent_with(deletes("x"), deletes("y"), "done", tools=[tool])
    state = run(agent).to_state()
    state.reject(state.get_interruptions()[0], always_reject=True)
    run(agent, state)
    assert not done


def test_a_yes_is_for_one_call_even_where_a_later_one_has_its_id(run: Run) -> None:
    again = [function_call("delete", {"name": "all"}, call_id="c-x")]
    agent = agent_with(deletes("x"), again, "done")
    result = approved(run, agent, run(agent))
    assert waiting(result) == ['a delete {"name": "all"}']
    assert dict(done) == {"c-x": 1}


def test_a_yes_to_a_call_that_was_then_cancelled_is_for_no_later_one(run: Run) -> None:
    agent = agent_with(deletes("x"), [function_call("delete", {"name": "all"}, call_id="c-x")])
    state = run(agent).to_state()
    state.approve(state.get_interruptions()[0])
    result = run(agent, cancelled(agent, state).to_state())
    assert waiting(result) == ['a delete {"name": "all"}']
    assert not done


def test_a_yes_to_a_call_of_a_run_that_was_then_cancelled_is_for_no_later_one(run: Run) -> None:
    inner = agent_with(deletes("x"), deletes("x"), name="inner")
    calls = [[function_call("sub", {"input": "go"}, call_id=call_id)] for call_id in ("c1", "c2")]
    agent = agent_with(*calls, tools=[inner.as_tool("sub", "")])
    state = run(agent).to_state()
    state.approve(state.get_interruptions()[0])
    assert waiting(run(agent, cancelled(agent, state).to_state())) == ['inner delete {"name": "x"}']
    assert not done


def test_a_yes_in_a_run_that_then_failed_is_for_no_later_one(run: Run) -> None:
    @function_tool(needs_approval=True, failure_error_function=None)
    def fail() -> str:
        raise OSError("no such room")

    call = [function_call("fail", {}, call_id="c1")]
    inner = agent_with(call, call, name="inner", tools=[fail])
    subs = [[function_call("sub", {"input": "go"}, call_id=call_id)] for call_id in ("s1", "s2")]
    agent = agent_with(*subs, tools=[inner.as_tool("sub", "")])
    result = approved(run, agent, run(agent))
    assert waiting(result) == ["inner fail {}"]
    assert "no such room" in outputs(result)[0]


def test_a_no_holds_though_the_tool_needs_no_yes_any_more(run: Run) -> None:
    agent = agent_with(deletes("x"), "done")
    state = run(agent).to_state()
    state.reject(state.get_interruptions()[0])
    agent.tools = [with_approval(delete, False)]
    assert run(agent, state).final_output == "done"
    assert not done


def test_calls_of_one_turn_that_cannot_be_told_apart_are_not_asked_about(run: Run) -> None:
    both = [*deletes("x"), function_call("delete", {"name": "all"}, call_id="c-x")]
    with pytest.raises(ModelBehaviorError, match="2 calls the same id 'c-x'"):
        run(agent_with(both))
    assert not done


def with_approval(tool: FunctionTool, needs_approval: Any) -> FunctionTool:
    return FunctionTool(
        tool.name, tool.description, tool.params_json_schema, tool.on_invoke_tool, needs_approval=needs_approval
    )


def _is_x(context: RunContextWrapper[Any], arguments: dict[str, Any], call_id: str) -> bool:
    return (context.context, arguments["name"], call_id) == ("ctx", "x", "c-x")


async def _is_x_later(context: RunContextWrapper[Any], arguments: dict[str, Any], call_id: str) -> bool:
    await asyncio.sleep(0)
    return _is_x(context, arguments, call_id)


@pytest.mark.parametrize("needs_approval", [_is_x, _is_x_later])
def test_a_function_may_say_which_calls_need_a_yes(run: Run, needs_approval: Any) -> None:
    agent = agent_with(deletes("x", "y"), "done", tools=[with_approval(delete, needs_approval)])
    result = run(agent, context="ctx")
    assert waiting(result) == ['a delete {"name": "x"}']
    assert dict(done) == {"c-y": 1}
    assert outputs(approved(run, agent, result)) == ["deleted x", "deleted y"]


def test_a_call_is_judged_once(run: Run) -> None:
    judged: list[str] = []

    def judge(context: Any, arguments: Any, call_id: str) -> bool:
        judged.append(call_id)
        return len(judged) == 1

    agent = agent_with(deletes("x"), "done", tools=[with_approval(delete, judge)])
    result = run(agent, run(agent).to_state())
    assert waiting(result) == ['a delete {"name": "x"}']
    assert judged == ["c-x"]


@pytest.mark.parametrize("arguments", ['{"name": ', "[1]", '"x"', "[" * 100_000])
def test_a_call_that_cannot_be_read_waits(run: Run, arguments: str) -> None:
    tool = with_approval(delete, lambda *_: False)
    agent = agent_with([function_call("delete", arguments, call_id="c1")], tools=[tool])
    assert [item.arguments for item in run(agent).interruptions] == [arguments]


def test_a_function_that_cannot_say_ends_the_run(run: Run) -> None:
    def judge(context: Any, arguments: Any, call_id: str) -> bool:
        raise OSError("no book of rules")

    with pytest.raises(UserError, match="needs_approval of tool 'delete' failed: OSError: no book of rules"):
        run(agent_with(deletes("x"), tools=[with_approval(delete, judge)]))
    assert not done


def test_the_others_are_made_at_once_and_their_outputs_join_in_call_order(run: Run) -> None:
    agent = agent_with([looks("c1"), *deletes("x"), looks("c2"), *deletes("y")], "done")
    result = run(agent)
    assert (dict(done), outputs(result)) == ({"c1": 1, "c2": 1}, [])
    state = result.to_state()
    state.reject(state.get_interruptions()[1], rejection_message="no")
    state.approve(state.get_interruptions()[0])
    result = run(agent, state)
    assert outputs(result) == ["looked", "deleted x", "looked", "no"]
    assert dict(done) == {"c1": 1, "c2": 1, "c-x": 1}
    assert result.to_input_list() == [*sent(agent), result.new_items[-1].wire]


def test_what_is_not_decided_still_waits(run: Run) -> None:
    agent = agent_with(deletes("x", "y"), "done")
    state = run(agent).to_state()
    state.approve(state.get_interruptions()[1])
    result = run(agent, state)
    assert waiting(result) == ['a delete {"name": "x"}']
    assert (dict(done), outputs(result)) == ({"c-y": 1}, [])
    assert waiting(run(agent, result.to_state())) == ['a delete {"name": "x"}']
    assert outputs(approved(run, agent, result)) == ["deleted x", "deleted y"]
    assert dict(done) == {"c-x": 1, "c-y": 1}


def test_a_state_is_gone_on_from_more_than_once(run: Run) -> None:
    state = run(agent_with(deletes("x"))).to_state()
    assert len(state.get_interruptions()) == 1
    state.approve(state.get_interruptions()[0])
    for _ in range(2):
        agent = state.current_agent
        agent.model = ScriptedModel(["done"])
        assert run(agent, state).final_output == "done"
    assert done["c-x"] == 2


def test_only_what_waits_is_decided_about(run: Run) -> None:
    agent = agent_with(deletes("x"))
    state = run(agent).to_state()
    with pytest.raises(UserError, match="no call 'c-y' of tool 'delete' waits"):
        state.approve(ToolApprovalItem(agent, deletes("y")[0]))
    with pytest.raises(UserError, match="is about a ToolApprovalItem, not str"):
        state.reject("c-x")  # type: ignore[arg-type]


def test_a_call_may_be_decided_about_before_it_waits(run: Run) -> None:
    class Approves(RunHooks[Any]):
        async def on_llm_end(self, context: RunContextWrapper[Any], agent: Any, response: Any) -> None:
            for wire in response.wire_output:
                if wire["type"] == "function_call":
                    context.approve_tool(ToolApprovalItem(agent, wire))

    assert outputs(run(agent_with(deletes("x"), "done"), hooks=Approves())) == ["deleted x"]


def test_a_tool_may_decide_about_calls_to_come(run: Run) -> None:
    @function_tool
    def allow(context: ToolContext[Any]) -> str:
        assert context.agent is not None
        context.approve_tool(ToolApprovalItem(context.agent, deletes("x")[0]), always_approve=True)
        return "allowed"

    agent = agent_with([function_call("allow", {}, call_id="c1")], deletes("y"), "done", tools=[delete, allow])
    assert outputs(run(agent)) == ["allowed", "deleted y"]


def test_the_context_tells_what_was_decided(run: Run) -> None:
    seen: list[Any] = []

    class Sees(RunHooks[Any]):
        async def on_tool_start(self, context: Any, agent: Any, tool: Tool) -> None:
            seen.append((context.is_tool_approved("delete", "c-x"), context.get_approval_status("delete", "c-y")))

    agent = agent_with(deletes("x", "y"), "done")
    state = run(agent).to_state()
    one, other = state.get_interruptions()
    state.approve(one)
    state.reject(other, rejection_message="no")
    context = run(agent, state, hooks=Sees()).context_wrapper
    assert seen == [(True, False)]
    assert (context.is_tool_approved("delete", "c-x"), context.is_tool_approved("delete", "c-z")) == (True, None)
    assert (context.get_rejection_message("delete", "c-x"), context.get_rejection_message("delete", "c-y")) == (
        None,
        "no",
    )


class Told(RunHooks[Any]):
    """Counts what hooks are told."""

    def __init__(self) -> None:
        self.of: Counter[str] = Counter()

    async def on_agent_start(self, context: Any, agent: Any) -> None:
        self.of[f"agent {agent.name}"] += 1

    async def on_tool_start(self, context: Any, agent: Any, tool: Tool) -> None:
        self.of[f"start {context.tool_call_id}"] += 1

    async def on_tool_end(self, context: Any, agent: Any, tool: Tool, result: object) -> None:
        self.of[f"end {context.tool_call_id}"] += 1


def test_the_call_of_an_agent_waits_with_the_calls_of_its_run(run: Run) -> None:
    inner = agent_with(deletes("x"), deletes("y"), "inner done", name="inner")
    told = Told()
    tool = inner.as_tool("sub", "", hooks=told)
    agent = agent_with([function_call("sub", {"input": "go"}, call_id="c1"), looks()], "done", tools=[look, tool])
    result = run(agent, hooks=told)
    assert waiting(result) == ['inner delete {"name": "x"}']
    result = approved(run, agent, result, hooks=told)
    assert waiting(result) == ['inner delete {"name": "y"}']
    result = approved(run, agent, result, hooks=told)
    assert (result.final_output, outputs(result)) == ("done", ["inner done", "looked"])
    ids = ("c1", "c-look", "c-x", "c-y")
    assert told.of == {
        "agent a": 1,
        "agent inner": 1,
        **{f"start {call_id}": 1 for call_id in ids},
        **{f"end {call_id}": 1 for call_id in ids},
    }
    assert result.context_wrapper.usage.requests == 5


def test_agents_of_agents_wait_and_go_on(run: Run) -> None:
    innermost = agent_with(deletes("x"), "deep", name="innermost")
    call = [function_call("sub", {"input": "go"}, call_id="c1")]
    inner = agent_with([*call, *deletes("y")], "inner done", name="inner", tools=[delete, innermost.as_tool("sub", "")])
    agent = agent_with(call, "done", tools=[inner.as_tool("sub", "")])
    result = run(agent)
    assert waiting(result) == ['inner delete {"name": "y"}', 'innermost delete {"name": "x"}']
    state = result.to_state()
    state.approve(state.get_interruptions()[1])
    result = run(agent, state)
    assert waiting(result) == ['inner delete {"name": "y"}']
    assert outputs(approved(run, agent, result)) == ["inner done"]
    assert dict(done) == {"c-x": 1, "c-y": 1}


def test_runs_of_two_agents_wait_at_once(run: Run) -> None:
    def steps(request: Any) -> Any:
        return deletes(request.input) if isinstance(request.input, str) else "ok"

    inner = agent_with(*[steps] * 4, name="inner")
    calls = [function_call("sub", {"input": name}, call_id=f"s-{name}") for name in ("x", "y")]
    agent = agent_with(calls, "done", tools=[inner.as_tool("sub", "")])
    result = run(agent)
    assert waiting(result) == ['inner delete {"name": "x"}', 'inner delete {"name": "y"}']
    state = result.to_state()
    state.approve(state.get_interruptions()[0])
    result = run(agent, state)
    assert waiting(result) == ['inner delete {"name": "y"}']
    assert outputs(approved(run, agent, result)) == ["ok", "ok"]
    assert dict(done) == {"c-x": 1, "c-y": 1}


def test_runs_whose_calls_cannot_be_told_apart_are_not_asked_about(run: Run) -> None:
    inner = agent_with(deletes("x"), deletes("x"), name="inner")
    calls = [function_call("sub", {"input": "go"}, call_id=call_id) for call_id in ("c1", "c2")]
    with pytest.raises(ModelBehaviorError, match=r"2 calls the same id 'c-x of inner, delete'"):
        run(agent_with(calls, tools=[inner.as_tool("sub", "")]))


def test_always_holds_for_every_run_of_the_agent_and_for_no_other(run: Run) -> None:
    inner = agent_with(deletes("x"), "one", deletes("y"), "two", name="inner")
    calls = [[function_call("sub", {"input": "go"}, call_id=call_id)] for call_id in ("c1", "c2")]
    agent = agent_with(*calls, deletes("z"), tools=[delete, inner.as_tool("sub", "")])
    state = run(agent).to_state()
    state.approve(state.get_interruptions()[0], always_approve=True)
    result = run(agent, state)
    assert waiting(result) == ['a delete {"name": "z"}']
    assert outputs(result) == ["one", "two"]


def test_an_agent_as_a_tool_may_itself_need_a_yes(run: Run) -> None:
    inner = agent_with(deletes("x"), "inner done", name="inner")
    call = [function_call("sub", {"input": "go"}, call_id="c1")]
    agent = agent_with(call, "done", tools=[inner.as_tool("sub", "", needs_approval=True)])
    result = run(agent)
    assert waiting(result) == ['a sub {"input": "go"}']
    result = approved(run, agent, result)
    assert waiting(result) == ['inner delete {"name": "x"}']
    assert outputs(approved(run, agent, result)) == ["inner done"]


def test_a_handoff_beside_a_call_that_waits_is_taken_when_all_is_answered(run: Run) -> None:
    other = agent_with("hello", name="other")
    calls = [function_call("transfer_to_other", {}, call_id="h1"), *deletes("x")]
    agent = agent_with(calls, handoffs=[other])
    result = run(agent)
    assert result.last_agent is agent
    result = approved(run, agent, result)
    assert (result.final_output, result.last_agent) == ("hello", other)
    assert [item.type for item in result.new_items] == [
        "handoff_call_item",
        "tool_call_item",
        "tool_call_output_item",
        "handoff_output_item",
        "message_output_item",
    ]


def _first_of(context: Any, results: list[FunctionToolResult]) -> ToolsToFinalOutputResult:
    return ToolsToFinalOutputResult(True, "; ".join(f"{one.tool.name}: {one.output}" for one in results))


@pytest.mark.parametrize(
    ("behavior", "output"),
    [
        ("stop_on_first_tool", "looked"),
        ({"stop_at_tool_names": ["delete"]}, "deleted x"),
        (_first_of, "look: looked; delete: deleted x"),
    ],
)
def test_what_tools_give_may_end_a_run_that_waited(run: Run, behavior: Any, output: str) -> None:
    agent = agent_with([looks(), *deletes("x")], tool_use_behavior=behavior)
    result = run(agent)
    assert result.final_output is None
    assert approved(run, agent, result).final_output == output


def checked_delete(seen: list[str], **fields: Any) -> FunctionTool:
    @tool_input_guardrail
    def before(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
        seen.append(f"before {data.context.tool_call_id}")
        if "secret" in data.context.tool_arguments:
            return ToolGuardrailFunctionOutput.reject_content("not that one")
        return ToolGuardrailFunctionOutput.allow()

    @tool_output_guardrail
    def after(data: ToolOutputGuardrailData) -> ToolGuardrailFunctionOutput:
        seen.append(f"after {data.context.tool_call_id} {data.output}")
        return ToolGuardrailFunctionOutput.allow()

    tool = with_approval(delete, True)
    tool.tool_input_guardrails, tool.tool_output_guardrails = [before], [after]
    return tool


def test_guardrails_of_a_tool_check_a_call_when_it_is_made(run: Run) -> None:
    seen: list[str] = []
    agent = agent_with(deletes("x", "y"), "done", tools=[checked_delete(seen)])
    state = run(agent).to_state()
    assert seen == []
    one, other = state.get_interruptions()
    state.approve(one)
    state.reject(other)
    result = run(agent, state)
    assert seen == ["before c-x", "after c-x deleted x"]
    assert len(result.tool_input_guardrail_results) == len(result.tool_output_guardrail_results) == 1


def test_guardrails_may_check_a_call_before_somebody_is_asked_too(run: Run) -> None:
    seen: list[str] = []
    config = RunConfig(tool_execution=ToolExecutionConfig(pre_approval_tool_input_guardrails=True))
    agent = agent_with(deletes("x", "secret"), "done", tools=[checked_delete(seen)])
    result = run(agent, run_config=config)
    assert waiting(result) == ['a delete {"name": "x"}']
    result = approved(run, agent, result, run_config=config)
    assert outputs(result) == ["deleted x", "not that one"]
    assert seen == ["before c-x", "before c-secret", "before c-x", "after c-x deleted x"]


def test_guardrails_of_an_agent_as_a_tool_check_its_call_once(run: Run) -> None:
    seen: list[str] = []
    tool = agent_with(deletes("x"), "inner done", name="inner").as_tool("sub", "")
    checked = checked_delete(seen)
    tool.tool_input_guardrails, tool.tool_output_guardrails = (
        checked.tool_input_guardrails,
        checked.tool_output_guardrails,
    )
    agent = agent_with([function_call("sub", {"input": "go"}, call_id="c1")], "done", tools=[tool])
    approved(run, agent, run(agent))
    assert seen == ["before c1", "after c1 inner done"]


SHELL_CALL = shell_call("ls", "rm x", timeout_ms=10)


def shell(**fields: Any) -> ShellTool:
    def executor(request: Any) -> str:
        done[request.data.call_id] += 1
        return "files"

    return ShellTool(executor=executor, **fields)


def test_a_shell_call_waits_and_runs(run: Run) -> None:
    agent = agent_with([SHELL_CALL], "done", tools=[shell(needs_approval=True)])
    result = run(agent)
    assert waiting(result) == ['a shell {"commands": ["ls", "rm x"], "timeout_ms": 10}']
    assert not done
    assert outputs(approved(run, agent, result)) == ["files"]
    assert dict(done) == {"s1": 1}


def test_a_shell_call_that_was_rejected_says_so(run: Run) -> None:
    agent = agent_with([SHELL_CALL], "done", tools=[shell(needs_approval=True)])
    state = run(agent).to_state()
    state.reject(state.get_interruptions()[0], rejection_message="Not here.")
    run(agent, state)
    assert sent(agent)[-1] == {
        "type": "shell_call_output",
        "call_id": "s1",
        "output": [{"stdout": "Not here.", "stderr": "", "outcome": {"type": "exit", "exit_code": 1}}],
    }
    assert not done


def test_a_function_says_which_commands_need_a_yes(run: Run) -> None:
    seen: list[Any] = []

    async def needs(context: Any, action: Any, call_id: str) -> bool:
        seen.append((action.commands, call_id))
        return "rm x" in action.commands

    assert run(agent_with([SHELL_CALL], tools=[shell(needs_approval=needs)])).interruptions
    assert run(agent_with([shell_call("ls")], "done", tools=[shell(needs_approval=needs)])).final_output == "done"
    assert seen == [(["ls", "rm x"], "s1"), (["ls"], "s1")]


async def _yes(context: RunContextWrapper[Any], item: ToolApprovalItem) -> Any:
    return {"approve": item.name == "shell"}


def _no(context: RunContextWrapper[Any], item: ToolApprovalItem) -> Any:
    return {"approve": False, "reason": f"no {item.name}"}


def test_the_tool_may_decide_itself(run: Run) -> None:
    agent = agent_with([SHELL_CALL], "done", tools=[shell(needs_approval=True, on_approval=_yes)])
    assert outputs(run(agent)) == ["files"]
    agent = agent_with([SHELL_CALL], "done", tools=[shell(needs_approval=True, on_approval=_no)])
    assert outputs(run(agent)) == ["no shell"]
    assert done["s1"] == 1


@pytest.mark.parametrize("answer", [True, {"approve": "yes"}, {"reason": "?"}, "yes"])
def test_a_decision_of_a_tool_that_is_none_ends_the_run(run: Run, answer: Any) -> None:
    tool = shell(needs_approval=True, on_approval=lambda *_: answer)
    with pytest.raises(UserError, match="approval callback of tool 'shell' must return a dict with approve"):
        run(agent_with([SHELL_CALL], tools=[tool]))
    assert not done


def test_a_decision_of_a_tool_that_fails_ends_the_run(run: Run) -> None:
    def decide(*_: Any) -> Any:
        raise OSError("nobody there")

    with pytest.raises(UserError, match="on_approval of tool 'shell' failed: OSError: nobody there"):
        run(agent_with([SHELL_CALL], tools=[shell(needs_approval=True, on_approval=decide)]))


class Editor:
    def create_file(self, operation: Any) -> str:
        done[operation.path] += 1
        return "created"

    update_file = delete_file = create_file


def test_a_patch_waits_and_is_applied_or_not(run: Run) -> None:
    patches = [patch_call("create_file", "a", "+x", "p1"), patch_call("create_file", "b", "+x", "p2")]
    agent = agent_with(patches, "done", tools=[ApplyPatchTool(editor=Editor(), needs_approval=True)])
    state = run(agent).to_state()
    one, other = state.get_interruptions()
    assert one.arguments == '{"type": "create_file", "path": "a", "diff": "+x"}'
    state.approve(one)
    state.reject(other, rejection_message="Not b.")
    run(agent, state)
    assert sent(agent)[-2:] == [
        {"type": "apply_patch_call_output", "call_id": "p1", "status": "completed", "output": "created"},
        {"type": "apply_patch_call_output", "call_id": "p2", "status": "failed", "output": "Not b."},
    ]
    assert dict(done) == {"a": 1}


def test_a_local_shell_asks_nobody(run: Run) -> None:
    call = {"type": "local_shell_call", "call_id": "l1", "action": {"type": "exec", "command": ["ls"], "env": {}}}
    tool = LocalShellTool(executor=lambda request: "files")
    assert outputs(run(agent_with([call], "done", tools=[tool]))) == ["files"]


def request(name: str = "search", server: str = "docs", request_id: str = "r1") -> dict[str, Any]:
    return {"type": "mcp_approval_request", "id": request_id, "server_label": server, "name": name, "arguments": "{}"}


def hosted(decide: Any = None, server: str = "docs") -> HostedMCPTool:
    return HostedMCPTool(
        {"type": "mcp", "server_label": server, "server_url": "https://example.com"}, on_approval_request=decide
    )


def test_the_service_waits_for_a_yes_to_a_call_of_its_own(run: Run) -> None:
    agent = agent_with([request()], "done", tools=[hosted()])
    result = run(agent)
    assert waiting(result) == ["a search {}"]
    result = approved(run, agent, result)
    assert [type(item) for item in result.new_items[:2]] == [MCPApprovalRequestItem, MCPApprovalResponseItem]
    assert sent(agent)[-1] == {"type": "mcp_approval_response", "approval_request_id": "r1", "approve": True}


def test_the_service_is_told_why_not(run: Run) -> None:
    agent = agent_with([request()], "done", tools=[hosted()])
    state = run(agent).to_state()
    state.reject(state.get_interruptions()[0], rejection_message="not now")
    run(agent, state)
    assert sent(agent)[-1] == {
        "type": "mcp_approval_response",
        "approval_request_id": "r1",
        "approve": False,
        "reason": "not now",
    }


@pytest.mark.parametrize(("answer", "told"), [({"approve": True}, None), ({"approve": False, "reason": "no"}, "no")])
def test_a_hosted_tool_may_decide_about_calls_of_its_server(run: Run, answer: Any, told: str | None) -> None:
    seen: list[MCPToolApprovalRequest] = []

    async def decide(request: MCPToolApprovalRequest) -> Any:
        seen.append(request)
        return answer

    agent = agent_with([request()], "done", tools=[hosted(server="other"), hosted(decide)])
    assert run(agent, context=5).final_output == "done"
    assert [(one.ctx_wrapper.context, one.data.name) for one in seen] == [(5, "search")]
    assert (sent(agent)[-1]["approve"], sent(agent)[-1].get("reason")) == (answer["approve"], told)


def test_always_for_a_tool_of_one_server_is_for_none_of_another(run: Run) -> None:
    agent = agent_with(
        [request()], [request(request_id="r2")], [request(server="other", request_id="r3")], tools=[hosted()]
    )
    state = run(agent).to_state()
    state.approve(state.get_interruptions()[0], always_approve=True)
    assert [item.call_id for item in run(agent, state).interruptions] == ["r3"]


def test_a_call_that_was_approved_may_take_too_long(run: Run) -> None:
    async def hang(context: Any, arguments: str) -> str:
        await asyncio.Event().wait()
        return ""

    tool = FunctionTool("hang", "", {}, hang, strict_json_schema=False, needs_approval=True, timeout_seconds=0.01)
    agent = agent_with([function_call("hang", {}, call_id="c1")], "done", tools=[tool])
    assert "hang" in outputs(approved(run, agent, run(agent)))[0]


def test_turns_count_on(run: Run) -> None:
    agent = agent_with(deletes("x"), deletes("y"))
    result = approved(run, agent, run(agent, max_turns=2))
    assert waiting(result) == ['a delete {"name": "y"}']
    assert result.to_state().current_turn == 2
    with pytest.raises(MaxTurnsExceeded, match="more than 2 turns"):
        approved(run, agent, result, max_turns=9)


def test_error_handlers_are_there_after_the_wait(run: Run) -> None:
    def handle(data: RunErrorHandlerInput[Any]) -> str:
        return "enough"

    agent = agent_with(deletes("x"))
    result = run(agent, max_turns=1)
    assert approved(run, agent, result, error_handlers={"max_turns": handle}).final_output == "enough"


def test_output_guardrails_check_what_comes_after_the_wait(run: Run) -> None:
    @output_guardrail
    def never(context: Any, agent: Any, output: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(None, tripwire_triggered=True)

    agent = agent_with(deletes("x"), "done", output_guardrails=[never])
    result = run(agent)
    with pytest.raises(OutputGuardrailTripwireTriggered):
        approved(run, agent, result)


def test_input_guardrails_check_the_input_once_and_then_what_is_added(run: Run) -> None:
    seen: list[Any] = []

    @input_guardrail
    def see(context: Any, agent: Any, input: Any) -> GuardrailFunctionOutput:
        seen.append(input)
        return GuardrailFunctionOutput(None, tripwire_triggered="bad" in str(input))

    agent = agent_with(deletes("x"), "done", input_guardrails=[see])
    state = run(agent).to_state()
    state.approve(state.get_interruptions()[0])
    assert seen == ["hi"]
    state.add_input("more")
    assert len(run(agent, state).input_guardrail_results) == 2
    assert seen == ["hi", [{"role": "user", "content": "more"}]]
    state.add_input("bad")
    agent.model = model = ScriptedModel([])
    with pytest.raises(InputGuardrailTripwireTriggered) as caught:
        run(agent, state)
    assert caught.value.run_data is not None
    assert [item.type for item in caught.value.run_data.new_items] == ["tool_call_item", "tool_call_output_item"]
    assert model.calls == ()


@pytest.mark.parametrize("options", [{"previous_response_id": "r0"}, {"conversation_id": "conv"}])
def test_a_service_that_keeps_the_history_is_sent_the_outputs_alone(run: Run, options: dict[str, str]) -> None:
    agent = agent_with([looks(), *deletes("x")], "done")
    state = run(agent, **options).to_state()
    state.approve(state.get_interruptions()[0])
    state.add_input("more")
    run(agent, state)
    assert [item.get("output") or item["content"] for item in sent(agent)] == ["looked", "deleted x", "more"]
    assert isinstance(agent.model, ScriptedModel)
    call = agent.model.calls[-1]
    previous = "resp_scripted_1" if "previous_response_id" in options else None
    assert (call.conversation_id, call.previous_response_id) == (options.get("conversation_id"), previous)


def test_the_trace_goes_on_under_its_id(run: Run) -> None:
    agent = agent_with(deletes("x"), "done")
    with recording() as recorder:
        approved(run, agent, run(agent))
    assert len(recorder.traces) == 2
    assert len({trace.trace_id for trace in recorder.traces}) == 1


def cancelled(agent: Agent[Any], state: Any, begun: asyncio.Event | None = None) -> Any:
    """Go on streamed, and cancel: at once, or when something has begun."""

    async def scenario() -> Any:
        result = Runner.run_streamed(agent, state)
        if begun is not None:
            await begun.wait()
        result.cancel()
        async for _ in result.stream_events():
            pass
        await asyncio.wait([result.run_loop_task])
        return result

    return asyncio.run(scenario())


def test_a_call_that_is_cancelled_after_its_yes_is_made_no_more(run: Run) -> None:
    begun = asyncio.Event()

    async def hang(context: Any, arguments: str) -> str:
        begun.set()
        await asyncio.Event().wait()
        return ""

    tool = FunctionTool("hang", "", {}, hang, strict_json_schema=False, needs_approval=True)
    calls = [looks("c1"), function_call("hang", {}, call_id="c2"), looks("c3")]
    agent = agent_with(calls, "done", tools=[look, tool])
    state = run(agent).to_state()
    state.approve(state.get_interruptions()[0])
    result = cancelled(agent, state, begun)
    assert (result.interruptions, result.final_output) == ([], None)
    first, broken_off, last = outputs(result)
    assert (first, last) == ("looked", "looked")
    assert "was cancelled before" in broken_off
    after = run(agent, result.to_state())
    assert (after.final_output, outputs(after)) == ("done", [first, broken_off, last])
    assert dict(done) == {"c1": 1, "c3": 1}


def test_a_run_that_is_cancelled_before_it_goes_on_waits_no_more(run: Run) -> None:
    agent = agent_with(deletes("x"), "done")
    result = cancelled(agent, run(agent).to_state())
    assert result.interruptions == []
    assert ["was cancelled before" in output for output in outputs(result)] == [True]
    assert run(agent, result.to_state()).final_output == "done"
    assert not done


def test_a_run_that_waits_has_ended_and_is_not_cancelled(run: Run) -> None:
    agent = agent_with(deletes("x"), "done")

    async def scenario() -> Any:
        result = Runner.run_streamed(agent, "hi")
        async for _ in result.stream_events():
            pass
        result.cancel()
        return result

    result = asyncio.run(scenario())
    assert result.is_complete
    assert waiting(result) == ['a delete {"name": "x"}']
    assert approved(run, agent, result).final_output == "done"


def test_a_run_that_fails_after_the_yes_can_be_gone_on_with(run: Run) -> None:
    @function_tool(needs_approval=True, failure_error_function=None)
    def fail() -> str:
        raise OSError("no such room")

    async def scenario(state: Any) -> Any:
        result = Runner.run_streamed(agent, state)
        with pytest.raises(UserError, match="no such room"):
            async for _ in result.stream_events():
                pass
        return result

    agent = agent_with([looks(), function_call("fail", {}, call_id="c1")], "done", tools=[look, fail])
    state = run(agent).to_state()
    state.approve(state.get_interruptions()[0])
    result = asyncio.run(scenario(state))
    assert outputs(result) == []
    after = run(agent, result.to_state())
    assert after.final_output == "done"
    assert outputs(after)[0] == "looked"
    assert "was cancelled before" in outputs(after)[1]
    assert dict(done) == {"c-look": 1}


def test_a_filter_of_a_handoff_goes_on_after_the_wait(run: Run) -> None:
    other = agent_with([looks("c2"), *deletes("x")], "done", name="other")
    to_other = handoff(other, input_filter=lambda data: data.clone(input_history="short", new_items=()))
    agent = agent_with([function_call("transfer_to_other", {}, call_id="h1")], handoffs=[to_other])
    result = approved(run, agent, run(agent))
    assert result.final_output == "done"
    assert [item.get("type", item.get("content")) for item in sent(other)] == [
        "short",
        "function_call",
        "function_call",
        "function_call_output",
        "function_call_output",
    ]
    assert len(result.to_input_list()) == 8
