"""Tools of the service in runs: their calls are items without outputs of ours, and part of what is sent next."""

import asyncio
from typing import Any, Literal

import pytest

from agentctl import (
    Agent,
    ApplyPatchOperation,
    ApplyPatchTool,
    HostedMCPTool,
    ModelSettings,
    MultiProvider,
    RunConfig,
    RunItemStreamEvent,
    Runner,
    ShellTool,
    Tool,
    ToolCallItem,
    UserError,
    WebSearchTool,
    function_tool,
)
from agentctl.testing import ScriptedModel, assistant_message, function_call
from tests.run.conftest import Run
from tests.service.client import Service
from tests.service.steps import item, items, text, tool_calls

SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}}
MCP_CALL = {
    "type": "mcp_call",
    "id": "mcp_1",
    "server_label": "docs",
    "name": "look",
    "arguments": "{}",
    "output": "seen",
}
SHELL = {"type": "shell_call", "id": "sh_1", "call_id": "s1", "status": "completed", "action": {"commands": ["ls"]}}
PATCH = {
    "type": "apply_patch_call",
    "id": "ap_1",
    "call_id": "p1",
    "status": "completed",
    "operation": {"type": "create_file", "path": "a", "diff": "+x"},
}


@function_tool
def double(number: int) -> int:
    """Double a number."""
    return number * 2


class Editor:
    """An editor that makes nothing."""

    def create_file(self, operation: ApplyPatchOperation) -> str:
        return f"created {operation.path}"

    def update_file(self, operation: ApplyPatchOperation) -> str:
        return f"updated {operation.path}"

    def delete_file(self, operation: ApplyPatchOperation) -> str:
        return f"deleted {operation.path}"


def test_a_call_beside_an_answer_is_an_item_and_nothing_to_run(run: Run) -> None:
    model = ScriptedModel([[SEARCH, assistant_message("found")]])
    result = run(Agent("a", tools=[WebSearchTool()], model=model))
    assert result.final_output == "found"
    assert next(item.to_input_item() for item in result.new_items) == SEARCH
    assert isinstance(result.new_items[0], ToolCallItem)


def test_after_calls_alone_the_model_is_asked_again(run: Run) -> None:
    model = ScriptedModel([[SEARCH, MCP_CALL], "found"])
    result = run(Agent("a", tools=[WebSearchTool()], model=model))
    assert result.final_output == "found"
    assert model.calls[1].input[1:] == [SEARCH, MCP_CALL]


def test_a_forced_choice_is_lifted_after_a_call_of_the_services(run: Run) -> None:
    model = ScriptedModel([[SEARCH], "found"])
    run(Agent("a", tools=[WebSearchTool()], model=model, model_settings=ModelSettings(tool_choice="web_search")))
    assert [call.model_settings.tool_choice for call in model.calls] == ["web_search", None]


def test_calls_of_both_kinds_stay_in_their_order(run: Run) -> None:
    model = ScriptedModel([[SEARCH, function_call("double", {"number": 2}, call_id="f1")], "4"])
    run(Agent("a", tools=[WebSearchTool(), double], model=model))
    sent = model.calls[1].input
    assert isinstance(sent, list)
    assert [item.get("type") for item in sent[1:]] == [
        "web_search_call",
        "function_call",
        "function_call_output",
    ]


def test_the_stream_tells_of_them_as_calls() -> None:
    async def scenario() -> list[str]:
        agent = Agent("a", tools=[WebSearchTool()], model=ScriptedModel([[SEARCH, assistant_message("found")]]))
        events = Runner.run_streamed(agent, "hi").stream_events()
        return [event.name async for event in events if isinstance(event, RunItemStreamEvent)]

    assert asyncio.run(scenario()) == ["tool_called", "message_output_created"]


@pytest.mark.parametrize("store", [None, False])
@pytest.mark.parametrize("transport", ["http", "websocket"])
def test_calls_go_back_as_they_came_over_each_transport(
    service: Service, transport: Literal["http", "websocket"], store: bool | None
) -> None:
    service.script(
        items(item(SEARCH), tool_calls(("double", {"number": 2}, "f1"))),
        items(item(SHELL), item(PATCH)),
        item(MCP_CALL),
        text("done"),
    )
    tools: list[Tool] = [
        WebSearchTool(),
        HostedMCPTool({"type": "mcp", "server_label": "docs", "server_url": "https://example.org"}),
        double,
        ShellTool(lambda request: "listed"),
        ApplyPatchTool(Editor()),
    ]

    async def scenario() -> Any:
        provider = MultiProvider(
            openai_api_key="sk-hosted", openai_base_url=service.base_url, responses_transport=transport
        )
        agent = Agent("a", tools=tools, model="gpt-x", model_settings=ModelSettings(store=store))
        try:
            return await Runner.run(agent, "hi", run_config=RunConfig(model_provider=provider))
        finally:
            await provider.aclose()

    result = asyncio.run(scenario())
    assert result.final_output == "done"
    kinds = [item["type"] for item in result.to_input_list()[1:]]
    assert kinds == [
        "web_search_call",
        "function_call",
        "function_call_output",
        "shell_call",
        "apply_patch_call",
        "shell_call_output",
        "apply_patch_call_output",
        "mcp_call",
        "message",
    ]
    requests = [request["body"] for request in service.requests(bodies=True)]
    assert [tool["type"] for tool in requests[0]["tools"]] == ["web_search", "mcp", "function", "shell", "apply_patch"]
    if transport == "http":
        assert [each["type"] for each in requests[3]["input"][1:]] == kinds[:-1]


@pytest.mark.parametrize("tool", [WebSearchTool(), ShellTool(lambda request: ""), ApplyPatchTool(Editor())])
def test_chat_completions_says_which_tool_it_does_not_know(tool: Any) -> None:
    async def scenario() -> None:
        provider = MultiProvider(
            openai_api_key="sk-hosted", openai_base_url="http://127.0.0.1:9", openai_use_responses=False
        )
        try:
            with pytest.raises(UserError, match=f"not the tool '{tool.name}' .*: use the Responses API"):
                await Runner.run(
                    Agent("a", tools=[tool], model="gpt-x"), "hi", run_config=RunConfig(model_provider=provider)
                )
        finally:
            await provider.aclose()

    asyncio.run(scenario())
