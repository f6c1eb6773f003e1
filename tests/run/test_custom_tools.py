"""Custom tools and tool search: free text in, output out, and tools in namespaces."""

import asyncio
from typing import Any

import pytest

from agentctl import (
    Agent,
    CustomTool,
    ModelBehaviorError,
    Runner,
    ToolCallOutputItem,
    ToolContext,
    ToolSearchCallItem,
    ToolSearchOutputItem,
    ToolSearchTool,
    UserError,
    function_tool,
    tool_namespace,
)
from agentctl.agent.ports import ModelRequest
from agentctl.models.responses.request import build_request
from agentctl.testing import ScriptedModel, function_call
from tests.run.conftest import Run


def custom_call(text: str, name: str = "sql") -> dict[str, Any]:
    return {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c1", "name": name, "input": text}


def tool(**options: Any) -> CustomTool:
    async def query(context: ToolContext[Any], text: str) -> Any:
        assert context.tool_call_id == "c1"
        if text == "fail":
            raise RuntimeError("no table")
        return {"rows": [text]}

    return CustomTool(name="sql", description="Runs SQL.", on_invoke_tool=query, **options)


@pytest.mark.parametrize(("text", "output"), [("select 1", '{"rows": ["select 1"]}'), ("fail", "no table")])
def test_the_text_of_the_model_is_passed_and_the_output_sent(run: Run, text: str, output: str) -> None:
    model = ScriptedModel([[custom_call(text)], "done"])
    result = run(Agent(name="a", model=model, tools=[tool(custom_data_extractor=lambda data: {"input": data.input})]))
    assert model.calls[1].input[-1] == {"type": "custom_tool_call_output", "call_id": "c1", "output": output}
    item = result.new_items[1]
    assert isinstance(item, ToolCallOutputItem)
    assert item.custom_data == {"input": text}


def test_a_call_may_need_approval() -> None:
    async def scenario() -> Any:
        model = ScriptedModel([[custom_call("drop table")], "done"])
        agent = Agent(name="a", model=model, tools=[tool(needs_approval=lambda context, text, call_id: "drop" in text)])
        result = await Runner.run(agent, "hi")
        assert [item.arguments for item in result.interruptions] == ["drop table"]
        state = result.to_state()
        state.reject(result.interruptions[0])
        await Runner.run(agent, state)
        return model.calls[1].input[-1]

    assert "not approved" in asyncio.run(scenario())["output"]


def test_a_call_of_no_such_tool_is_an_error(run: Run) -> None:
    with pytest.raises(ModelBehaviorError, match="custom_tool_call"):
        run(Agent(name="a", model=ScriptedModel([[custom_call("x", name="other")]]), tools=[tool()]))


@function_tool(defer_loading=True)
def lookup(word: str) -> str:
    """Look a word up."""
    return f"{word} of the shop"


@function_tool(name_override="lookup")
def lookup_elsewhere(word: str) -> str:
    """Look a word up elsewhere."""
    return f"{word} of the bank"


def spaces() -> list[Any]:
    return [
        *tool_namespace(name="shop", description="The shop.", tools=[lookup]),
        *tool_namespace(name="bank", description="The bank.", tools=[lookup_elsewhere]),
        ToolSearchTool(),
    ]


def test_tools_of_a_namespace_are_sent_together() -> None:
    tools = build_request(ModelRequest(input="hi", tools=spaces()), "gpt-x")["tools"]
    assert [(one["type"], one.get("name")) for one in tools] == [
        ("namespace", "shop"),
        ("namespace", "bank"),
        ("tool_search", None),
    ]
    assert tools[0]["tools"][0]["defer_loading"] is True
    assert "defer_loading" not in tools[1]["tools"][0]


def test_a_search_goes_on_and_a_call_finds_the_tool_of_its_namespace(run: Run) -> None:
    search = {"type": "tool_search_call", "id": "ts_1", "call_id": None, "arguments": {"q": "word"}}
    found = {"type": "tool_search_output", "id": "tso_1", "tools": []}
    calls = [
        function_call("lookup", {"word": "x"}, call_id="1", namespace="bank"),
        function_call("lookup", {"word": "y"}, call_id="2", namespace="shop"),
    ]
    model = ScriptedModel([[search, found], calls, "done"])
    result = run(Agent(name="a", model=model, tools=spaces()))
    assert isinstance(result.new_items[0], ToolSearchCallItem)
    assert isinstance(result.new_items[1], ToolSearchOutputItem)
    outputs = [item.output for item in result.new_items if isinstance(item, ToolCallOutputItem)]
    assert outputs == ["x of the bank", "y of the shop"]


def test_programmatic_calls_are_refused() -> None:
    with pytest.raises(UserError, match="programmatic tool calling"):
        function_tool(allowed_callers=["programmatic"], name_override="f")(lambda: None)
    with pytest.raises(UserError, match="non-empty"):
        tool_namespace(name="x", description=" ", tools=[])
