"""Function tools and the context of their calls, as values."""

import asyncio
import dataclasses
from typing import Any

import pytest

from agentctl import (
    AgentHookContext,
    FunctionTool,
    RunConfig,
    RunContextWrapper,
    ToolContext,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrail,
    ToolInputGuardrailData,
    ToolOutputGuardrail,
    Usage,
    UserError,
    function_tool,
    tool_input_guardrail,
    tool_output_guardrail,
)

CALL = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"at": "sky"}'}


async def never(context: ToolContext[Any], arguments: str) -> str:
    raise AssertionError


def test_the_fields_of_a_tool_stand_in_the_order_of_the_agents_sdk() -> None:
    guardrail = ToolInputGuardrail(lambda data: ToolGuardrailFunctionOutput.allow())
    tool = FunctionTool(
        "look", "Look.", {"type": "object"}, never, False, False, [guardrail], [], True, 2.5, "raise_exception"
    )
    assert (tool.name, tool.strict_json_schema, tool.is_enabled) == ("look", False, False)
    assert (tool.tool_input_guardrails, tool.tool_output_guardrails) == ([guardrail], [])
    assert (tool.needs_approval, tool.timeout_seconds, tool.timeout_behavior) == (True, 2.5, "raise_exception")
    assert tool.qualified_name == "look"
    assert dataclasses.replace(tool, name="see").origin == tool.origin


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_a_timeout_is_a_finite_time(seconds: float) -> None:
    with pytest.raises(ValueError, match="'look': the timeout must be a finite number of seconds above 0"):
        FunctionTool("look", "", {}, never, timeout_seconds=seconds)


@pytest.mark.parametrize("seconds", ["1", True])
def test_a_timeout_is_a_number(seconds: Any) -> None:
    with pytest.raises(TypeError, match="'look': the timeout must be a number of seconds"):
        FunctionTool("look", "", {}, never, timeout_seconds=seconds)


def test_what_follows_a_timeout_is_one_of_two_things() -> None:
    with pytest.raises(ValueError, match="timeout_behavior must be error_as_result or raise_exception, not 'shrug'"):
        FunctionTool("look", "", {}, never, timeout_behavior="shrug")  # type: ignore[arg-type]


def test_what_function_tool_is_given_is_on_the_tool() -> None:
    guardrail = tool_output_guardrail(lambda data: ToolGuardrailFunctionOutput.allow())

    def look() -> str:
        """Look."""
        return "seen"

    tool = function_tool(
        look,
        name_override="see",
        is_enabled=False,
        tool_output_guardrails=[guardrail],
        timeout=3,
        timeout_behavior="raise_exception",
        timeout_error_function=lambda context, error: "late",
        custom_data_extractor=lambda data: None,
    )
    assert (tool.name, tool.is_enabled, tool.timeout_seconds, tool.timeout_behavior) == (
        "see",
        False,
        3,
        "raise_exception",
    )
    assert tool.tool_output_guardrails == [guardrail]
    assert tool.timeout_error_function is not None
    assert tool.custom_data_extractor is not None


def test_the_context_of_a_call_is_made_of_that_of_the_run() -> None:
    usage = Usage(requests=2)
    around = RunContextWrapper("ctx", usage, turn_input=[{"role": "user", "content": "hi"}], tool_input=5)
    context = ToolContext.from_agent_context(around, "c1", CALL, run_config=RunConfig())
    assert (context.context, context.usage, context.tool_input) == ("ctx", usage, 5)
    assert context.usage is usage
    assert context.turn_input == around.turn_input
    assert (context.tool_name, context.tool_call_id, context.tool_arguments) == ("look", "c1", '{"at": "sky"}')
    assert context.tool_call == CALL
    assert context.run_config is not None


def test_what_is_said_of_a_call_goes_before_what_it_says_itself() -> None:
    around = RunContextWrapper(None)
    context = ToolContext.from_agent_context(
        around, "c1", {**CALL, "namespace": "eyes"}, tool_name="see", tool_arguments="{}"
    )
    assert (context.qualified_tool_name, context.tool_arguments) == ("eyes.see", "{}")
    context = ToolContext.from_agent_context(around, "c1", CALL, tool_namespace="own")
    assert context.qualified_tool_name == "own.look"


def test_a_call_without_a_name_or_arguments_has_no_context() -> None:
    around = RunContextWrapper(None)
    with pytest.raises(ValueError, match="tool_name"):
        ToolContext.from_agent_context(around, "c1")
    with pytest.raises(ValueError, match="tool_arguments"):
        ToolContext.from_agent_context(around, "c1", tool_name="look")


def test_the_context_of_a_call_takes_the_call_in_the_sdks_order() -> None:
    context = ToolContext("ctx", Usage(), "look", "c1", "{}", CALL)
    assert (context.tool_name, context.tool_call_id, context.tool_arguments, context.tool_call) == (
        "look",
        "c1",
        "{}",
        CALL,
    )
    assert ToolContext("ctx").tool_call is None
    assert isinstance(AgentHookContext("ctx"), RunContextWrapper)


def test_a_tool_guardrail_has_the_name_it_was_given_or_that_of_its_function() -> None:
    def careful(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
        return ToolGuardrailFunctionOutput.allow()

    assert tool_input_guardrail(careful).get_name() == "careful"
    assert tool_input_guardrail(name="other")(careful).get_name() == "other"
    assert ToolOutputGuardrail(careful).get_name() == "careful"


def test_a_tool_guardrail_can_be_asked_without_a_run() -> None:
    @tool_input_guardrail
    async def careful(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
        return ToolGuardrailFunctionOutput(output_info=data.context.tool_name)

    context = ToolContext.from_agent_context(RunContextWrapper(None), "c1", CALL)
    said = asyncio.run(careful.run(ToolInputGuardrailData(context, None)))  # type: ignore[arg-type]
    assert (said.output_info, said.behavior) == ("look", {"type": "allow"})
    with pytest.raises(UserError, match="must be a function, not str"):
        asyncio.run(
            ToolInputGuardrail("x", name="odd").run(ToolInputGuardrailData(context, None))  # type: ignore[arg-type]
        )


def test_a_schema_written_by_hand_is_made_strict_unless_told_otherwise() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "string"}, "y": {"type": "string"}}, "required": ["x"]}
    strict = FunctionTool("look", "", schema, never)
    assert strict.params_json_schema["required"] == ["x", "y"]
    assert strict.params_json_schema["additionalProperties"] is False
    assert dataclasses.replace(strict).params_json_schema == strict.params_json_schema
    assert FunctionTool("look", "", schema, never, strict_json_schema=False).params_json_schema is schema
    with pytest.raises(
        UserError, match=r"tool 'look': the schema is an object with arbitrary keys.*strict_json_schema=False"
    ):
        FunctionTool("look", "", {"type": "object", "additionalProperties": True}, never)
