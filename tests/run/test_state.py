"""The state of a run: what it keeps as JSON, what reads it again, and what it says of one that was tampered with."""

import asyncio
import copy
import gc
import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from agentctl import (
    Agent,
    AgentsException,
    GuardrailFunctionOutput,
    HandoffInputData,
    ModelSettings,
    RunConfig,
    RunContextWrapper,
    Runner,
    ShellTool,
    SQLiteSession,
    Tool,
    ToolApprovalItem,
    ToolCallOutputItem,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrailData,
    Usage,
    UserError,
    function_tool,
    handoff,
    input_guardrail,
    tool_input_guardrail,
    trace,
)
from agentctl.run.result import RunResultBase
from agentctl.run.state.run_state import RunState
from agentctl.testing import ScriptedModel, assistant_message, function_call
from tests.run.conftest import Run
from tests.run.test_local_tools import shell_call
from tests.tracing.recorder import recording


@function_tool(needs_approval=True)
def delete(name: str) -> str:
    """Delete a file."""
    return f"deleted {name}"


@function_tool
async def look() -> dict[str, list[str]]:
    """Look around."""
    return {"seen": ["x"]}


@tool_input_guardrail
def checked(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.allow({"by": "checked"})


look.tool_input_guardrails = [checked]


@input_guardrail
def harmless(context: Any, agent: Any, given: Any) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput({"is": "harmless"}, tripwire_triggered=False)


def deletes(*names: str) -> list[dict[str, Any]]:
    return [function_call("delete", {"name": name}, call_id=f"c-{name}") for name in names]


def agent_with(*steps: Any, tools: list[Tool] | None = None, name: str = "a", **fields: Any) -> Agent[Any]:
    model = ScriptedModel(steps, default_usage=Usage(requests=1, input_tokens=3, output_tokens=2, total_tokens=5))
    return Agent(name=name, model=model, tools=[delete, look] if tools is None else tools, **fields)


def read(agent: Agent[Any], state: Any, **options: Any) -> RunState:
    """Read a state, or what is to be one, from its text."""
    text = state.to_string() if isinstance(state, RunState) else json.dumps(state)
    return asyncio.run(RunState.from_string(agent, text, **options))


def waiting_state(**options: Any) -> RunState:
    agent = agent_with(deletes("x"))
    return asyncio.run(Runner.run(agent, "hi", **options)).to_state()


def approve_all(state: RunState) -> RunState:
    for item in state.get_interruptions():
        state.approve(item)
    return state


def outputs(result: RunResultBase) -> list[Any]:
    return [item.output for item in result.new_items if isinstance(item, ToolCallOutputItem)]


def shorten(data: HandoffInputData) -> HandoffInputData:
    return data.clone(input_history="in short", new_items=data.new_items[-1:])


def whole_agent(**models: ScriptedModel) -> Agent[Any]:
    """An agent whose run has one of everything that a state keeps; models that are not given say that they are done."""
    model: Any = {name: models.get(name) or ScriptedModel(["done"] * 9) for name in ("first", "second", "inner")}
    shell = ShellTool(executor=lambda request: "files", needs_approval=True)
    inner = Agent("inner", model=model["inner"], tools=[delete, look], handoffs=[Agent("innermost")])
    second = Agent("second", model=model["second"], tools=[delete, look, shell, inner.as_tool("sub", "")])
    return Agent(
        "first",
        model=model["first"],
        handoffs=[handoff(second, input_filter=shorten)],
        input_guardrails=[harmless],
        tools=[look],
    )


@cache
def whole_text() -> str:
    """The state of such a run: calls of two agents wait, others are answered, and input is to join."""
    session = SQLiteSession("s")
    to_second = function_call("transfer_to_second", {}, call_id="h1")
    thought = {"type": "reasoning", "id": "rs_1", "summary": []}
    sub = function_call("sub", {"input": "go"}, call_id="c3")
    request = {"type": "mcp_approval_request", "id": "r1", "server_label": "docs", "name": "search", "arguments": "{}"}
    lookup = function_call("look", {}, call_id="c2")
    calls = [thought, *deletes("x", "y"), lookup, sub, shell_call("ls"), request]
    agent = whole_agent(
        first=ScriptedModel([[function_call("look", {}, call_id="c1")], [assistant_message("wait"), to_second]]),
        second=ScriptedModel([calls]),
        inner=ScriptedModel([[*deletes("z"), function_call("look", {}, call_id="c4")]]),
    )

    async def scenario() -> RunState:
        result = await Runner.run(agent, "hi", context={"user": "u1"}, session=session, max_turns=9)
        state = result.to_state()
        one, other = state.get_interruptions()[:2]
        state.approve(one, always_approve=True)
        state.reject(other, rejection_message="no")
        result = await Runner.run(agent, state)
        state = result.to_state()
        state.add_input("more")
        return state

    with recording(), closing(session):
        return asyncio.run(scenario()).to_string()


def test_a_state_says_the_same_when_it_was_read() -> None:
    kept = json.loads(whole_text())
    state = read(whole_agent(), kept)
    assert state.to_json() == kept
    assert [(item.agent.name, item.name, item.arguments) for item in state.get_interruptions()] == [
        ("second", "shell", '{"commands": ["ls"]}'),
        ("second", "search", "{}"),
        ("inner", "delete", '{"name": "z"}'),
    ]
    assert (state.current_agent.name, state.current_turn) == ("second", 3)


def test_a_state_that_was_read_is_gone_on_with(run: Run) -> None:
    result = run(whole_agent(), approve_all(read(whole_agent(), json.loads(whole_text()))))
    assert result.final_output == "done"
    assert outputs(result) == [{"seen": ["x"]}, "deleted x", "no", {"seen": ["x"]}, "done", "files"]
    assert [item.type for item in result.new_items[-3:]] == [
        "mcp_approval_response_item",
        "input_item",
        "message_output_item",
    ]
    assert result.context_wrapper.context == {"user": "u1"}
    assert [one.guardrail.get_name() for one in result.input_guardrail_results] == ["harmless"]
    assert [one.output.output_info for one in result.tool_input_guardrail_results] == [{"by": "checked"}] * 2


PROGRAM = """
import asyncio, pathlib, sys
from agentctl import Agent, RunState, Runner, function_tool
from agentctl.testing import ScriptedModel, function_call

@function_tool(needs_approval=True)
def delete(name: str) -> str:
    return f"deleted {name}"

def agent(*steps):
    return Agent("a", tools=[delete], model=ScriptedModel(steps))

async def main():
    kept = pathlib.Path(sys.argv[1])
    if not kept.exists():
        begun = agent([function_call("delete", {"name": "x"}, call_id="c1")])
        result = await Runner.run(begun, "hi", context={"n": 1})
        kept.write_text(result.to_state().to_string())
        return
    state = await RunState.from_string(agent("done"), kept.read_text())
    for item in state.get_interruptions():
        state.approve(item)
    result = await Runner.run(state.current_agent, state)
    print([item.output for item in result.new_items if item.type == "tool_call_output_item"])
    print(result.final_output, result.context_wrapper.context)

asyncio.run(main())
"""


def test_another_process_goes_on_and_no_key_is_in_what_it_reads(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    kept = tmp_path / "state.json"
    environ = {**os.environ, "OPENAI_API_KEY": "sk-canary-0123456789", "OPENAI_AGENTS_DISABLE_TRACING": "0"}
    said = [
        subprocess.run(
            [sys.executable, "program.py", kept],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    assert said == ["", "['deleted x']\ndone {'n': 1}\n"]
    assert "canary" not in kept.read_text()


def test_no_key_of_a_trace_is_kept_and_asking_for_it_is_refused() -> None:
    async def scenario() -> RunState:
        with trace("w", tracing={"api_key": "sk-canary-0123456789"}):
            return (await Runner.run(agent_with(deletes("x")), "hi")).to_state()

    with recording():
        state = asyncio.run(scenario())
        assert "canary" not in state.to_string()
        for keep in (state.to_json, state.to_string):
            with pytest.raises(UserError, match="has no key in it: set the tracing key again where the run is resumed"):
                keep(include_tracing_api_key=True)


def test_no_key_of_the_configuration_is_kept() -> None:
    headers = ModelSettings(extra_headers={"Authorization": "Bearer sk-canary-0123456789"})
    agent = agent_with(deletes("x"), model_settings=headers)
    result = asyncio.run(Runner.run(agent, "hi", run_config=RunConfig(model_settings=headers)))
    assert "canary" not in result.to_state().to_string()


def test_the_trace_goes_on_elsewhere_under_its_id_and_names(run: Run) -> None:
    with recording() as recorder:
        state = waiting_state(run_config=RunConfig(workflow_name="w", group_id="g", trace_metadata={"k": "v"}))
    kept = state.to_json()
    with recording() as elsewhere:
        again = read(agent_with("done"), kept)
        assert again.to_json()["trace"] == kept["trace"] != None  # noqa: E711
        run(again.current_agent, approve_all(again))
    assert elsewhere.traces[0].trace_id == recorder.traces[0].trace_id
    assert elsewhere.traces[0].export() == recorder.traces[0].export()


@pytest.mark.parametrize("version", [0, 2, "1", None, True, 1.5])
def test_a_version_that_nobody_knows_is_refused(version: Any) -> None:
    with pytest.raises(UserError, match=r"has version .*, and this agentctl reads version 1"):
        read(agent_with(), {**waiting_state().to_json(), "version": version})


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "5", '"x"', "{}", '{"version": 1}', "[" * 100_000])
def test_a_text_that_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"state of the run cannot be read|state of a run is not a JSON text"):
        asyncio.run(RunState.from_string(agent_with(), text))


def test_runs_within_runs_without_end_are_refused() -> None:
    agent = agent_with(tools=[])
    agent.tools = [agent.as_tool("delete", "")]
    kept = waiting_state().to_json()
    for _ in range(5_000):
        kept = {**kept, "paused": {"c-x": kept}}
    with pytest.raises(UserError, match="it is nested too deeply"):
        asyncio.run(RunState.from_json(agent, kept))


def test_an_agent_that_is_not_found_is_named() -> None:
    state = waiting_state()
    with pytest.raises(UserError, match=r"names agent 'a', which 'other' does not lead to \(it leads to: b, other\)"):
        read(Agent("other", handoffs=[Agent("b")]), state)


def test_two_agents_of_one_name_are_not_told_apart() -> None:
    state = waiting_state()
    with pytest.raises(UserError, match="names agent 'a', and 'first' leads to 2 agents of that name"):
        read(Agent("first", handoffs=[Agent("a"), Agent("a")]), state)


def test_two_agents_of_a_name_that_is_not_asked_for_do_no_harm(run: Run) -> None:
    agent = agent_with("done", handoffs=[Agent("b"), Agent("b")])
    assert run(agent, approve_all(read(agent, waiting_state()))).final_output == "done"


def test_agents_are_found_around_a_circle_of_handoffs() -> None:
    first, agent = Agent("first"), agent_with()
    first.handoffs, agent.handoffs = [agent], [handoff(first)]
    assert read(first, waiting_state()).current_agent is agent


def test_what_reads_a_state_is_an_agent() -> None:
    with pytest.raises(UserError, match="is read with its first Agent, not str"):
        read("a", waiting_state())  # type: ignore[arg-type]


def test_a_run_of_an_agent_that_is_no_tool_is_refused() -> None:
    agent = whole_agent()
    second = agent.handoffs[0].agent  # type: ignore[union-attr]
    assert second is not None
    second.tools = [tool for tool in second.tools if tool.name != "sub"]
    with pytest.raises(UserError, match="run within a call of tool 'sub', which is not an agent tool of 'second'"):
        read(agent, json.loads(whole_text()))


def test_a_tool_that_is_gone_is_missed_when_its_call_is_made(run: Run) -> None:
    with pytest.raises(AgentsException, match="delete"):
        run(agent_with(), approve_all(read(agent_with(tools=[look]), waiting_state())))


def test_what_is_approved_is_what_runs() -> None:
    kept = waiting_state().to_json()
    kept["responses"][0]["output"][0]["arguments"] = '{"name": "everything"}'
    with pytest.raises(UserError, match="calls of its last response are not among its items"):
        read(agent_with(), kept)
    assert kept["interruptions"] == [
        {"call": "c-x", "tool": "delete", "tool_origin": kept["interruptions"][0]["tool_origin"]}
    ]


PLACES = st.lists(st.integers(0, 1 << 16), min_size=1, max_size=12)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.just(10**400),
    st.floats(),
    st.sampled_from(["", "a", "second", "c-x", "c3", "function_call", "tool_call_output_item", "reasoning", "omit"]),
    st.sampled_from([[], {}, [None], {"type": "message", "content": 5}, [[1]], {"a": {}}]).map(copy.deepcopy),
)


def changed(value: Any, path: list[int], new: Any, *, is_removed: bool) -> Any:
    """Return JSON with a part of it, found along a path, put in place of another, doubled, or removed."""
    parts: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
    place = parts[path[0] % len(parts)]
    inner = value[place]
    if len(path) > 1 and isinstance(inner, dict | list) and inner:
        value[place] = changed(inner, path[1:], new, is_removed=is_removed)
    elif is_removed:
        del value[place]
    elif new == [None] and isinstance(value, list):
        value.append(copy.deepcopy(inner))
    else:
        value[place] = new
    return value


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(changes=st.lists(st.tuples(PLACES, VALUES, st.booleans()), min_size=1, max_size=3))
def test_a_state_that_was_tampered_with_is_refused_or_runs(changes: list[tuple[list[int], Any, bool]]) -> None:
    kept = json.loads(whole_text())
    for path, new, is_removed in changes:
        if kept:
            kept = changed(kept, path, new, is_removed=is_removed)

    async def scenario() -> None:
        agent = whole_agent()
        state = await RunState.from_json(agent, kept)
        approve_all(state)
        json.loads(state.to_string())
        await Runner.run(agent, state)

    try:
        asyncio.run(scenario())
    except AgentsException as error:
        assert str(error)  # noqa: PT017


@dataclass
class Account:
    user: str


class Profile(BaseModel):
    user: str


@pytest.mark.parametrize("context", [None, {"user": "u1"}, [1, 2], "text", 5, True])
def test_a_context_that_is_json_is_kept(context: Any) -> None:
    state = read(agent_with(), waiting_state(context=context))
    assert state.copy_run().context.context == context


@pytest.mark.parametrize("context", [Account("u1"), Profile(user="u1")])
def test_of_an_object_its_fields_are_kept_and_never_its_class(context: Any, caplog: pytest.LogCaptureFixture) -> None:
    state = waiting_state(context=context)
    kept = state.to_json()
    assert kept["context"] == {"user": "u1"}
    assert type(context).__name__ not in json.dumps(kept)
    assert "is saved in its state as JSON" in caplog.text
    with pytest.raises(UserError, match="is not JSON; pass a context_serializer to to_json"):
        state.to_json(strict_context=True)


def test_a_context_that_cannot_be_kept_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    state = waiting_state(context=object())
    assert state.to_json()["context"] is None
    assert "is left out of its state" in caplog.text
    with pytest.raises(UserError, match="of type object, is not JSON"):
        state.to_json(strict_context=True)


def test_a_context_is_kept_by_its_serializer_and_read_by_its_deserializer(run: Run) -> None:
    state = waiting_state(context=Account("u1"))
    kept = state.to_json(context_serializer=lambda account: {"name": account.user}, strict_context=True)
    assert kept["context"] == {"name": "u1"}
    again = read(agent_with("done"), kept, context_deserializer=lambda fields: Account(fields["name"]))
    result = run(again.current_agent, approve_all(again))
    assert result.context_wrapper.context == Account("u1")
    assert read(agent_with(), kept).copy_run().context.context == {"name": "u1"}
    with pytest.raises(UserError, match="pass its context_deserializer to from_json"):
        read(agent_with(), kept, strict_context=True)


@pytest.mark.parametrize("kept", [["no mapping"], "text", {"no": object()}])
def test_a_serializer_gives_json(kept: Any) -> None:
    with pytest.raises(UserError, match=r"result of context_serializer|context_serializer must return"):
        waiting_state(context=Account("u1")).to_json(context_serializer=lambda _: kept)


def test_a_deserializer_that_fails_is_named() -> None:
    state = waiting_state(context={"user": "u1"})
    with pytest.raises(UserError, match="context_deserializer failed: KeyError: 'name'"):
        read(agent_with(), state, context_deserializer=lambda fields: fields["name"])
    with pytest.raises(UserError, match="context_deserializer takes a mapping"):
        read(agent_with(), waiting_state(context=[1]), context_deserializer=lambda fields: fields["name"])


@pytest.mark.parametrize("override", [Account("u2"), RunContextWrapper(Account("u2"))])
def test_a_context_may_be_given_in_place_of_what_was_kept(run: Run, override: Any) -> None:
    state = read(agent_with("done"), waiting_state(context={"user": "u1"}), context_override=override)
    assert run(state.current_agent, approve_all(state)).context_wrapper.context == Account("u2")
    assert run(agent_with(), approve_all(read(agent_with("done"), waiting_state())), context=override).final_output
    again = read(agent_with("done"), waiting_state(context=1))
    assert run(again.current_agent, approve_all(again), context=override).context_wrapper.context == Account("u2")


def test_what_is_added_joins_after_the_outputs_and_before_the_next_answer(run: Run) -> None:
    agent = agent_with(deletes("x"), "done")
    state = run(agent).to_state()
    state.add_input("one")
    state.add_input([{"role": "developer", "content": "two"}])
    assert [item["content"] for item in state.pending_input] == ["one", "two"]
    state = approve_all(read(agent, state))
    result = run(agent, state)
    assert [item.type for item in result.new_items] == [
        "tool_call_item",
        "tool_call_output_item",
        "input_item",
        "input_item",
        "message_output_item",
    ]
    assert [item.get("content") for item in result.to_input_list()[3:5]] == ["one", "two"]
    assert result.to_state().pending_input == []


def test_what_is_added_waits_as_long_as_a_call_does(run: Run) -> None:
    agent = agent_with(deletes("x"), "done")
    state = run(agent).to_state()
    state.add_input("one")
    again = run(agent, state).to_state()
    assert [item["content"] for item in again.pending_input] == ["one"]
    again.clear_pending_input()
    assert len(run(agent, approve_all(again)).new_items) == 3


def test_what_is_added_is_what_it_was_then() -> None:
    state = waiting_state()
    item = {"role": "user", "content": "one"}
    state.add_input([item])
    item["content"] = "changed"
    assert state.pending_input == [{"role": "user", "content": "one"}]


@pytest.mark.parametrize("added", [5, None, ["text"], [None], {"role": "user"}])
def test_what_is_added_is_a_text_or_items(added: Any) -> None:
    with pytest.raises(UserError, match="a text or a list of items"):
        waiting_state().add_input(added)


def test_nothing_is_added_where_no_model_call_would_read_it(run: Run) -> None:
    ended = run(agent_with("done")).to_state()
    with pytest.raises(UserError, match="it has ended"):
        ended.add_input("more")
    with pytest.raises(UserError, match=r"used its 1 turn$"):
        waiting_state(max_turns=1).add_input("more")
    behaviors: list[Any] = ["stop_on_first_tool", {"stop_at_tool_names": ["delete"]}, lambda *_: None]
    for behavior in behaviors:
        agent = agent_with(deletes("x"), tool_use_behavior=behavior)
        with pytest.raises(UserError, match="may be its final output"):
            run(agent).to_state().add_input("more")
    agent = agent_with(deletes("x"), tool_use_behavior={"stop_at_tool_names": ["look"]})
    run(agent).to_state().add_input("more")


def test_a_run_that_was_cancelled_takes_more_input(run: Run) -> None:
    agent = agent_with([function_call("look", {}, call_id="c1")], "done")

    async def scenario() -> RunState:
        result = Runner.run_streamed(agent, "hi")
        async for event in result.stream_events():
            if event.type == "run_item_stream_event":
                result.cancel("after_turn")
        return result.to_state()

    state = asyncio.run(scenario())
    state.add_input("more")
    result = run(agent, read(agent, state))
    assert [item.type for item in result.new_items] == [
        "tool_call_item",
        "tool_call_output_item",
        "input_item",
        "message_output_item",
    ]


def test_a_run_that_has_ended_is_not_gone_on_with(run: Run) -> None:
    agent = agent_with("done")
    for state in (run(agent).to_state(), read(agent, run(agent_with("done")).to_state())):
        with pytest.raises(UserError, match=r"has ended: start a new run with its result's to_input_list\(\)"):
            run(agent, state)


@pytest.mark.parametrize("given", [5, None, {"version": 1}])
def test_what_is_no_state_is_not_gone_on_with(run: Run, given: Any) -> None:
    with pytest.raises(UserError, match="a text, a list of items or a RunState"):
        run(agent_with(), given)


def test_a_state_is_apart_from_the_result_and_from_other_states(run: Run) -> None:
    agent = agent_with(deletes("x"), "done")
    result = run(agent)
    state, other = result.to_state(), result.to_state()
    approve_all(state)
    state.add_input("more")
    assert run(agent, state).final_output == "done"
    assert len(result.new_items) == 1
    assert len(state.get_interruptions()) == 1
    assert other.to_json() == result.to_state().to_json()


def test_agents_that_were_released_are_no_state() -> None:
    async def scenario() -> RunResultBase:
        return await Runner.run(agent_with(deletes("x")), "hi")

    result = asyncio.run(scenario())
    agent = result.last_agent
    result.release_agents()
    assert result.to_state().current_agent is agent
    del agent
    gc.collect()
    with pytest.raises(AgentsException, match="released"):
        result.to_state()


def test_a_state_tells_which_tools_were_used_and_may_be_told_otherwise(run: Run) -> None:
    settings = ModelSettings(tool_choice="required")
    agent = agent_with([function_call("look", {}, call_id="c1")], deletes("x"), "done", model_settings=settings)
    state = run(agent).to_state()
    assert state.get_tool_use_tracker_snapshot() == {"a": ["look", "delete"]}
    assert read(agent, state).get_tool_use_tracker_snapshot() == {"a": ["look", "delete"]}
    state.set_tool_use_tracker_snapshot(None)
    assert state.get_tool_use_tracker_snapshot() == {}
    state.set_tool_use_tracker_snapshot({"b": ["t"]})
    assert state.get_tool_use_tracker_snapshot() == {"b": []}


def test_reasoning_goes_back_as_the_state_says_where_the_configuration_does_not(run: Run) -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": []}
    agent = agent_with([thought, *deletes("x")], "done")
    state = run(agent).to_state()
    state.set_reasoning_item_id_policy("omit")
    run(agent, approve_all(read(agent, state)))
    assert isinstance(agent.model, ScriptedModel)
    assert agent.model.calls[-1].input[1] == {"type": "reasoning", "summary": []}


@pytest.mark.parametrize("options", [{"conversation_id": "conv"}, {"previous_response_id": "resp_scripted_1"}])
def test_a_run_may_go_on_where_the_service_keeps_the_history(run: Run, options: dict[str, str]) -> None:
    agent = agent_with(deletes("x"), "done")
    run(agent, approve_all(run(agent).to_state()), **options)
    assert isinstance(agent.model, ScriptedModel)
    call = agent.model.calls[-1]
    assert (call.conversation_id, call.previous_response_id) == (
        options.get("conversation_id"),
        options.get("previous_response_id"),
    )
    assert [item["type"] for item in call.input if isinstance(item, dict)] == ["function_call_output"]


def test_a_session_is_no_place_for_a_history_that_the_service_keeps(run: Run) -> None:
    agent = agent_with(deletes("x"))
    state = run(agent, conversation_id="conv").to_state()
    with pytest.raises(UserError, match="a run with a session keeps its history there"):
        run(agent, state, session=SQLiteSession("s"))


def test_the_session_of_a_run_within_a_call_has_each_item_once(run: Run) -> None:
    with closing(SQLiteSession("s")) as session:
        inner = agent_with(deletes("x"), deletes("y"), "inner done", name="inner")
        tool = inner.as_tool("sub", "", session=session)
        agent = agent_with([function_call("sub", {"input": "go"}, call_id="c1")], "done", tools=[tool])
        state = run(agent).to_state()
        for _ in range(2):
            assert [item.name for item in state.get_interruptions()] == ["delete"]
            state = run(agent, approve_all(read(agent, state))).to_state()
        held = asyncio.run(session.get_items())
        assert [item.get("call_id", item.get("role")) for item in held] == [
            "user",
            "c-x",
            "c-x",
            "c-y",
            "c-y",
            "assistant",
        ]


def test_a_state_taken_while_the_run_goes_on_tells_of_calls_under_way(run: Run) -> None:
    async def scenario() -> RunState:
        result = Runner.run_streamed(agent, "hi")
        async for event in result.stream_events():
            if event.type == "run_item_stream_event":
                break
        state = result.to_state()
        result.cancel()
        await asyncio.wait([result.run_loop_task])
        return state

    agent = agent_with([function_call("look", {}, call_id="c1")], "done")
    result = run(agent, read(agent, asyncio.run(scenario())))
    assert result.final_output == "done"
    assert len(outputs(result)) == 1


def test_code_that_is_not_async_goes_on_too() -> None:
    agent = agent_with(deletes("x"), "done")
    result = Runner.run_sync(agent, "hi")
    assert Runner.run_sync(agent, approve_all(result.to_state())).final_output == "done"


def test_a_trace_may_be_given(run: Run) -> None:
    with recording() as recorder:
        state = waiting_state()
        with trace("other") as other:
            pass
        state.set_trace(other)
        state.current_agent.model = ScriptedModel(["done"])
        run(state.current_agent, approve_all(state))
        assert recorder.traces[-1].trace_id == other.trace_id


def test_a_call_that_waits_shows_itself() -> None:
    item = waiting_state().get_interruptions()[0]
    assert isinstance(item, ToolApprovalItem)
    assert (item.name, item.qualified_name, item.call_id) == ("delete", "delete", "c-x")
    assert item.tool_origin == delete.origin
