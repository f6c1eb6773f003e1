"""What a type checker finds in code of users: each comment is needed, or checking this file fails."""

from __future__ import annotations

from typing import Any

from agentctl import (
    Agent,
    FunctionTool,
    GuardrailFunctionOutput,
    MessageOutputItem,
    ModelSettings,
    RunConfig,
    RunContextWrapper,
    RunHooks,
    RunItemStreamEvent,
    Runner,
    function_tool,
    handoff,
    input_guardrail,
)


def wrong_instructions(context: RunContextWrapper[int]) -> str:
    return "no agent"


Agent(nme="a")  # type: ignore[call-arg]
Agent(name="a", instructions=wrong_instructions)  # type: ignore[arg-type]
Agent(name="a", tools=["weather"])  # type: ignore[list-item]
Agent(name="a", tool_use_behavior="stop")  # type: ignore[arg-type]
ModelSettings(temprature=0.2)  # type: ignore[call-arg]
RunConfig(tool_not_found_behavior="ignore")  # type: ignore[arg-type]
MessageOutputItem(agent=Agent(name="a"), raw_item="text")  # type: ignore[arg-type]
handoff(Agent(name="a"), input_type=int)  # type: ignore[call-overload]


@function_tool(strictmode=True)  # type: ignore[call-overload,untyped-decorator]
def misspelt() -> str:
    return ""


@input_guardrail  # type: ignore[arg-type]
def of_too_little(context: RunContextWrapper[Any]) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=False)


class Hooks(RunHooks[int]):
    async def on_handoff(self, context: RunContextWrapper[int]) -> None: ...  # type: ignore[override]


def called(event: RunItemStreamEvent, tool: FunctionTool) -> bool:
    tool("x")  # type: ignore[operator]
    return event.name == "tool_caled"  # type: ignore[comparison-overlap]


async def main() -> int:
    await Runner.run(Agent(name="a"), "hi", max_turns="3")  # type: ignore[arg-type]
    result = await Runner.run(Agent(name="a"), "hi", sesion=None)  # type: ignore[call-arg]
    return result.final_output_as(str)  # type: ignore[return-value]
