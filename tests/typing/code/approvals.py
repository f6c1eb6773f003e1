"""Calls that wait for a yes, and states that are kept, as users of the Agents SDK write them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, assert_type

from agentctl import (
    Agent,
    ApplyPatchTool,
    HostedMCPTool,
    MCPToolApprovalFunctionResult,
    MCPToolApprovalRequest,
    RunConfig,
    RunContextWrapper,
    Runner,
    RunResult,
    RunState,
    ShellTool,
    ToolApprovalItem,
    ToolErrorFormatterArgs,
    ToolExecutionConfig,
    function_tool,
)
from agentctl.extensions.local_shell import LocalShell
from agentctl.extensions.workspace_editor import WorkspaceEditor


@dataclass
class Desk:
    user: str


async def is_dear(context: RunContextWrapper[Any], arguments: dict[str, Any], call_id: str) -> bool:
    return bool(arguments["euros"] > 100)


@function_tool(needs_approval=True)
def delete(name: str) -> str:
    return f"deleted {name}"


@function_tool(needs_approval=is_dear)
def pay(euros: int) -> str:
    return f"paid {euros}"


def decide(request: MCPToolApprovalRequest) -> MCPToolApprovalFunctionResult:
    if request.data.name == "search":
        return {"approve": True}
    return {"approve": False, "reason": "Only searches."}


def words(args: ToolErrorFormatterArgs[Any]) -> str | None:
    return "Not this time." if args.kind == "approval_rejected" else None


helper = Agent[Desk](name="helper", tools=[delete])
agent = Agent[Desk](
    name="clerk",
    tools=[
        delete,
        pay,
        helper.as_tool("help", "Ask for help.", needs_approval=True),
        ShellTool(LocalShell("."), needs_approval=lambda context, action, call_id: "rm" in action.commands),
        ApplyPatchTool(WorkspaceEditor("."), needs_approval=True),
        HostedMCPTool({"type": "mcp", "server_label": "docs"}, on_approval_request=decide),
    ],
)
config = RunConfig(
    tool_error_formatter=words, tool_execution=ToolExecutionConfig(pre_approval_tool_input_guardrails=True)
)


def ask(item: ToolApprovalItem) -> bool:
    print(item.agent.name, item.name, item.arguments, item.call_id)
    return item.tool_name == "pay"


def keep(desk: Desk) -> Mapping[str, Any]:
    return asdict(desk)


def desk_of(fields: Mapping[str, Any]) -> Desk:
    return Desk(user=fields["user"])


async def run() -> RunResult:
    result = await Runner.run(agent, "Pay the bill.", context=Desk("u1"), run_config=config)
    while result.interruptions:
        state = result.to_state()
        for item in state.get_interruptions():
            if ask(item):
                state.approve(item, always_approve=True)
            else:
                state.reject(item, rejection_message="No.")
        kept = state.to_string(context_serializer=keep, strict_context=True)
        state = await RunState.from_string(agent, kept, context_deserializer=desk_of)
        state.add_input("And be quick.")
        assert_type(state.pending_input, list[dict[str, Any]])
        result = await Runner.run(agent, state, run_config=config)
    return result


async def run_streamed(kept: dict[str, Any]) -> None:
    state: RunState[Any] = await RunState.from_json(agent, kept, context_override=Desk("u2"))
    result = Runner.run_streamed(agent, state)
    async for _ in result.stream_events():
        pass
    assert_type(result.interruptions, list[ToolApprovalItem])
    print(result.to_state().to_json())


def main() -> None:
    asyncio.run(run())
