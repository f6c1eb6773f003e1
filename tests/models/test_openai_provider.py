import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from agentctl.agent.default_model import DEFAULT_MODEL
from agentctl.agent.events import Warned
from agentctl.agent.ports import ModelRequest, WireModel
from agentctl.errors import ConfigurationError, MissingKeyError, ServiceError, UserError
from agentctl.models.openai_provider import OpenAIProvider
from agentctl.net.options import HttpOptions
from tests.service.client import Service

REQUEST = ModelRequest(input="hi")


def ask(provider: OpenAIProvider, name: str | None = "m") -> Any:
    async def scenario() -> Any:
        events = [event async for event in provider.get_model(name).stream(REQUEST)]
        await provider.aclose()
        return events[-1]

    return asyncio.run(scenario())


def header(service: Service, name: str) -> str | None:
    value: str | None = service.requests()[-1]["headers"].get(name)
    return value


def test_what_is_given_is_what_is_sent(service: Service, home: Path) -> None:
    provider = OpenAIProvider(api_key="sk-given", base_url=service.base_url, organization="org-1", project="proj-1")
    assert ask(provider)["type"] == "response.completed"
    assert header(service, "authorization") == "Bearer sk-given"
    assert header(service, "openai-organization") == "org-1"
    assert header(service, "openai-project") == "proj-1"


def test_the_environment_answers_for_the_rest(service: Service, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", " sk-from-environment\n")
    monkeypatch.setenv("OPENAI_BASE_URL", service.base_url)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-2")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-2")
    monkeypatch.setenv("OPENAI_DEFAULT_MODEL", "from-environment")
    ask(OpenAIProvider(), None)
    assert header(service, "authorization") == "Bearer sk-from-environment"
    assert header(service, "openai-organization") == "org-2"
    assert header(service, "openai-project") == "proj-2"
    assert service.requests()[-1]["body"]["model"] == "from-environment"


def test_without_any_name_the_default_model_is_taken(home: Path) -> None:
    assert OpenAIProvider(api_key="none").get_model(None).model_name == DEFAULT_MODEL


def test_the_environments_key_does_not_go_to_an_endpoint_that_the_environment_does_not_name(
    service: Service, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-openai")
    with pytest.raises(MissingKeyError, match=service.origin):
        ask(OpenAIProvider(base_url=service.base_url))
    assert service.requests() == []


def test_a_missing_key_is_said_at_the_first_call(home: Path) -> None:
    model = OpenAIProvider().get_model("m")
    with pytest.raises(MissingKeyError, match="set-key"):
        asyncio.run(anext(model.stream(REQUEST)))  # type: ignore[arg-type]


def test_the_key_none_sends_no_key(service: Service, home: Path) -> None:
    ask(OpenAIProvider(api_key="none", base_url=service.base_url))
    assert header(service, "authorization") is None


def test_a_model_is_made_once(home: Path) -> None:
    provider = OpenAIProvider(api_key="none")
    assert provider.get_model("m") is provider.get_model("m")
    assert provider.get_model("m") is not provider.get_model("n")


def test_a_base_url_that_is_none_is_a_configuration_error(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="ftp://host"):
        OpenAIProvider(api_key="none", base_url="ftp://host").get_model("m")


def test_a_provider_serves_again_after_it_was_closed(service: Service, home: Path) -> None:
    provider = OpenAIProvider(api_key="none", base_url=service.base_url)
    for _ in range(2):
        assert ask(provider)["type"] == "response.completed"


def kind(**given: Any) -> str:
    return type(OpenAIProvider(**{"api_key": "none", **given}).get_model("m")).__name__


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({}, "ResponsesHTTPModel"),
        ({"use_responses": True}, "ResponsesHTTPModel"),
        ({"use_responses": False}, "ChatHTTPModel"),
        ({"use_responses_websocket": True}, "ResponsesWebSocketModel"),
        ({"use_responses_websocket": False}, "ResponsesHTTPModel"),
        ({"use_responses": False, "use_responses_websocket": True}, "ChatHTTPModel"),
        ({"responses_transport": "http"}, "ResponsesHTTPModel"),
        ({"responses_transport": "websocket"}, "ResponsesWebSocketModel"),
        ({"responses_transport": "websocket", "use_responses_websocket": True}, "ResponsesWebSocketModel"),
        ({"responses_transport": "auto"}, "AutoTransportModel"),
        ({"responses_transport": "auto", "use_responses": False}, "ChatHTTPModel"),
    ],
)
def test_api_and_transport_choose_the_model(home: Path, given: dict[str, Any], made: str) -> None:
    assert kind(**given) == made


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({}, "OpenAIResponsesModel"),
        ({"use_responses": False}, "OpenAIChatCompletionsModel"),
        ({"use_responses_websocket": True}, "OpenAIResponsesWSModel"),
        ({"responses_transport": "auto"}, "AutoTransportModel"),
        ({"use_responses": False, "use_responses_websocket": True}, "OpenAIChatCompletionsModel"),
    ],
)
def test_a_client_that_is_given_serves_whatever_is_chosen(home: Path, given: dict[str, Any], made: str) -> None:
    client = AsyncOpenAI(api_key="sk-of-client")
    assert kind(openai_client=client, api_key=None, **given) == made


@pytest.mark.parametrize(
    "given",
    [
        {"api_key": "sk-given"},
        {"base_url": "http://127.0.0.1/v1"},
        {"websocket_base_url": "ws://127.0.0.1/v1"},
        {"organization": "org-1"},
        {"project": "proj-1"},
        {"http_options": HttpOptions()},
    ],
)
def test_a_client_and_what_it_has_itself_contradict_each_other(given: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="openai_client"):
        OpenAIProvider(openai_client=AsyncOpenAI(api_key="sk-of-client"), **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"responses_transport": "pigeon"}, "'http', 'websocket', 'auto', not 'pigeon'"),
        ({"responses_transport": "auto", "use_responses_websocket": True}, "contradict each other"),
        ({"responses_transport": "http", "use_responses_websocket": True}, "contradict each other"),
        ({"responses_websocket_options": {"pings": 1}}, "no 'pings'"),
    ],
)
def test_what_cannot_be_chosen_is_an_error_at_once(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        OpenAIProvider(**given)


def test_models_are_kept_for_the_event_loop_that_asked(home: Path) -> None:
    provider = OpenAIProvider(api_key="none")

    async def scenario() -> WireModel:
        assert provider.get_model("m") is provider.get_model("m")
        return provider.get_model("m")

    first = asyncio.run(scenario())
    assert asyncio.run(scenario()) is not first
    assert provider.get_model("m") is not first


def test_aclose_closes_the_connections_of_every_model(service: Service, home: Path) -> None:
    provider = OpenAIProvider(api_key="none", base_url=service.base_url, use_responses_websocket=True)
    outside = provider.get_model("outside any loop")

    async def scenario() -> None:
        for model in (outside, provider.get_model("m")):
            assert [event async for event in model.stream(REQUEST)]
        await provider.aclose()

    asyncio.run(scenario())
    service.wait_for_connections(1, ended=1)


def test_a_users_client_is_left_open(service: Service, home: Path) -> None:
    async def scenario() -> None:
        async with AsyncOpenAI(api_key="sk-of-client", base_url=service.base_url) as client:
            provider = OpenAIProvider(openai_client=client)
            assert [event async for event in provider.get_model("m").stream(REQUEST)]
            await provider.aclose()
            assert not client.is_closed()

    asyncio.run(scenario())
    assert header(service, "authorization") == "Bearer sk-of-client"


def test_chat_completions_is_told_how_strict_to_be(service: Service, home: Path) -> None:
    request = ModelRequest(input="hi", previous_response_id="resp_1")
    given = {"api_key": "none", "base_url": service.base_url, "use_responses": False}

    async def events(**further: Any) -> list[Any]:
        return [event async for event in OpenAIProvider(**given, **further).get_model("m").stream(request)]

    assert isinstance(asyncio.run(events())[0], Warned)
    with pytest.raises(UserError, match="previous_response_id"):
        asyncio.run(events(strict_feature_validation=True))


def test_options_of_the_sockets_reach_them(service: Service, home: Path) -> None:
    provider = OpenAIProvider(
        api_key="none",
        base_url=service.base_url,
        use_responses_websocket=True,
        responses_websocket_options={"max_size": 100},
    )
    with pytest.raises(ServiceError):
        ask(provider)


def test_a_run_over_http_imports_neither_sockets_nor_chat(home: Path) -> None:
    code = """
import sys
from agentctl.models.openai_provider import OpenAIProvider
OpenAIProvider(api_key="none").get_model("m")
print([name for name in sys.modules if "websocket" in name or ".chat" in name or name == "openai"])
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
