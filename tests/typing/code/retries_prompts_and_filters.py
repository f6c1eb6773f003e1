"""Retries, prompt objects and input filters as users write them."""

import asyncio
from dataclasses import dataclass
from typing import Any

from agentctl import (
    Agent,
    CallModelData,
    GenerateDynamicPromptData,
    ModelInputData,
    ModelRetryBackoffSettings,
    ModelRetrySettings,
    ModelSettings,
    Prompt,
    RetryDecision,
    RetryPolicyContext,
    RunConfig,
    Runner,
    retry_policies,
    run_demo_loop,
)


@dataclass
class User:
    name: str


async def while_it_is_busy(context: RetryPolicyContext) -> bool | RetryDecision:
    if context.normalized.status_code == 429 and context.attempt < context.max_retries:
        return RetryDecision(retry=True, delay=2.0, reason="busy")
    return False


retry = ModelRetrySettings(
    max_retries=4,
    backoff={"initial_delay": 0.5, "max_delay": 5.0, "multiplier": 2.0, "jitter": True},
    policy=retry_policies.any(
        retry_policies.provider_suggested(),
        retry_policies.retry_after(),
        retry_policies.network_error(),
        retry_policies.http_status([408, 409, 429, 500, 502, 503, 504]),
        while_it_is_busy,
        lambda context: context.attempt == 1,
    ),
)
few = ModelRetrySettings(max_retries=1, backoff=ModelRetryBackoffSettings(jitter=False), policy=retry_policies.never())
settings = ModelSettings(retry=retry).resolve(ModelSettings(retry=few)).resolve({"retry": {"max_retries": 2}})
most: int | None = settings.retry.max_retries if settings.retry else None

fixed: Prompt = {"id": "pmpt_1", "version": "2", "variables": {"city": "Oslo"}}


async def of_the_user(data: GenerateDynamicPromptData) -> Prompt:
    user: User = data.context.context
    return {"id": "pmpt_1", "variables": {"name": user.name, "agent": data.agent.name}}


def plain(data: GenerateDynamicPromptData) -> Prompt:
    return fixed


agents: list[Agent[User]] = [
    Agent(name="fixed", prompt=fixed, model_settings=settings),
    Agent(name="literal", prompt={"id": "pmpt_1"}),
    Agent(name="dynamic", prompt=of_the_user),
    Agent(name="plain", prompt=plain),
]


async def short(data: CallModelData[Any]) -> ModelInputData:
    return ModelInputData(input=data.model_data.input[-5:], instructions=data.model_data.instructions)


def shorter(data: CallModelData[User]) -> ModelInputData:
    name = data.context.name if data.context else "nobody"
    return ModelInputData(input=data.model_data.input[-1:], instructions=f"For {name}, by {data.agent.name}.")


configs = [
    RunConfig(call_model_input_filter=short, reasoning_item_id_policy="omit"),
    RunConfig(call_model_input_filter=shorter, model_settings=ModelSettings(retry=retry)),
]


async def main() -> None:
    result = Runner.run_streamed(agents[0], "hi", context=User("Ann"), run_config=configs[0])
    result.cancel(mode="after_turn")
    await run_demo_loop(agents[0], stream=False, context=User("Ann"), max_turns=None)


if __name__ == "__main__":
    asyncio.run(main())
