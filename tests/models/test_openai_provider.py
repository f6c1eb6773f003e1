import asyncio
from pathlib import Path
from typing import Any

import pytest

from agentctl.agent.ports import ModelRequest
from agentctl.errors import ConfigurationError, MissingKeyError
from agentctl.models.default_model import DEFAULT_MODEL
from agentctl.models.openai_provider import OpenAIProvider
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
