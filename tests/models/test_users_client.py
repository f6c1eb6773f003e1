"""The models over a user's own `openai` client, for both APIs."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import openai
import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI

from agentctl.agent.events import Warned
from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.ports import ModelRequest, WireModel
from agentctl.errors import ModelBehaviorError, ModelTimeoutError, ServiceUnavailableError, UserError
from agentctl.models.openai_chatcompletions import OpenAIChatCompletionsModel
from agentctl.models.openai_responses import OpenAIResponsesModel
from agentctl.models.reasoning_content_replay import ReasoningContentReplayContext
from tests.net.server import answering
from tests.service import steps
from tests.service.client import Service

MODELS = [OpenAIResponsesModel, OpenAIChatCompletionsModel]
Make = Callable[[Any], WireModel]


def client_of(base_url: str, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(**{"base_url": base_url, "api_key": "sk-theirs", "max_retries": 0, **options})


def stream(
    make: Make, base_url: str, asked: ModelRequest | None = None, seen: list[Any] | None = None, **options: Any
) -> list[Any]:
    seen = [] if seen is None else seen

    async def scenario() -> None:
        async with (
            client_of(base_url, **options) as client,
            aclosing(make(client).stream(asked or ModelRequest(input="hi"))) as events,
        ):
            async for event in events:
                seen.append(event)

    asyncio.run(scenario())
    return seen


def of(kind: Any, **options: Any) -> Make:
    return lambda client: kind("gpt-x", client, **options)


def last_text(events: list[Any]) -> str:
    text: str = events[-1]["response"]["output"][-1]["content"][0]["text"]
    return text


@pytest.mark.parametrize("kind", MODELS)
def test_an_answer_streams_through_the_client(service: Service, kind: Any) -> None:
    service.script(steps.text("Hello, world"))
    events = stream(of(kind), service.base_url)
    assert last_text(events) == "Hello, world"
    assert "".join(event.get("delta", "") for event in events) == "Hello, world"


@pytest.mark.parametrize("kind", MODELS)
def test_the_clients_headers_query_and_key_are_sent(service: Service, kind: Any) -> None:
    settings = ModelSettings(extra_headers={"X-Token": "token-of-mine"}, extra_query={"a": "b"})
    options = {"default_headers": {"X-Theirs": "1"}, "default_query": {"c": "d"}, "organization": "org-1"}
    stream(of(kind), service.base_url, ModelRequest(input="hi", model_settings=settings), **options)
    (sent,) = service.requests()
    assert sent["path"].partition("?")[2] == "c=d&a=b"
    headers = sent["headers"]
    assert headers["authorization"] == "Bearer sk-theirs"
    assert (headers["x-theirs"], headers["x-token"], headers["openai-organization"]) == ("1", "token-of-mine", "org-1")


@pytest.mark.parametrize("kind", MODELS)
def test_the_clients_retries_are_its_own_and_no_others_are_made(service: Service, kind: Any) -> None:
    again = steps.http_error(503, headers={"retry-after-ms": "1"})
    service.script(again, again, steps.text("Hello"))
    assert last_text(stream(of(kind), service.base_url, max_retries=2)) == "Hello"
    service.script(again)
    with pytest.raises(openai.InternalServerError):
        stream(of(kind), service.base_url)
    assert len(service.requests()) == 4


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize(
    ("status", "error"),
    [(401, openai.AuthenticationError), (404, openai.NotFoundError), (400, openai.BadRequestError)],
)
def test_a_refusal_is_the_clients_error(service: Service, kind: Any, status: int, error: type[Exception]) -> None:
    service.script(steps.http_error(status))
    with pytest.raises(error):
        stream(of(kind), service.base_url)


@pytest.mark.parametrize("kind", MODELS)
def test_an_unreachable_service_is_the_clients_error(kind: Any) -> None:
    with pytest.raises(openai.APIConnectionError):
        stream(of(kind), "http://127.0.0.1:1/v1")


@pytest.mark.parametrize("kind", MODELS)
def test_an_error_object_in_the_stream_is_the_clients_error_after_what_came_before_it(
    service: Service, kind: Any
) -> None:
    service.script(steps.error_event("rate_limit_exceeded", "Slow down.", of=steps.text("Hel")))
    seen: list[Any] = []
    with pytest.raises(openai.APIError, match="Slow down") as caught:
        stream(of(kind), service.base_url, seen=seen)
    assert caught.value.code == "rate_limit_exceeded"
    assert seen[0]["type"] == "response.created"


def test_a_response_that_failed_is_an_error(service: Service) -> None:
    service.script(steps.failed())
    with pytest.raises(ServiceUnavailableError):
        stream(of(OpenAIResponsesModel), service.base_url)


def test_a_stream_that_ends_too_early_is_cut(service: Service) -> None:
    service.script(steps.cut(after=2, tidy=True))
    with pytest.raises(ServiceUnavailableError, match="ended the stream"):
        stream(of(OpenAIResponsesModel), service.base_url)


def test_a_chat_server_of_others_may_end_its_stream_without_saying_so(service: Service) -> None:
    service.script(steps.cut(after=2, tidy=True))
    assert stream(of(OpenAIChatCompletionsModel), service.base_url)[-1]["type"] == "response.completed"


@pytest.mark.parametrize("kind", MODELS)
def test_an_answer_that_is_no_stream_is_an_error(service: Service, kind: Any) -> None:
    service.script(steps.not_sse())
    with pytest.raises(ModelBehaviorError, match="text/html"):
        stream(of(kind), service.base_url)


@pytest.mark.parametrize("kind", MODELS)
def test_a_call_that_takes_too_long_times_out(service: Service, kind: Any) -> None:
    service.script(steps.hang())
    with pytest.raises(ModelTimeoutError):
        stream(of(kind), service.base_url, ModelRequest(input="hi", model_settings=ModelSettings(timeout=0.2)))
    service.wait_for_requests(1, closed_early=1)


@pytest.mark.parametrize("kind", MODELS)
def test_closing_the_stream_early_closes_the_connection(service: Service, kind: Any) -> None:
    async def scenario() -> None:
        async with client_of(service.base_url) as client:
            async with aclosing(kind("gpt-x", client).stream(ModelRequest(input="hi"))) as events:
                await anext(events)
            await asyncio.to_thread(service.wait_for_requests, 1, closed_early=1)

    service.script(steps.hang(after=2))
    asyncio.run(scenario())


@pytest.mark.parametrize("kind", MODELS)
def test_one_client_keeps_its_connection_between_calls(service: Service, kind: Any) -> None:
    async def scenario() -> None:
        async with client_of(service.base_url) as client:
            for _ in range(3):
                async with aclosing(kind("gpt-x", client).stream(ModelRequest(input="hi"))) as events:
                    async for _event in events:
                        pass
            pool = client._client._transport._pool  # type: ignore[attr-defined]
            assert len(pool.connections) == 1

    asyncio.run(scenario())


CHAT_STREAM = b'data: {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'


def azure(origin: str, kind: Any, asked: ModelRequest) -> list[Any]:
    async def scenario() -> list[Any]:
        async with (
            AsyncAzureOpenAI(azure_endpoint=origin, api_key="sk-azure", api_version="2025-04-01") as client,
            aclosing(kind("my-deployment", client).stream(asked)) as events,
        ):
            return [event async for event in events]

    return asyncio.run(scenario())


def test_azure_gets_chat_completions_at_the_deployment() -> None:
    with answering(CHAT_STREAM) as server:
        events = azure(server.origin, OpenAIChatCompletionsModel, ModelRequest(input="hi"))
    ((path, headers),) = server.seen
    assert last_text(events) == "Hi"
    assert path == "/openai/deployments/my-deployment/chat/completions?api-version=2025-04-01"
    assert headers["api-key"] == "sk-azure"


def test_azure_gets_responses_at_its_own_path() -> None:
    with answering() as server:
        azure(server.origin, OpenAIResponsesModel, ModelRequest(input="hi"))
    ((path, headers),) = server.seen
    assert path == "/openai/responses?api-version=2025-04-01"
    assert headers["api-key"] == "sk-azure"


@pytest.mark.parametrize(("is_explicit", "has_model"), [(True, True), (False, False)])
def test_a_prompt_object_brings_its_model_unless_one_was_chosen(
    service: Service, is_explicit: bool, has_model: bool
) -> None:
    asked = ModelRequest(input="hi", prompt={"id": "pmpt_1"})
    stream(of(OpenAIResponsesModel, model_is_explicit=is_explicit), service.base_url, asked)
    assert ("model" in service.requests()[0]["body"]) is has_model


def test_without_a_prompt_object_the_model_is_always_named(service: Service) -> None:
    stream(of(OpenAIResponsesModel, model_is_explicit=False), service.base_url)
    assert service.requests()[0]["body"]["model"] == "gpt-x"


REASONED = ModelRequest(
    input=[
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}], "provider_data": {"model": "r1"}},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes."}]},
        {"role": "user", "content": "Why?"},
    ]
)


@pytest.mark.parametrize("answer", [True, False])
def test_reasoning_goes_back_where_the_hook_says_so(service: Service, answer: bool) -> None:
    asked: list[ReasoningContentReplayContext] = []

    def hook(context: ReasoningContentReplayContext) -> bool:
        asked.append(context)
        return answer

    stream(of(OpenAIChatCompletionsModel, should_replay_reasoning_content=hook), service.base_url, REASONED)
    (context,) = asked
    assert (context.model, context.base_url) == ("gpt-x", f"{service.base_url}/")
    assert context.reasoning.origin_model == "r1"
    sent = {"role": "assistant", "content": "Yes."}
    expected = {**sent, "reasoning_content": "Hm."} if answer else sent
    assert service.requests()[0]["body"]["messages"][1] == expected


def test_reasoning_stays_here_where_there_is_no_hook(service: Service) -> None:
    stream(of(OpenAIChatCompletionsModel), service.base_url, REASONED)
    assert "reasoning_content" not in service.requests()[0]["body"]["messages"][1]


def test_what_chat_completions_cannot_carry_is_a_warning_or_in_strict_validation_an_error(service: Service) -> None:
    asked = ModelRequest(input="hi", conversation_id="conv_1")
    first, *_ = stream(of(OpenAIChatCompletionsModel), service.base_url, asked)
    assert isinstance(first, Warned)
    with pytest.raises(UserError, match="conversation_id"):
        stream(of(OpenAIChatCompletionsModel, strict_feature_validation=True), service.base_url, asked)


def test_buffered_tool_calls_come_whole(service: Service) -> None:
    service.script(steps.tool_calls(("look", {"place": "sky"})))
    events = stream(of(OpenAIChatCompletionsModel, buffer_streamed_tool_calls=True), service.base_url)
    assert events[-1]["response"]["output"][0]["arguments"] == '{"place": "sky"}'
