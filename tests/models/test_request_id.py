"""The service's request id in the response."""

import asyncio

import pytest
from openai import AsyncOpenAI

from agentctl import OpenAIChatCompletionsModel, OpenAIResponsesModel
from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.ports import ModelTracing, WireModel
from agentctl.models.chat.model import ChatHTTPModel
from agentctl.models.responses.http import ResponsesHTTPModel
from agentctl.net.endpoint import NO_KEY, Endpoint
from agentctl.net.http import HttpPipe
from agentctl.net.options import HttpOptions
from tests.service import steps
from tests.service.client import Service


async def answered(base_url: str, *, is_chat: bool, is_their_client: bool) -> str | None:
    async with AsyncOpenAI(base_url=base_url, api_key="sk-theirs", max_retries=0) as client:
        pipe = HttpPipe(Endpoint(base_url=base_url, key=NO_KEY), HttpOptions(), environ={})
        model: WireModel
        if is_their_client:
            model = (OpenAIChatCompletionsModel if is_chat else OpenAIResponsesModel)("gpt-x", client)
        else:
            model = (ChatHTTPModel if is_chat else ResponsesHTTPModel)("gpt-x", pipe)
        response = await model.get_response(None, "hi", ModelSettings(), [], None, [], ModelTracing.DISABLED)
        await pipe.aclose()
        return response.request_id


@pytest.mark.parametrize("is_chat", [False, True])
@pytest.mark.parametrize("is_their_client", [False, True])
def test_a_response_over_http_has_the_id_of_its_request(service: Service, is_chat: bool, is_their_client: bool) -> None:
    service.script(steps.text("one"), steps.text("two"))
    how = {"is_chat": is_chat, "is_their_client": is_their_client}
    ids = [asyncio.run(answered(service.base_url, **how)) for _ in range(2)]
    assert all(ids)
    assert len(set(ids)) == 2
