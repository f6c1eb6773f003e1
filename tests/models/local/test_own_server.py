"""The runtime's own HTTP server, which others wrote, as a Responses service for our HTTP model."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.ports import ModelRequest, WireModel
from agentctl.errors import AuthenticationError, RequestRejectedError
from agentctl.models.openai_provider import OpenAIProvider
from tests.own_server import KEY, own_server


@pytest.fixture(scope="module")
def base_url(weights_file: Path) -> Iterator[str]:
    with own_server(weights_file) as base_url:
        yield base_url


def ask(base_url: str, request: ModelRequest, *, key: str = KEY) -> list[dict[str, Any]]:
    async def scenario() -> list[dict[str, Any]]:
        provider = OpenAIProvider(base_url=base_url, api_key=key)
        try:
            model = provider.get_model("smollm2")
            assert isinstance(model, WireModel)
            async with aclosing(model.stream(request)) as events:
                return [event async for event in events if isinstance(event, dict)]
        finally:
            await provider.aclose()

    return asyncio.run(scenario())


def test_an_answer_streams_over_http(base_url: str, home: Path) -> None:
    settings = ModelSettings(temperature=0, max_tokens=20)
    events = ask(base_url, ModelRequest(input="What is the capital of France?", model_settings=settings))
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    (message,) = events[-1]["response"]["output"]
    assert len(deltas) > 3
    assert "".join(deltas) == message["content"][0]["text"]
    assert events[-1]["response"]["usage"]["output_tokens"] > 3


def test_a_wrong_key_is_refused(base_url: str, home: Path) -> None:
    with pytest.raises(AuthenticationError):
        ask(base_url, ModelRequest(input="Hi"), key="sk-wrong")


def test_a_chain_of_responses_is_refused(base_url: str, home: Path) -> None:
    with pytest.raises(RequestRejectedError):
        ask(base_url, ModelRequest(input="Hi", previous_response_id="resp_1"))


def test_a_prompt_longer_than_the_context_is_refused(base_url: str, home: Path) -> None:
    with pytest.raises(RequestRejectedError, match="context"):
        ask(base_url, ModelRequest(input="word " * 1000))
