"""Guardrails, hooks and error handlers, as users of the Agents SDK write them."""

from __future__ import annotations

from typing import Any, assert_type

from pydantic import BaseModel

from agentctl import (
    Agent,
    AgentHookContext,
    AgentHooks,
    GuardrailFunctionOutput,
    InputGuardrail,
    InputGuardrailTripwireTriggered,
    MaxTurnsExceeded,
    ModelResponse,
    OutputGuardrail,
    OutputGuardrailTripwireTriggered,
    RunConfig,
    RunContextWrapper,
    RunErrorHandlerInput,
    RunErrorHandlerResult,
    RunErrorHandlers,
    RunHooks,
    Runner,
    Tool,
    TResponseInputItem,
    input_guardrail,
    output_guardrail,
)


class UserContext(BaseModel):
    name: str


class Homework(BaseModel):
    is_homework: bool
    reasoning: str


checker = Agent(name="Checker", output_type=Homework)


@input_guardrail
async def no_homework(
    context: RunContextWrapper[None], agent: Agent, input: str | list[TResponseInputItem]
) -> GuardrailFunctionOutput:
    result = await Runner.run(checker, input, context=context.context)
    found = result.final_output_as(Homework)
    return GuardrailFunctionOutput(output_info=found, tripwire_triggered=found.is_homework)


@input_guardrail(name="named", run_in_parallel=False)
def no_shouting(
    context: RunContextWrapper[UserContext], agent: Agent[Any], input: str | list[TResponseInputItem]
) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=str(input).isupper())


@output_guardrail
async def no_numbers(context: RunContextWrapper[Any], agent: Agent[Any], output: Homework) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(output_info={"numbers": 0}, tripwire_triggered="1" in output.reasoning)


@output_guardrail(name="short")
def is_short(context: RunContextWrapper[UserContext], agent: Agent[Any], output: Any) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=len(str(output)) > 100)


assert_type(no_shouting, InputGuardrail[UserContext])
assert_type(is_short, OutputGuardrail[UserContext])


class Recorder(RunHooks[UserContext]):
    def __init__(self) -> None:
        self.seen: list[str] = []

    async def on_agent_start(self, context: AgentHookContext[UserContext], agent: Agent[UserContext]) -> None:
        self.seen.append(f"{agent.name} for {context.context.name}")

    async def on_agent_end(
        self, context: AgentHookContext[UserContext], agent: Agent[UserContext], output: Any
    ) -> None:
        self.seen.append(str(output))

    async def on_handoff(
        self, context: RunContextWrapper[UserContext], from_agent: Agent[UserContext], to_agent: Agent[UserContext]
    ) -> None:
        self.seen.append(f"{from_agent.name} to {to_agent.name}")

    async def on_tool_start(
        self, context: RunContextWrapper[UserContext], agent: Agent[UserContext], tool: Tool
    ) -> None:
        self.seen.append(tool.name)

    async def on_tool_end(
        self, context: RunContextWrapper[UserContext], agent: Agent[UserContext], tool: Tool, result: object
    ) -> None:
        self.seen.append(f"{tool.name}: {result}, {context.usage.total_tokens}")

    async def on_llm_start(
        self,
        context: RunContextWrapper[UserContext],
        agent: Agent[UserContext],
        system_prompt: str | None,
        input_items: list[TResponseInputItem],
    ) -> None:
        self.seen.append(f"{system_prompt} {len(input_items)}")

    async def on_llm_end(
        self, context: RunContextWrapper[UserContext], agent: Agent[UserContext], response: ModelResponse
    ) -> None:
        self.seen.append(str(response.response_id))


class Untyped(RunHooks):
    async def on_agent_start(self, context: AgentHookContext, agent: Agent) -> None:
        print(agent.name, context.usage)


class OfOneAgent(AgentHooks[UserContext]):
    async def on_start(self, context: AgentHookContext[UserContext], agent: Agent[UserContext]) -> None:
        print(agent.name)

    async def on_handoff(
        self, context: RunContextWrapper[UserContext], agent: Agent[UserContext], source: Agent[UserContext]
    ) -> None:
        print(source.name)


class OfAnyAgent(AgentHooks):
    async def on_end(self, context: RunContextWrapper, agent: Agent, output: Any) -> None: ...


agent = Agent[UserContext](
    name="Main",
    input_guardrails=[no_shouting],
    output_guardrails=[is_short, no_numbers],
    hooks=OfOneAgent(),
)
by_hand = Agent[None](name="By hand", input_guardrails=[no_homework])
plain = Agent(name="Plain", input_guardrails=[no_homework], output_guardrails=[no_numbers], hooks=OfAnyAgent())


def on_max_turns(data: RunErrorHandlerInput[UserContext]) -> RunErrorHandlerResult:
    print(data.run_data.last_agent.name, data.context.context.name, data.error)
    return RunErrorHandlerResult(final_output="that was too much", include_in_history=False)


async def on_refusal(data: RunErrorHandlerInput[UserContext]) -> str:
    return f"Sorry, {data.context.context.name}."


handlers: RunErrorHandlers[UserContext] = {
    "model_refusal": on_refusal,
    "invalid_final_output": lambda data: RunErrorHandlerResult(final_output=None),
}
config = RunConfig(
    input_guardrails=[no_shouting], output_guardrail_blocked_message=lambda told: f"Held back by {told.guardrail_name}."
)


async def main() -> None:
    await Runner.run(plain, "hi", run_config=config, error_handlers=handlers)
    try:
        await Runner.run(
            agent,
            "hi",
            context=UserContext(name="Ada"),
            hooks=Recorder(),
            error_handlers={"max_turns": on_max_turns},
        )
    except InputGuardrailTripwireTriggered as error:
        print(error.guardrail_result.output.output_info, error.guardrail_result.guardrail.get_name())
    except OutputGuardrailTripwireTriggered as error:
        print(error.guardrail_result.agent_output)
    except MaxTurnsExceeded as error:
        if error.run_data is not None:
            print(len(error.run_data.new_items))
