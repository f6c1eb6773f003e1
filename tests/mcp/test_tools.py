"""The tools of servers in runs, streamed and not: what is offered, needs a yes, is given to the model and is traced."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from agentctl import (
    Agent,
    GuardrailFunctionOutput,
    RunConfig,
    RunContextWrapper,
    Runner,
    RunState,
    ToolCallOutputItem,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrailData,
    ToolOutputGuardrailData,
    ToolProgressed,
    UserError,
    function_tool,
    input_guardrail,
    tool_input_guardrail,
    tool_output_guardrail,
)
from agentctl.mcp import (
    MCPServerStdio,
    MCPToolCustomDataContext,
    MCPToolMetaContext,
    MCPUtil,
    ToolFilterContext,
    create_static_tool_filter,
)
from agentctl.testing import ScriptedModel, function_call
from agentctl.tracing import FunctionSpanData, MCPListToolsSpanData
from tests.tracing.recorder import recording

from . import servers
from .conftest import Way, finish
from .servers import small


def agent_of(*given: MCPServerStdio, calls: list[Any] | None = None, **fields: Any) -> Agent[Any]:
    first = [function_call("echo", {"n": 1}, call_id="c1")] if calls is None else calls
    return Agent(name="a", mcp_servers=list(given), model=ScriptedModel([first, "done"]), **fields)


def ran(way: Way, *given: MCPServerStdio, calls: list[Any] | None = None, **fields: Any) -> Any:
    """Return the result of a run whose model calls `echo`, or makes the calls, then says `done`."""

    async def scenario() -> Any:
        for server in given:
            server.start_connecting()
        try:
            return await way(agent_of(*given, calls=calls, **fields), "hi")
        finally:
            for server in given:
                await server.cleanup()

    return finish(scenario())


def outputs(result: Any) -> list[ToolCallOutputItem]:
    return [item for item in result.new_items if isinstance(item, ToolCallOutputItem)]


def offered(result: Any) -> list[str]:
    return [tool.name for tool in result.last_agent.model.calls[0].tools]


def test_tools_of_servers_come_before_the_agents_own_and_a_server_that_is_not_yet_there_is_waited_for(way: Way) -> None:
    @function_tool
    def own() -> str:
        return "mine"

    result = ran(way, small(tool_filter={"allowed_tool_names": ["who", "echo"]}), tools=[own])
    assert offered(result) == ["echo", "who", "own"]
    assert json.loads(outputs(result)[0].output["text"]) == [{"n": 1}, None]


def test_a_server_that_is_not_connected_ends_the_run(way: Way) -> None:
    with pytest.raises(UserError, match="'small' is not connected"):
        finish(way(agent_of(small()), "hi"))


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (create_static_tool_filter(["echo", "who"]), ["echo", "who"]),
        (create_static_tool_filter(blocked_tool_names=["die", "hang", "flaky"]), ["echo", "environment", "who"]),
        (create_static_tool_filter(["echo", "who"], ["who"]), ["echo"]),
        (lambda context, tool: (context.agent.name, tool.name) == ("a", "who"), ["who"]),
        (lambda context, tool: 1 / (tool.name == "echo"), ["echo"]),
    ],
)
def test_filters_say_which_tools_there_are(wanted: Any, names: list[str]) -> None:
    assert offered(ran(Runner.run, small(tool_filter=wanted), calls=[])) == names


def test_a_filter_may_be_async_and_knows_for_whom_it_filters() -> None:
    seen: list[ToolFilterContext] = []

    async def wanted(context: ToolFilterContext, tool: Any) -> bool:
        seen.append(context)
        return bool(tool.name == "echo")

    result = ran(Runner.run, small(tool_filter=wanted))
    assert offered(result) == ["echo"]
    assert (seen[0].server_name, seen[0].agent.name) == ("small", "a")
    assert create_static_tool_filter() is None

    async def outside() -> None:
        async with small(tool_filter=wanted) as server:
            with pytest.raises(UserError, match="needs run_context and agent"):
                await server.list_tools()

    finish(outside())


def test_listed_tools_are_cached_until_somebody_says_otherwise_or_the_server_does() -> None:
    async def first(server: MCPServerStdio) -> Any:
        return (await server.list_tools())[0]

    async def scenario() -> None:
        async with small() as server:
            assert [(await first(server)).description for _ in range(2)] == ["listing 1", "listing 2"]
        async with small(cache_tools_list=True) as server:
            assert server.cached_tools is None
            tool = await first(server)
            tool.description = "changed"
            assert (await first(server)).description == "listing 1"
            assert server.cached_tools is not None
            assert server.cached_tools[0].description == "listing 1"
            server.invalidate_tools_cache()
            assert [(await first(server)).description for _ in range(2)] == ["listing 2"] * 2
            await server.call_tool("change", {})
            seen = [(await first(server)).description for _ in range(2)]
            assert seen[0] == seen[1] != "listing 2"

    finish(scenario())


@pytest.mark.parametrize(
    ("setting", "waits"),
    [
        (None, False),
        ("never", False),
        ("always", True),
        (True, True),
        ({"echo": "always"}, True),
        ({"who": "always"}, False),
        ({"always": {"tool_names": ["echo"]}, "never": {"tool_names": ["who"]}}, True),
        ({"always": {"tool_names": ["who"]}}, False),
        (lambda context, agent, tool: agent.name == "a" and tool.name == "echo", True),
    ],
)
def test_policies_say_which_calls_need_a_yes(setting: Any, waits: bool, way: Way) -> None:
    result = ran(way, small(require_approval=setting))
    assert [item.name for item in result.interruptions] == (["echo"] if waits else [])


@pytest.mark.parametrize(
    "setting",
    [
        "sometimes",
        {"echo": "maybe"},
        {"always": {"tool_names": "echo"}},
        {"always": {"tool_names": ["echo"]}, "other": {}},
        {"always": {"tool_names": ["echo"]}, "never": {"tool_names": ["echo"]}},
    ],
)
def test_what_is_no_policy_is_refused(setting: Any) -> None:
    with pytest.raises(UserError, match="require_approval"):
        small(require_approval=setting)


def test_a_run_goes_on_once_a_call_is_approved_also_with_a_server_of_another_process(way: Way) -> None:
    async def begun() -> str:
        async with small(require_approval="always") as server:
            result: Any = await way(agent_of(server), "hi")
            state = result.to_state()
            state.approve(result.interruptions[0])
            return json.dumps(state.to_json())

    async def resumed(saved: str) -> Any:
        async with small(require_approval="always") as server:
            agent = Agent(name="a", mcp_servers=[server], model=ScriptedModel(["done"]))
            state = await RunState.from_json(agent, json.loads(saved))
            return await way(agent, state)

    result = finish(resumed(finish(begun())))
    assert result.final_output == "done"
    assert [json.loads(each.output["text"])[0] for each in outputs(result)] == [{"n": 1}]


def test_two_servers_with_tools_of_one_name_need_names_that_tell_the_server(way: Way) -> None:
    with pytest.raises(UserError, match=r"'die', 'echo', .*include_server_in_tool_names"):
        ran(way, small(), small(name="other"))

    @function_tool(name_override="mcp_small__who")
    def own() -> str:
        return "mine"

    only = {"allowed_tool_names": ["echo", "who"]}
    result = ran(
        way,
        small(tool_filter=only),
        small(name="my other!", tool_filter=only),
        calls=[function_call("mcp_my_other__echo", {"n": 2}, call_id="c1")],
        tools=[own],
        mcp_config={"include_server_in_tool_names": True},
    )
    first, second, *rest = offered(result)
    assert (first, rest) == ("mcp_small__echo", ["mcp_my_other__echo", "mcp_my_other__who", "mcp_small__who"])
    assert second.startswith("mcp_small__who_")
    assert json.loads(outputs(result)[0].output["text"])[0] == {"n": 2}


def test_schemas_are_made_strict_where_they_can_be(web_port: int) -> None:
    async def scenario() -> list[Any]:
        async with servers.http(web_port) as server:
            agent = Agent(name="a", mcp_servers=[server], mcp_config={"convert_schemas_to_strict": True})
            plain = await MCPUtil.get_function_tools(server, False, RunContextWrapper(None), agent)
            return [*await agent.get_all_tools(RunContextWrapper(None)), *plain]

    tools = finish(scenario())
    strict, plain = tools[0], tools[6]
    assert (strict.name, strict.strict_json_schema, plain.strict_json_schema) == ("add", True, False)
    assert strict.params_json_schema["additionalProperties"] is False
    assert "additionalProperties" not in plain.params_json_schema
    assert plain.params_json_schema["properties"]["a"]["description"] == "The first number"
    assert plain.description == "Add two numbers."


def test_structured_content_is_given_alone_where_that_is_wanted(way: Way, web_port: int) -> None:
    async def scenario() -> Any:
        async with servers.http(web_port, use_structured_content=True) as server:
            calls = [function_call("add", {"a": 1, "b": 1}, call_id="c1"), function_call("fail", {}, call_id="c2")]
            return await way(agent_of(server, calls=calls), "hi")

    added, failed = outputs(finish(scenario()))
    assert added.output == '{"value": 2}'
    assert "the disk is full" in failed.output["text"]


def test_a_server_reports_how_far_a_call_is() -> None:
    async def scenario() -> list[Any]:
        server = small("counting")
        server.start_connecting()
        try:
            agent = agent_of(server, calls=[function_call("count", {}, call_id="c1")])
            return [e async for e in Runner.run_streamed(agent, "hi").run_events() if isinstance(e, ToolProgressed)]
        finally:
            await server.cleanup()

    reports = [(e.tool, e.call_id, e.progress, e.total, e.message) for e in asyncio.run(scenario())]
    assert reports == [("count", "c1", float(done), 2.0, f"counted {done}") for done in (1, 2)]


def test_the_meta_of_a_call_and_what_the_program_notes_of_it(way: Way) -> None:
    def meta(context: MCPToolMetaContext) -> dict[str, Any]:
        return {"who": f"{context.server_name}/{context.tool_name}", "n": (context.arguments or {})["n"]}

    async def noted(context: MCPToolCustomDataContext) -> dict[str, Any]:
        return {"arguments": dict(context.arguments), "name": context.tool_display_name, "error": context.is_error}

    result = ran(way, small(tool_meta_resolver=meta, custom_data_extractor=noted))
    (output,) = outputs(result)
    assert json.loads(output.output["text"])[1] == {"who": "small/echo", "n": 1}
    assert output.custom_data == {"arguments": {"n": 1}, "name": "echo", "error": False}


def test_guardrails_of_a_server_look_at_every_call_of_its_tools(way: Way) -> None:
    @tool_input_guardrail
    def no_two(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
        if '"n": 2' in data.context.tool_arguments:
            return ToolGuardrailFunctionOutput.reject_content("not two")
        return ToolGuardrailFunctionOutput.allow()

    @tool_output_guardrail
    def no_three(data: ToolOutputGuardrailData) -> ToolGuardrailFunctionOutput:
        if '"n": 3' in data.output["text"]:
            return ToolGuardrailFunctionOutput.reject_content("not three")
        return ToolGuardrailFunctionOutput.allow()

    result = ran(
        way,
        small(tool_input_guardrails=[no_two], tool_output_guardrails=[no_three]),
        calls=[function_call("echo", {"n": n}, call_id=f"c{n}") for n in (1, 2, 3)],
    )
    assert [each.output for each in outputs(result)][1:] == ["not two", "not three"]


def test_a_failure_is_worded_by_the_server_then_the_agent_or_ends_the_run(way: Way) -> None:
    call = [function_call("flaky", {}, call_id="c1")]

    def of_server(context: Any, error: Exception) -> str:
        return f"server: {error}"

    def of_agent(context: Any, error: Exception) -> str:
        return f"agent: {error}"

    config: Any = {"failure_error_function": of_agent}
    worded = small(failure_error_function=of_server)
    assert outputs(ran(way, worded, calls=call, mcp_config=config))[0].output == "server: not yet"
    assert outputs(ran(way, small(), calls=call, mcp_config=config))[0].output == "agent: not yet"
    result = ran(way, small(), calls=[*call, function_call("die", {}, call_id="c2")])
    assert outputs(result)[0].output == "Error: MCPError: not yet"
    assert "it exited with status 3" in outputs(result)[1].output
    with pytest.raises(UserError, match="tool 'flaky' failed: MCPError: not yet"):
        ran(way, small(failure_error_function=None), calls=call, mcp_config=config)


def test_arguments_that_are_no_object_are_told_to_the_model(way: Way) -> None:
    result = ran(way, small(), calls=[function_call("echo", "[1]", call_id="c1")])
    assert "not a JSON object" in outputs(result)[0].output


def test_cancelling_a_run_cancels_its_calls() -> None:
    async def scenario() -> None:
        async with small() as server:
            agent = agent_of(server, calls=[function_call("hang", {}, call_id="c1")])
            run = asyncio.create_task(Runner.run(agent, "hi"))
            await servers.until(lambda: len(agent.model.calls) == 1)  # type: ignore[union-attr]
            await server.list_tools()
            run.cancel()
            await asyncio.wait([run])
            assert run.cancelled()
            assert (await server.call_tool("echo", {})).content

    finish(scenario())


def test_spans_tell_of_the_listing_and_of_whose_a_tool_is(way: Way, home: object) -> None:
    with recording() as recorder:
        ran(way, small(tool_filter={"allowed_tool_names": ["echo"]}))
    listed, called = (
        [span.span_data for span in recorder.spans if isinstance(span.span_data, kind)]
        for kind in (MCPListToolsSpanData, FunctionSpanData)
    )
    assert [(data.server, data.result) for data in listed] == [("small", ["echo"])] * 2
    assert [(data.name, data.mcp_data) for data in called] == [("echo", {"server": "small"})]


def test_tracing_that_is_off_stays_off(way: Way, home: object) -> None:
    async def scenario() -> None:
        async with small() as server:
            await way(agent_of(server), "hi", run_config=RunConfig(tracing_disabled=True))

    with recording() as recorder:
        finish(scenario())
    assert recorder.spans == []


def test_a_run_does_what_there_is_to_do_while_a_server_is_on_its_way(way: Way, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    @input_guardrail(run_in_parallel=False)
    async def let_it_begin(context: Any, agent: Any, given: Any) -> GuardrailFunctionOutput:
        (await asyncio.to_thread(fifo.open, "rb")).close()
        return GuardrailFunctionOutput(None, False)

    server = small(params={"env": {"LIFELINE": str(fifo)}})
    result = ran(way, server, input_guardrails=[let_it_begin])
    assert json.loads(outputs(result)[0].output["text"])[0] == {"n": 1}
