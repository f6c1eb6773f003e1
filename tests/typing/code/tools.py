"""Function tools, tool guardrails and what tools give, as users of the Agents SDK write them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, assert_type

from pydantic import BaseModel, Field

from agentctl import (
    Agent,
    AgentBase,
    FunctionTool,
    FunctionToolResult,
    ModelSettings,
    RunContextWrapper,
    StopAtTools,
    Tool,
    ToolContext,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrailData,
    ToolOutputGuardrailData,
    ToolOutputImage,
    ToolOutputText,
    ToolsToFinalOutputResult,
    WebSearchTool,
    function_tool,
    tool_input_guardrail,
    tool_output_guardrail,
)


class UserContext(BaseModel):
    name: str


@function_tool
def weather(city: Annotated[str, "the city"], unit: Literal["C", "F"] = "C") -> str:
    """Get the weather."""
    return f"sunny in {city}, 20 {unit}"


@function_tool
async def greet(context: RunContextWrapper[UserContext], times: Annotated[int, Field(ge=1)] = 1) -> str:
    return f"hi {context.context.name}" * times


@function_tool(name_override="look", description_override="Looks.", strict_mode=False, docstring_style="google")
async def look_around(
    context: ToolContext[UserContext], where: dict[str, Any]
) -> list[ToolOutputText | ToolOutputImage]:
    print(context.tool_name, context.tool_call_id, context.tool_arguments)
    return [ToolOutputText(text=str(where)), ToolOutputImage(image_url="https://example.com/x.png")]


def told(context: RunContextWrapper[Any], error: Exception) -> str:
    return f"it failed: {error}"


async def told_later(context: RunContextWrapper[Any], error: Exception) -> str:
    return str(error)


def may_be_used(context: RunContextWrapper[Any], agent: AgentBase[Any]) -> bool:
    return agent.name == "main"


async def may_be_used_later(context: RunContextWrapper[UserContext], agent: AgentBase) -> bool:
    return context.context.name == "Ada"


@tool_input_guardrail
def no_secrets(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
    if "sk-" in data.context.tool_arguments:
        return ToolGuardrailFunctionOutput.reject_content("no secrets")
    return ToolGuardrailFunctionOutput.allow()


@tool_output_guardrail(name="short")
async def short(data: ToolOutputGuardrailData) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.allow(output_info=len(str(data.output)))


@function_tool(
    failure_error_function=told,
    is_enabled=may_be_used,
    timeout=3.0,
    timeout_behavior="raise_exception",
    tool_input_guardrails=[no_secrets],
    tool_output_guardrails=[short],
)
def guarded(x: int) -> int:
    return x


@function_tool(failure_error_function=None, is_enabled=may_be_used_later)
def raising() -> None:
    raise ValueError


@function_tool(failure_error_function=told_later, is_enabled=False)
def never() -> None: ...


assert_type(weather, FunctionTool)
assert_type(greet, FunctionTool)
assert_type(guarded, FunctionTool)


class AddArguments(BaseModel):
    a: int
    b: int


async def run_add(context: ToolContext[Any], arguments: str) -> str:
    parsed = AddArguments.model_validate_json(arguments)
    return str(parsed.a + parsed.b)


add = FunctionTool(
    name="add",
    description="Adds.",
    params_json_schema=AddArguments.model_json_schema(),
    on_invoke_tool=run_add,
)


def ends(context: RunContextWrapper[Any], results: list[FunctionToolResult]) -> ToolsToFinalOutputResult:
    return ToolsToFinalOutputResult(is_final_output=len(results) > 1, final_output=results[0].output)


async def ends_later(
    context: RunContextWrapper[UserContext], results: list[FunctionToolResult]
) -> ToolsToFinalOutputResult:
    return ToolsToFinalOutputResult(is_final_output=False)


tools: list[Tool] = [weather, greet, look_around, guarded, raising, never, add, WebSearchTool()]
Agent[UserContext](name="typed", tools=[weather, greet, WebSearchTool(search_context_size="low")])
Agent(name="a", tools=tools, tool_use_behavior="stop_on_first_tool")
Agent(name="a", tools=tools, tool_use_behavior=StopAtTools(stop_at_tool_names=["add"]))
Agent(name="a", tools=tools, tool_use_behavior={"stop_at_tool_names": ["add"]})
Agent(name="a", tools=tools, tool_use_behavior=ends, model_settings=ModelSettings(tool_choice="add"))
Agent[UserContext](name="a", tools=tools, tool_use_behavior=ends_later, reset_tool_choice=False)
