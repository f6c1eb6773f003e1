"""The process-wide defaults and the functions that set them."""

import asyncio
import inspect
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from agentctl.agent.agent import Agent
from agentctl.agent.run_config import RunConfig
from agentctl.log import enable_verbose_stdout_logging, logger
from agentctl.models.multi_provider import MultiProvider
from agentctl.models.openai_provider import OpenAIProvider
from agentctl.net.defaults import (
    Defaults,
    get_defaults,
    restore_defaults,
    set_default_openai_api,
    set_default_openai_client,
    set_default_openai_key,
    set_default_openai_responses_transport,
    set_tracing_export_api_key,
)
from agentctl.redaction import redact
from agentctl.run.runner import Runner
from tests.service.client import Service


@pytest.fixture(autouse=True)
def defaults(home: Path) -> Iterator[None]:
    """The defaults of a fresh process, restored afterwards."""
    before = get_defaults()
    restore_defaults(Defaults())
    yield
    restore_defaults(before)


@pytest.fixture
def at_service(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The fake service as the endpoint that the environment names, with a key."""
    monkeypatch.setenv("OPENAI_BASE_URL", service.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-environment")
    return service


def run(provider: OpenAIProvider | None = None) -> None:
    config = None if provider is None else RunConfig(model_provider=provider)

    async def scenario() -> None:
        await Runner.run(Agent(name="a"), "hi", run_config=config)
        if provider is not None:
            await provider.aclose()

    asyncio.run(scenario())


def sent(service: Service) -> tuple[str, str | None]:
    """Return path and authorization of the last request."""
    last = service.requests()[-1]
    return last["path"], last["headers"].get("authorization")


def test_the_default_key_is_used_instead_of_the_environments(at_service: Service) -> None:
    set_default_openai_key("sk-default")
    run()
    assert sent(at_service) == ("/v1/responses", "Bearer sk-default")


def test_with_use_for_tracing_the_default_key_is_also_the_tracing_export_key() -> None:
    set_default_openai_key("sk-default")
    assert get_defaults().tracing_key == "sk-default"


def test_without_use_for_tracing_the_default_key_leaves_the_tracing_export_key_alone() -> None:
    set_tracing_export_api_key("sk-of-traces")
    set_default_openai_key("sk-default", use_for_tracing=False)
    assert get_defaults().tracing_key == "sk-of-traces"


def test_a_key_that_a_provider_is_given_goes_before_the_default(at_service: Service) -> None:
    set_default_openai_key("sk-default")
    run(OpenAIProvider(api_key="sk-given"))
    assert sent(at_service) == ("/v1/responses", "Bearer sk-given")


def test_the_default_key_does_not_go_where_the_environments_would_not(service: Service) -> None:
    set_default_openai_key("sk-default")
    with pytest.raises(Exception, match="there is no key for"):
        run(OpenAIProvider(base_url=service.base_url))
    assert service.requests() == []


def test_a_default_that_changes_counts_from_the_next_model_on(at_service: Service) -> None:
    provider = OpenAIProvider()
    for key in ("sk-first", "sk-second"):
        set_default_openai_key(key)
        run(provider)
        assert sent(at_service) == ("/v1/responses", f"Bearer {key}")


def test_the_default_client_is_used_instead_of_the_default_one(at_service: Service) -> None:
    async def scenario() -> None:
        async with AsyncOpenAI(
            api_key="sk-of-client", base_url=at_service.base_url, default_headers={"x-mine": "yes"}
        ) as client:
            set_default_openai_client(client)
            await Runner.run(Agent(name="a"), "hi")
            assert not client.is_closed()

    asyncio.run(scenario())
    assert sent(at_service) == ("/v1/responses", "Bearer sk-of-client")
    assert at_service.requests()[-1]["headers"]["x-mine"] == "yes"


def test_the_key_of_the_default_client_serves_tracing_too() -> None:
    set_default_openai_client(AsyncOpenAI(api_key="sk-of-client"))
    assert get_defaults().tracing_key == "sk-of-client"


def test_the_key_of_a_client_of_another_service_does_not_serve_tracing() -> None:
    set_default_openai_client(AsyncOpenAI(api_key="sk-of-another", base_url="http://localhost:1234/v1"))
    assert get_defaults().tracing_key is None


def test_the_key_of_the_default_client_does_not_serve_tracing_if_told_otherwise() -> None:
    set_default_openai_client(AsyncOpenAI(api_key="sk-of-client"), use_for_tracing=False)
    assert get_defaults().tracing_key is None


def test_a_client_that_fetches_its_key_has_none_for_tracing() -> None:
    async def fetch() -> str:
        return "sk-fetched"

    set_tracing_export_api_key("sk-of-traces")
    set_default_openai_client(AsyncOpenAI(api_key=fetch))
    assert get_defaults().tracing_key == "sk-of-traces"


@pytest.mark.parametrize("given", ["api_key", "base_url", "websocket_base_url", "organization", "project"])
def test_a_provider_that_is_given_an_endpoint_does_not_use_the_default_client(given: str, service: Service) -> None:
    set_default_openai_client(AsyncOpenAI(api_key="sk-of-client", base_url=service.base_url))
    value = service.base_url if given.endswith("url") else "mine"
    made = OpenAIProvider(**{given: value})  # type: ignore[arg-type]
    assert type(made.get_model("m")).__name__ == "ResponsesHTTPModel"


def test_the_default_api_is_responses(at_service: Service) -> None:
    run()
    assert sent(at_service)[0] == "/v1/responses"


def test_the_default_api_may_be_chat_completions(at_service: Service) -> None:
    set_default_openai_api("chat_completions")
    run()
    assert sent(at_service)[0] == "/v1/chat/completions"


def test_the_default_api_may_be_responses_again(at_service: Service) -> None:
    set_default_openai_api("chat_completions")
    set_default_openai_api("responses")
    run()
    assert sent(at_service)[0] == "/v1/responses"


def test_the_api_that_a_provider_is_given_goes_before_the_default(at_service: Service) -> None:
    set_default_openai_api("chat_completions")
    run(OpenAIProvider(use_responses=True))
    assert sent(at_service)[0] == "/v1/responses"


def test_any_other_api_is_a_value_error_that_names_the_allowed_ones() -> None:
    with pytest.raises(ValueError, match="'chat_completions', 'responses', not 'assistants'"):
        set_default_openai_api("assistants")  # type: ignore[arg-type]
    assert get_defaults().openai_api == "responses"


def test_the_default_transport_is_http(at_service: Service) -> None:
    run()
    assert at_service.requests()[-1]["method"] == "POST"


def test_the_default_transport_applies_where_a_provider_resolves_a_responses_model(at_service: Service) -> None:
    provider = OpenAIProvider()
    set_default_openai_responses_transport("websocket")
    run(provider)
    set_default_openai_responses_transport("http")
    run(provider)
    assert [request["method"] for request in at_service.requests()] == ["WS", "POST"]


def test_the_default_transport_does_not_apply_to_chat_completions(at_service: Service) -> None:
    set_default_openai_responses_transport("websocket")
    set_default_openai_api("chat_completions")
    run()
    assert sent(at_service)[0] == "/v1/chat/completions"


def test_the_transport_that_a_provider_is_given_goes_before_the_default(at_service: Service) -> None:
    set_default_openai_responses_transport("websocket")
    run(OpenAIProvider(use_responses_websocket=False))
    run(OpenAIProvider(responses_transport="http"))
    assert [request["method"] for request in at_service.requests()] == ["POST", "POST"]


@pytest.mark.parametrize("transport", ["auto", "carrier pigeon"])
def test_any_other_transport_is_a_value_error_that_names_the_allowed_ones(transport: Any) -> None:
    with pytest.raises(ValueError, match=f"'http', 'websocket', not '{transport}'"):
        set_default_openai_responses_transport(transport)
    assert get_defaults().responses_transport == "http"


def test_set_tracing_export_api_key_sets_the_key_of_traces() -> None:
    set_tracing_export_api_key("sk-of-traces")
    assert get_defaults() == Defaults(tracing_key="sk-of-traces")


def test_every_key_is_a_secret_from_the_moment_it_is_set() -> None:
    set_default_openai_key("sk-secret-default", use_for_tracing=False)
    set_tracing_export_api_key("sk-secret-of-traces")
    set_default_openai_client(AsyncOpenAI(api_key="sk-secret-of-client"), use_for_tracing=False)
    for key in ("sk-secret-default", "sk-secret-of-traces", "sk-secret-of-client"):
        assert redact(f"<{key}>") == "<[redacted]>"
        assert key not in repr(get_defaults())


def test_verbose_logging_goes_to_stdout_at_debug_and_twice_prints_no_line_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before, level = list(logger.handlers), logger.level
    try:
        enable_verbose_stdout_logging()
        enable_verbose_stdout_logging()
        logging.getLogger("openai.agents").debug("a line")
    finally:
        logger.handlers[:] = before
        logger.setLevel(level)
    assert capsys.readouterr().out.count("a line") == 1


def test_signatures_are_those_of_the_sdk() -> None:
    for function, first in ((set_default_openai_key, "key"), (set_default_openai_client, "client")):
        parameters = inspect.signature(function).parameters
        assert list(parameters) == [first, "use_for_tracing"]
        assert parameters["use_for_tracing"].default is True
    assert list(inspect.signature(set_default_openai_api).parameters) == ["api"]
    assert list(inspect.signature(set_default_openai_responses_transport).parameters) == ["transport"]
    assert list(inspect.signature(set_tracing_export_api_key).parameters) == ["api_key"]


def test_a_multi_provider_asks_the_defaults_too(at_service: Service) -> None:
    set_default_openai_key("sk-default")
    set_default_openai_api("chat_completions")
    model = MultiProvider().get_model("openai/m")
    assert type(model).__name__ == "ChatHTTPModel"


def test_setting_defaults_imports_no_client() -> None:
    code = """
import sys
from agentctl.net import defaults
defaults.set_default_openai_key("sk-default")
defaults.set_default_openai_api("responses")
defaults.set_default_openai_responses_transport("websocket")
defaults.set_tracing_export_api_key("sk-of-traces")
print({"openai", "httpx2", "asyncio", "agentctl.tracing.provider"} & set(sys.modules))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "set()\n"
