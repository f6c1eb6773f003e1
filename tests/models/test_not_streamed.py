"""Runs that are not streamed ask the service for whole responses: some services cannot stream."""

import asyncio
from typing import Any

import pytest

from agentctl import Agent, OpenAIProvider, RunConfig, Runner, function_tool
from tests.service.client import Service
from tests.service.steps import text, tool_calls


@function_tool
def look(word: str) -> str:
    """Look a word up."""
    return f"{word} found"


def provider(service: Service, kind: str) -> OpenAIProvider:
    use_responses = not kind.startswith("chat")
    if kind.endswith("client"):
        # The user's own client.
        from openai import AsyncOpenAI

        client = AsyncOpenAI(base_url=service.base_url, api_key="sk-test")
        return OpenAIProvider(openai_client=client, use_responses=use_responses)
    return OpenAIProvider(base_url=service.base_url, api_key="sk-test", use_responses=use_responses)


@pytest.mark.parametrize("kind", ["responses", "chat", "responses client", "chat client"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_request_asks_for_a_stream_only_where_the_run_is_streamed(
    service: Service, kind: str, streamed: bool
) -> None:
    service.script(tool_calls(("look", {"word": "x"})), text("Found it."))

    async def scenario() -> Any:
        config = RunConfig(model_provider=provider(service, kind), tracing_disabled=True)
        agent = Agent(name="a", model="gpt-x", tools=[look])
        try:
            if not streamed:
                return await Runner.run(agent, "hi", run_config=config)
            result = Runner.run_streamed(agent, "hi", run_config=config)
            async for _ in result.stream_events():
                pass
            return result
        finally:
            await config.model_provider.aclose()

    result = asyncio.run(scenario())
    bodies = [request["body"] for request in service.requests()]
    assert [body.get("stream", False) for body in bodies] == [streamed, streamed]
    assert all("stream_options" not in body or streamed for body in bodies)
    assert result.final_output == "Found it."
    assert result.context_wrapper.usage.requests == 2
    assert result.context_wrapper.usage.total_tokens > 0
