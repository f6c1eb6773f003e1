"""Guardrails, hooks and error handlers as users write them: checked by the type checker, never run."""

from dataclasses import dataclass
from typing import Any, assert_type

from pydantic import BaseModel

from agentctl import (
    Agent,
    AgentHooks,
    GuardrailFunctionOutput,
    InputGuardrail,
    InputGuardrailResult,
    InputGuardrailTripwireTriggered,
    OutputGuardrail,
    RunConfig,
    RunContextWrapper,
    RunErrorHandlerInput,
    RunErrorHandlerResult,
    RunErrorHandlers,
    RunHooks,
    Runner,
    Tool,
    input_guardrail,
    output_guardrail,
)
from agentctl.agent.context import AgentHookContext


@dataclass
class Customer:
    name: str


class Answer(BaseModel):
    text: str


@input_guardrail
async def polite(
    ctx: RunContextWrapper[Customer], agent: Agent[Customer], input: str | list[dict[str, Any]]
) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(output_info=ctx.context.name, tripwire_triggered=False)


@input_guardrail(name="short", run_in_parallel=False)
def short(
    ctx: RunContextWrapper[Customer], agent: Agent[Any], input: str | list[dict[str, Any]]
) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=len(input) > 1000)


@output_guardrail
async def harmless(ctx: RunContextWrapper[Any], agent: Agent[Any], output: Answer) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered="!" in output.text)


@output_guardrail(name="calm")
def calm(ctx: RunContextWrapper[Customer], agent: Agent[Customer], output: str) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=False)


assert_type(polite, InputGuardrail[Customer])
assert_type(short, InputGuardrail[Customer])
assert_type(harmless, OutputGuardrail[Any])
assert_type(calm, OutputGuardrail[Customer])


class Watch(RunHooks[Customer]):
    async def on_agent_start(self, context: AgentHookContext[Customer], agent: Agent[Any]) -> None:
        assert_type(context.context.name, str)

    async def on_tool_end(
        self, context: RunContextWrapper[Customer], agent: Agent[Any], tool: Tool, result: object
    ) -> None:
        assert_type(tool.name, str)


class WatchOne(AgentHooks):
    async def on_start(self, context: RunContextWrapper, agent: Agent) -> None: ...

    async def on_end(self, context: RunContextWrapper, agent: Agent, output: Any) -> None: ...


async def give_up(error: RunErrorHandlerInput[Customer]) -> RunErrorHandlerResult:
    return RunErrorHandlerResult(final_output=f"Sorry, {error.context.context.name}.", include_in_history=False)


AGENT = Agent[Customer](
    name="support", input_guardrails=[polite, short], output_guardrails=[harmless, calm], hooks=WatchOne()
)
HANDLERS: RunErrorHandlers[Customer] = {
    "max_turns": give_up,
    "model_refusal": lambda _: "Let us talk of something else.",
}


async def run() -> None:
    config = RunConfig(
        input_guardrails=[polite], output_guardrail_blocked_message=lambda told: f"Held back by {told.guardrail_name}."
    )
    try:
        await Runner.run(
            AGENT, "hi", context=Customer("Ada"), hooks=Watch(), run_config=config, error_handlers=HANDLERS
        )
    except InputGuardrailTripwireTriggered as error:
        assert_type(error.guardrail_result, InputGuardrailResult)
