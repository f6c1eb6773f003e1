"""The WebSocket model with the URLs, auth and headers of a user's own `openai` client."""

import asyncio
from typing import Any

import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI

from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.ports import ModelRequest
from agentctl.errors import AuthenticationError, ServiceError, UserError
from agentctl.models.openai_responses_ws import OpenAIResponsesWSModel
from agentctl.redaction import redact
from tests.service.client import Service
from tests.service.steps import text

pytestmark = pytest.mark.usefixtures("home")


def ask(client: AsyncOpenAI, *requests: ModelRequest, **options: Any) -> list[str]:
    async def scenario() -> list[str]:
        model = OpenAIResponsesWSModel("gpt-x", client, **options)
        texts = []
        try:
            for request in requests or (ModelRequest(input="hi"),):
                events: list[Any] = [event async for event in model.stream(request)]
                texts.append(events[-1]["response"]["output"][0]["content"][0]["text"])
        finally:
            await model.close()
            await client.close()
        return texts

    return asyncio.run(scenario())


def upgrade(service: Service) -> dict[str, Any]:
    connection: dict[str, Any] = service.connections()[-1]
    return connection


def test_an_answer_comes_over_a_websocket_with_the_clients_auth_and_headers(service: Service) -> None:
    service.script(text("Hello."))
    client = AsyncOpenAI(
        api_key="sk-of-client",
        base_url=service.base_url,
        organization="org-1",
        project="proj-1",
        default_headers={"x-mine": "yes"},
        default_query={"tag": "t"},
    )
    assert ask(client) == ["Hello."]
    headers = upgrade(service)["headers"]
    assert headers["authorization"] == "Bearer sk-of-client"
    assert (headers["openai-organization"], headers["openai-project"], headers["x-mine"]) == ("org-1", "proj-1", "yes")
    assert upgrade(service)["path"] == "/v1/responses?tag=t"
    assert headers["user-agent"].startswith("agentctl/")
    assert not [name for name in headers if name.startswith(("x-stainless", "content-"))]
    assert service.requests()[-1]["body"]["model"] == "gpt-x"


def test_sockets_lead_to_the_clients_websocket_base_url(service: Service) -> None:
    client = AsyncOpenAI(
        api_key="sk-x", base_url="http://127.0.0.1:9/v1", websocket_base_url=service.websocket_base_url
    )
    assert ask(client) == ["ok"]


def test_a_key_that_the_client_fetches_is_fetched_for_each_call(service: Service) -> None:
    fetched: list[str] = []

    async def fetch() -> str:
        fetched.append(f"sk-fetched-{len(fetched)}")
        return fetched[-1]

    request = ModelRequest(input="hi")
    ask(AsyncOpenAI(api_key=fetch, base_url=service.base_url), request, request)
    sent = [connection["headers"]["authorization"] for connection in service.connections()]
    assert sent == ["Bearer sk-fetched-0", "Bearer sk-fetched-1"]
    assert redact("sk-fetched-1") == "[redacted]"


def test_an_azure_client_is_served_with_its_key_and_version(service: Service) -> None:
    client = AsyncAzureOpenAI(api_key="azure-key", base_url=service.base_url, api_version="2026-01-01")
    assert ask(client) == ["ok"]
    assert upgrade(service)["headers"]["api-key"] == "azure-key"
    assert upgrade(service)["path"] == "/v1/responses?api-version=2026-01-01"


def test_headers_and_query_of_the_call_go_over_the_clients(service: Service) -> None:
    client = AsyncOpenAI(
        api_key="sk-x", base_url=service.base_url, default_headers={"x-mine": "client"}, default_query={"tag": "client"}
    )
    settings = ModelSettings(extra_headers={"X-Mine": "of the call"}, extra_query={"tag": "call"})
    ask(client, ModelRequest(input="hi", model_settings=settings))
    assert upgrade(service)["headers"]["x-mine"] == "of the call"
    assert upgrade(service)["path"] == "/v1/responses?tag=call"


def test_a_client_of_equal_headers_keeps_its_socket(service: Service) -> None:
    request = ModelRequest(input="hi")
    ask(AsyncOpenAI(api_key="sk-x", base_url=service.base_url), request, request)
    assert len(service.connections()) == 1


def test_the_clients_retries_hold(service: Service) -> None:
    from tests.service.steps import http_error

    service.script_upgrades(*[http_error(503, headers={"retry-after": "0"})] * 3)
    with pytest.raises(ServiceError):
        ask(AsyncOpenAI(api_key="sk-x", base_url=service.base_url, max_retries=0))
    assert len(service.connections()) == 1


def test_a_key_that_is_refused_is_an_error_of_ours(service: Service) -> None:
    service.key = "sk-right"
    with pytest.raises(AuthenticationError):
        ask(AsyncOpenAI(api_key="sk-wrong", base_url=service.base_url))


def test_a_prompt_objects_own_model_goes_before_one_that_nobody_chose(service: Service) -> None:
    client = AsyncOpenAI(api_key="sk-x", base_url=service.base_url)
    preview = OpenAIResponsesWSModel("gpt-x", client, model_is_explicit=False).preview
    prompt = {"id": "pmpt_1"}
    assert "model" not in preview(ModelRequest(input="hi", prompt=prompt))["body"]
    assert preview(ModelRequest(input="hi"))["body"]["model"] == "gpt-x"
    assert preview(ModelRequest(input="hi"))["url"] == f"{service.websocket_base_url}/responses"


def test_an_option_that_there_is_not_is_an_error() -> None:
    with pytest.raises(UserError, match="no 'pings'"):
        OpenAIResponsesWSModel("m", AsyncOpenAI(api_key="sk-x"), websocket_options={"pings": 1})  # type: ignore[typeddict-unknown-key]


@pytest.mark.parametrize(("timeout", "seconds"), [(3.0, (3, 3)), (None, (15, 600))])
def test_the_clients_timeout_holds(timeout: float | None, seconds: tuple[float, float]) -> None:
    model = OpenAIResponsesWSModel("m", AsyncOpenAI(api_key="sk-x", timeout=timeout))
    options = model.pool.pipe.options
    assert (options.connect_timeout, options.request_timeout) == seconds
