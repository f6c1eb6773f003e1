"""Guardrails by themselves: their names, what they take and give, and the decorators."""

import asyncio
import threading
from functools import partial
from typing import Any

import pytest

from agentctl import (
    Agent,
    GuardrailFunctionOutput,
    InputGuardrail,
    InputGuardrailResult,
    OutputGuardrail,
    OutputGuardrailResult,
    RunContextWrapper,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrailData,
    UserError,
    input_guardrail,
    output_guardrail,
    tool_input_guardrail,
)
from agentctl.agent.context import ToolContext

AGENT: Agent[Any] = Agent(name="a")
CONTEXT: RunContextWrapper[Any] = RunContextWrapper("ctx")


@input_guardrail
async def polite(context: RunContextWrapper[str], agent: Agent[Any], input: Any) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(output_info=(context.context, agent.name, input), tripwire_triggered=False)


@output_guardrail
def short(context: RunContextWrapper[str], agent: Agent[Any], output: str) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(output_info=threading.current_thread().name, tripwire_triggered=len(output) > 3)


def test_a_decorated_function_is_a_guardrail_of_its_name() -> None:
    assert isinstance(polite, InputGuardrail)
    assert (polite.get_name(), polite.run_in_parallel) == ("polite", True)
    assert isinstance(short, OutputGuardrail)
    assert short.get_name() == "short"


def test_a_decorator_may_name_the_guardrail_and_have_it_run_first() -> None:
    guardrail = input_guardrail(name="manners", run_in_parallel=False)(polite.guardrail_function)
    assert (guardrail.get_name(), guardrail.run_in_parallel) == ("manners", False)
    assert output_guardrail(name="length")(short.guardrail_function).get_name() == "length"


def test_any_callable_has_a_name() -> None:
    assert InputGuardrail(partial(polite.guardrail_function)).get_name() == "partial"


def test_an_input_guardrail_is_given_the_context_the_agent_and_the_input() -> None:
    result = asyncio.run(polite.run(AGENT, [{"role": "user", "content": "x"}], CONTEXT))
    assert result == InputGuardrailResult(
        guardrail=polite,
        output=GuardrailFunctionOutput(("ctx", "a", [{"role": "user", "content": "x"}]), tripwire_triggered=False),
    )


def test_a_function_that_is_not_async_runs_in_a_thread_of_its_own() -> None:
    result = asyncio.run(short.run(CONTEXT, AGENT, "long"))
    assert result == OutputGuardrailResult(
        guardrail=short,
        agent_output="long",
        agent=AGENT,
        output=GuardrailFunctionOutput("guardrail short", tripwire_triggered=True),
    )


def test_a_check_of_a_tool_that_is_not_async_runs_in_a_thread_too() -> None:
    @tool_input_guardrail
    def look(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
        return ToolGuardrailFunctionOutput.allow(threading.current_thread().name)

    data = ToolInputGuardrailData(ToolContext("ctx", tool_name="pay", tool_call_id="1", tool_arguments="{}"), AGENT)
    assert asyncio.run(look.run(data)).output_info == "guardrail look"


def test_a_callable_object_may_be_async() -> None:
    class Check:
        async def __call__(self, *arguments: Any) -> GuardrailFunctionOutput:
            return GuardrailFunctionOutput(len(arguments), False)

    guardrail: InputGuardrail[Any] = InputGuardrail(Check())
    assert guardrail.get_name() == "Check"
    assert asyncio.run(guardrail.run(AGENT, "x", CONTEXT)).output.output_info == 3


def test_a_guardrail_that_gives_something_else_is_an_error_that_names_it() -> None:
    @input_guardrail
    def sloppy(*_: Any) -> Any:
        return True

    with pytest.raises(UserError, match="input guardrail 'sloppy' must return a GuardrailFunctionOutput, not bool"):
        asyncio.run(sloppy.run(AGENT, "x", CONTEXT))


def test_a_guardrail_that_is_no_function_is_an_error() -> None:
    guardrail: OutputGuardrail[Any] = OutputGuardrail("no function")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="an output guardrail must be a function, not str"):
        asyncio.run(guardrail.run(CONTEXT, AGENT, "x"))
