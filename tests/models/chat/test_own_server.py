"""The runtime's own HTTP server as a chat completions service for our HTTP model, and for a user's own client."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.output import AgentOutputSchema
from agentctl.agent.ports import ModelRequest, WireModel
from agentctl.agent.tools.function_tool import function_tool
from agentctl.errors import AuthenticationError, RequestRejectedError
from agentctl.models.chat.model import ChatHTTPModel
from agentctl.models.openai_chatcompletions import OpenAIChatCompletionsModel
from agentctl.net.endpoint import Endpoint
from agentctl.net.http import HttpPipe
from agentctl.net.options import HttpOptions
from tests.own_server import KEY, own_server

Wire = dict[str, Any]


@dataclass
class Sky:
    colour: str


@function_tool
def look(place: str) -> str:
    """Looks at a place.

    Args:
        place: Where to look.
    """
    raise AssertionError(place)


@pytest.fixture(scope="module")
def base_url(weights_file: Path) -> Iterator[str]:
    with own_server(weights_file) as base_url:
        yield base_url


async def events_of(model: WireModel, request: ModelRequest) -> list[Wire]:
    try:
        async with aclosing(model.stream(request)) as events:
            return [event async for event in events if isinstance(event, dict)]
    finally:
        await model.close()


def ask(base_url: str, request: ModelRequest, *, key: str = KEY) -> list[Wire]:
    pipe = HttpPipe(Endpoint(base_url=base_url, key=key), HttpOptions(), environ={})
    return asyncio.run(events_of(ChatHTTPModel("smollm2", pipe), request))


def ask_through_a_client(base_url: str, request: ModelRequest) -> list[Wire]:
    from openai import AsyncOpenAI

    async def scenario() -> list[Wire]:
        async with AsyncOpenAI(base_url=base_url, api_key=KEY) as client:
            return await events_of(OpenAIChatCompletionsModel("smollm2", client), request)

    return asyncio.run(scenario())


@pytest.mark.parametrize("way", [ask, ask_through_a_client])
def test_an_answer_streams(base_url: str, way: Any) -> None:
    settings = ModelSettings(temperature=0, max_tokens=20)
    events = way(base_url, ModelRequest(input="What is the capital of France?", model_settings=settings))
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    (message,) = events[-1]["response"]["output"]
    assert len(deltas) > 3
    assert "".join(deltas) == message["content"][0]["text"]
    assert events[-1]["response"]["usage"]["output_tokens"] > 3


def test_an_answer_that_reaches_its_limit_is_incomplete(base_url: str) -> None:
    settings = ModelSettings(temperature=0, max_tokens=3)
    last = ask(base_url, ModelRequest(input="Count to a hundred.", model_settings=settings))[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


def test_a_history_with_a_call_and_its_output_is_taken(base_url: str) -> None:
    history = [
        {"role": "user", "content": "Look at Oslo."},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"place": "Oslo"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "It is blue."},
    ]
    settings = ModelSettings(temperature=0, max_tokens=10, tool_choice="auto", parallel_tool_calls=True)
    last = ask(base_url, ModelRequest(input=history, tools=[look], model_settings=settings))[-1]
    assert last["response"]["output"][0]["type"] == "message"


def test_an_output_schema_holds_the_model(base_url: str) -> None:
    schema = AgentOutputSchema(Sky)
    settings = ModelSettings(temperature=0, max_tokens=60)
    request = ModelRequest(input="What colour is the sky?", output_schema=schema, model_settings=settings)
    (message,) = ask(base_url, request)[-1]["response"]["output"]
    assert schema.validate_json(message["content"][0]["text"]).colour


def test_a_wrong_key_is_refused(base_url: str) -> None:
    with pytest.raises(AuthenticationError):
        ask(base_url, ModelRequest(input="Hi"), key="sk-wrong")


def test_a_prompt_longer_than_the_context_is_refused(base_url: str) -> None:
    with pytest.raises(RequestRejectedError, match="context"):
        ask(base_url, ModelRequest(input="word " * 1000))
