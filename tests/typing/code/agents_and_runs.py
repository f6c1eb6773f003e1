"""Agents with a context of their own, and runs of them, as users of the Agents SDK write them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, assert_type

from openai.types.responses import EasyInputMessageParam, ResponseInputItemParam

from agentctl import (
    Agent,
    ItemHelpers,
    ModelResponse,
    ModelSettings,
    RunConfig,
    RunContextWrapper,
    Runner,
    RunResult,
    RunResultStreaming,
    TResponseInputItem,
    Usage,
)


@dataclass
class UserContext:
    name: str
    is_pro: bool = False


def plain_instructions(context: RunContextWrapper[UserContext], agent: Agent[UserContext]) -> str:
    return f"Help {context.context.name} as {agent.name}."


async def slow_instructions(context: RunContextWrapper[UserContext], agent: Agent[UserContext]) -> str:
    return "Be brief." if context.context.is_pro else "Be kind."


untyped = Agent(name="untyped", instructions="Be brief.")
agent = Agent[UserContext](name="typed", instructions=plain_instructions, model="gpt-5-mini")
slow = Agent[UserContext](
    name="slow",
    instructions=slow_instructions,
    model_settings=ModelSettings(temperature=0.2, tool_choice="required", parallel_tool_calls=False),
)
copied = agent.clone(name="copied", instructions="Be long.")
assert_type(copied, Agent[UserContext])


async def main() -> None:
    result = await Runner.run(agent, "hi", context=UserContext(name="Ada"))
    assert_type(result, RunResult)
    assert_type(result.final_output_as(str), str)
    assert_type(result.raw_responses, list[ModelResponse])
    usage: Usage = result.context_wrapper.usage
    last: Agent[Any] = result.last_agent
    print(result.final_output, usage.total_tokens, last.name, result.last_response_id)
    print(ItemHelpers.text_message_outputs(result.new_items))

    items: list[TResponseInputItem] = [{"role": "user", "content": "hi"}]
    items = [*result.to_input_list(), {"role": "user", "content": "and then?"}]
    again = await Runner.run(last, result.to_input_list() + [{"role": "user", "content": "?"}], max_turns=3)  # noqa: RUF005
    await Runner.run(untyped, items, run_config=RunConfig(model="gpt-5", tracing_disabled=True, workflow_name="w"))
    await Runner.run(untyped, [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}])
    theirs: list[ResponseInputItemParam] = [EasyInputMessageParam(role="user", content="hi")]
    messages: list[EasyInputMessageParam] = [{"role": "user", "content": "hi"}]
    await Runner.run(untyped, theirs)
    await Runner.run(untyped, [*messages, *result.to_input_list()])
    await Runner.run(untyped, "hi", run_config={"tracing_disabled": True}, previous_response_id=again.last_response_id)

    streamed = Runner.run_streamed(slow, "hi", context=UserContext("Ada"))
    assert_type(streamed, RunResultStreaming)
    streamed.cancel()
    streamed.cancel(mode="after_turn")


def sync() -> str:
    return Runner.run_sync(untyped, "hi").final_output_as(str, raise_if_incorrect_type=True)


if __name__ == "__main__":
    asyncio.run(main())
