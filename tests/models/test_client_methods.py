"""Models over a client whose `create` is not that of `openai`: a stand-in, a subclass, or a patched one."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.resources.responses import AsyncResponses
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from agentctl import Agent, ModelSettings, OpenAIProvider, RunConfig, Runner, UserError
from agentctl.models.openai_chatcompletions import OpenAIChatCompletionsModel
from agentctl.models.openai_responses import OpenAIResponsesModel
from agentctl.testing.wire_output import assistant_message, response_events
from tests.service import steps
from tests.service.client import Service

EVENTS = list(response_events([assistant_message("Hello")], response_id="resp_1", usage={"input_tokens": 3}))
RESPONSE = EVENTS[-1]["response"]
COMPLETION: dict[str, Any] = {
    "id": "chatcmpl_1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
CHUNKS = [
    {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}]},
    {"id": "c", "choices": [{"index": 0, "delta": {"content": "lo"}, "finish_reason": "stop"}]},
    {"id": "c", "choices": [], "usage": COMPLETION["usage"]},
]


class Method:
    """A `create` that records how it was called, and returns one answer; a list is streamed."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.called: list[dict[str, Any]] = []
        self.is_closed = False

    async def create(self, **fields: Any) -> Any:
        self.called.append(fields)
        return self._stream() if isinstance(self._answer, list) else self._answer

    async def _stream(self) -> AsyncIterator[Any]:
        try:
            for one in self._answer:
                yield one
        finally:
            self.is_closed = True


def run(model: Any, settings: ModelSettings | None = None, *, streamed: bool = False, output: str = "Hello") -> Any:
    async def scenario() -> Any:
        agent: Agent[Any] = Agent(name="a", model=model, model_settings=settings or ModelSettings())
        if not streamed:
            return await Runner.run(agent, "hi")
        result = Runner.run_streamed(agent, "hi")
        async for _ in result.stream_events():
            pass
        return result

    result = asyncio.run(scenario())
    assert result.final_output == output
    assert result.context_wrapper.usage.input_tokens == 3
    return result


def responses_client(method: Method) -> Any:
    return SimpleNamespace(responses=method)


def chat_client(method: Method) -> Any:
    return SimpleNamespace(chat=SimpleNamespace(completions=method), base_url="https://api.openai.com/v1")


class Untyped:
    """A response of plain attributes, some of its class."""

    id = "resp_1"
    output = RESPONSE["output"]

    def __init__(self) -> None:
        self.usage = SimpleNamespace(input_tokens=3, output_tokens=0, total_tokens=3)


@pytest.mark.parametrize(
    "answer", [RESPONSE, Response.construct(**RESPONSE), Untyped()], ids=["JSON", "typed", "plain"]
)
def test_a_stand_in_answers_by_its_responses_create(answer: Any) -> None:
    method = Method(answer)
    settings = ModelSettings(
        temperature=0.5, extra_args={"user": "u"}, extra_body={"theirs": 1}, extra_headers={"X-A": "b"}, top_logprobs=2
    )
    run(OpenAIResponsesModel("m", responses_client(method)), settings)
    (fields,) = method.called
    assert (fields["model"], fields["temperature"], fields["user"]) == ("m", 0.5, "u")
    assert (fields["extra_body"], fields["extra_headers"]) == ({"theirs": 1}, {"X-A": "b"})
    assert "message.output_text.logprobs" in fields["include"]
    assert not fields.keys() & {"theirs", "stream", "extra_query"}


@pytest.mark.parametrize("answer", [COMPLETION, ChatCompletion.construct(**COMPLETION)], ids=["JSON", "typed"])
def test_a_stand_in_answers_by_its_chat_completions_create(answer: Any) -> None:
    method = Method(answer)
    run(
        OpenAIChatCompletionsModel("m", chat_client(method)),
        ModelSettings(top_logprobs=2, extra_args={"logprobs": True}),
    )
    assert (method.called[0]["logprobs"], method.called[0]["top_logprobs"]) == (True, 2)


@pytest.mark.parametrize(
    ("kind", "client", "answer"),
    [(OpenAIResponsesModel, responses_client, EVENTS), (OpenAIChatCompletionsModel, chat_client, CHUNKS)],
)
def test_a_stand_in_streams(kind: Any, client: Any, answer: list[Any]) -> None:
    method = Method(answer)
    run(kind("m", client(method)), streamed=True)
    assert method.called[0]["stream"] is True
    assert method.is_closed


def test_a_provider_takes_a_stand_in() -> None:
    method = Method(RESPONSE)
    config = RunConfig(model_provider=OpenAIProvider(openai_client=responses_client(method)))
    assert asyncio.run(Runner.run(Agent(name="a"), "hi", run_config=config)).final_output == "Hello"
    assert len(method.called) == 1


def test_a_client_without_the_method_is_refused() -> None:
    with pytest.raises(UserError, match=r"responses\.create; SimpleNamespace has not"):
        run(OpenAIResponsesModel("m", SimpleNamespace()))  # type: ignore[arg-type]


def test_a_method_that_a_program_patches_or_wraps_is_called(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.script(steps.text("Hello"))
    client = AsyncOpenAI(base_url=service.base_url, api_key="none", max_retries=0)
    method = Method(RESPONSE)
    with monkeypatch.context() as patched:
        patched.setattr(client.responses, "create", method.create)
        run(OpenAIResponsesModel("m", client))
    assert (len(method.called), service.requests()) == (1, [])

    seen, original = [], AsyncResponses.create

    async def traced(self: AsyncResponses, **fields: Any) -> Any:
        seen.append(fields["model"])
        return await original(self, **fields)

    async def scenario() -> str:
        async with client:
            return str((await Runner.run(Agent(name="a", model=OpenAIResponsesModel("m", client)), "hi")).final_output)

    monkeypatch.setattr(AsyncResponses, "create", traced)
    assert (asyncio.run(scenario()), seen, len(service.requests())) == ("Hello", ["m"], 1)


def test_a_subclass_with_resources_of_its_own_is_called() -> None:
    method = Method(RESPONSE)

    class Own(AsyncOpenAI):
        responses = method  # type: ignore[assignment]

    run(OpenAIResponsesModel("m", Own(base_url="http://127.0.0.1:1/v1", api_key="none")))
    assert len(method.called) == 1
