"""The pinned session: what it checks, what it shares, what it closes."""

import asyncio
import dataclasses
import inspect
from pathlib import Path
from typing import Any

import pytest

from agentctl.agent.agent import Agent
from agentctl.agent.events import Warned
from agentctl.agent.run_config import RunConfig
from agentctl.agent.tools.function_tool import function_tool
from agentctl.errors import ServiceError, UserError
from agentctl.models.multi_provider import MultiProvider
from agentctl.models.openai_provider import OpenAIProvider
from agentctl.run.websocket_session import ResponsesWebSocketSession, responses_websocket_session
from tests.service.client import Service
from tests.service.steps import http_error, text, tool_calls

pytestmark = pytest.mark.usefixtures("home")

AGENT = Agent[Any](name="a")


@function_tool
def double(number: int) -> int:
    """Double a number."""
    return 2 * number


@pytest.fixture
def provider() -> MultiProvider:
    return MultiProvider(openai_api_key="sk-test")


@pytest.fixture
def session(provider: MultiProvider) -> ResponsesWebSocketSession:
    return ResponsesWebSocketSession(provider.openai_provider, RunConfig(model_provider=provider))


def test_a_session_is_a_frozen_dataclass_of_provider_and_run_config(session: ResponsesWebSocketSession) -> None:
    assert [field.name for field in dataclasses.fields(session)] == ["provider", "run_config"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        session.provider = OpenAIProvider()  # type: ignore[misc]


def test_on_creation_a_model_provider_that_is_no_multi_provider_is_a_type_error() -> None:
    provider = OpenAIProvider(api_key="sk-test")
    with pytest.raises(TypeError, match="must be a MultiProvider, not OpenAIProvider"):
        ResponsesWebSocketSession(provider, RunConfig(model_provider=provider))


def test_on_creation_another_openai_provider_is_a_value_error(provider: MultiProvider) -> None:
    with pytest.raises(ValueError, match=r"must be run_config\.model_provider\.openai_provider itself"):
        ResponsesWebSocketSession(OpenAIProvider(api_key="sk-test"), RunConfig(model_provider=provider))


def test_before_every_use_a_model_provider_that_is_no_multi_provider_is_a_type_error(
    session: ResponsesWebSocketSession,
) -> None:
    async def scenario() -> None:
        session.run_config.model_provider = session.provider
        with pytest.raises(TypeError, match="MultiProvider"):
            await session.run(AGENT, "hi")
        with pytest.raises(TypeError, match="MultiProvider"):
            session.run_streamed(AGENT, "hi")
        with pytest.raises(TypeError, match="MultiProvider"):
            await session.aclose()

    asyncio.run(scenario())


def test_before_every_use_another_openai_provider_is_a_value_error(
    session: ResponsesWebSocketSession, provider: MultiProvider
) -> None:
    async def scenario() -> None:
        provider.openai_provider = OpenAIProvider(api_key="sk-test")
        with pytest.raises(ValueError, match=r"must be run_config\.model_provider\.openai_provider itself"):
            await session.run(AGENT, "hi")
        with pytest.raises(ValueError, match=r"must be run_config\.model_provider\.openai_provider itself"):
            session.run_streamed(AGENT, "hi")
        with pytest.raises(ValueError, match=r"must be run_config\.model_provider\.openai_provider itself"):
            await session.aclose()

    asyncio.run(scenario())


@pytest.mark.parametrize("run_config", [None, RunConfig()], ids=["None", "another"])
def test_passing_run_config_is_a_value_error_that_names_the_method(
    session: ResponsesWebSocketSession, run_config: Any
) -> None:
    async def scenario() -> None:
        with pytest.raises(ValueError, match=r"run\(\) takes no run_config"):
            await session.run(AGENT, "hi", run_config=run_config)
        with pytest.raises(ValueError, match=r"run_streamed\(\) takes no run_config"):
            session.run_streamed(AGENT, "hi", run_config=run_config)

    asyncio.run(scenario())


def test_runs_share_the_run_config_and_one_socket(service: Service) -> None:
    service.script(text("One."), tool_calls(("double", {"number": 1})), text("Two."))

    async def scenario() -> list[str]:
        async with responses_websocket_session(api_key="sk-test", base_url=service.base_url) as session:
            session.run_config.model = "gpt-shared"
            first = await session.run(AGENT, "hi", max_turns=1)
            second = session.run_streamed(Agent(name="b", tools=[double]), "hi", max_turns=3)
            async for _ in second.stream_events():
                pass
            return [first.final_output, second.final_output]

    assert asyncio.run(scenario()) == ["One.", "Two."]
    requests = service.requests()
    assert [request["method"] for request in requests] == ["WS"] * 3
    assert {request["body"]["model"] for request in requests} == {"gpt-shared"}
    [connection] = service.wait_for_connections(1, ended=1)
    assert connection["headers"]["authorization"] == "Bearer sk-test"


def test_a_second_run_that_goes_on_from_the_first_sends_only_what_is_new(service: Service) -> None:
    service.script(text("One."), text("Two."))

    async def scenario() -> Any:
        async with responses_websocket_session(api_key="sk-test", base_url=service.base_url) as session:
            first = await session.run(AGENT, "hi")
            return await session.run(AGENT, [*first.to_input_list(), {"role": "user", "content": "and?"}])

    result = asyncio.run(scenario())
    assert result.final_output == "Two."
    assert result.context_wrapper.usage.transport.delta == 1
    assert service.requests()[-1]["body"]["input"] == [{"role": "user", "content": "and?"}]


def test_aclose_closes_the_sockets_of_the_cached_models(service: Service) -> None:
    async def scenario() -> None:
        provider = MultiProvider(
            openai_api_key="sk-test", openai_base_url=service.base_url, openai_use_responses_websocket=True
        )
        session = ResponsesWebSocketSession(provider.openai_provider, RunConfig(model_provider=provider))
        await session.run(AGENT, "hi")
        assert service.connections()[0]["ended"] is None
        await session.aclose()
        service.wait_for_connections(1, ended=1)
        # The session may be used again.
        await session.run(AGENT, "hi")
        await session.aclose()

    asyncio.run(scenario())
    assert len(service.wait_for_connections(2, ended=2)) == 2


def test_the_context_manager_closes_the_session_whatever_happens_in_it(service: Service) -> None:
    async def scenario() -> None:
        async with responses_websocket_session(api_key="sk-test", base_url=service.base_url) as session:
            await session.run(AGENT, "hi")
            raise KeyError("mine")

    with pytest.raises(KeyError):
        asyncio.run(scenario())
    service.wait_for_connections(1, ended=1)


def test_sockets_may_lead_elsewhere_than_requests(service: Service) -> None:
    async def scenario() -> None:
        async with responses_websocket_session(
            api_key="sk-test",
            base_url="http://127.0.0.1:9/v1",
            websocket_base_url=service.websocket_base_url,
            organization="org-1",
            project="proj-1",
        ) as session:
            await session.run(AGENT, "hi")

    asyncio.run(scenario())
    headers = service.connections()[0]["headers"]
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "proj-1")


def test_prefix_modes_are_those_of_the_multi_provider(service: Service) -> None:
    async def scenario() -> None:
        async with responses_websocket_session(
            api_key="sk-test", base_url=service.base_url, openai_prefix_mode="model_id", unknown_prefix_mode="model_id"
        ) as session:
            for name in ("openai/x", "other/y"):
                await session.run(Agent(name="a", model=name), "hi")

    asyncio.run(scenario())
    assert [request["body"]["model"] for request in service.requests()] == ["openai/x", "other/y"]


def test_an_upgrade_that_is_refused_fails_the_run_and_names_auto(service: Service) -> None:
    service.script_upgrades(http_error(404))

    async def scenario() -> None:
        async with responses_websocket_session(api_key="sk-test", base_url=service.base_url) as session:
            with pytest.raises(ServiceError, match="`auto`"):
                await session.run(AGENT, "hi")

    asyncio.run(scenario())
    assert service.requests() == []


def test_with_auto_a_session_goes_on_over_http_and_says_so_once(service: Service) -> None:
    service.script_upgrades(http_error(426))

    async def scenario() -> list[str]:
        warnings = []
        async with responses_websocket_session(
            api_key="sk-test", base_url=service.base_url, responses_transport="auto"
        ) as session:
            for _ in range(2):
                events = session.run_streamed(AGENT, "hi").run_events()
                warnings += [event.message async for event in events if isinstance(event, Warned)]
        return warnings

    assert len(asyncio.run(scenario())) == 1
    assert [request["method"] for request in service.requests()] == ["POST", "POST"]


def test_an_option_that_there_is_not_is_an_error_that_names_those_there_are() -> None:
    async def scenario() -> None:
        async with responses_websocket_session(responses_websocket_options={"pings": 3}):  # type: ignore[typeddict-unknown-key]
            raise AssertionError

    with pytest.raises(UserError, match="no 'pings'; its options are ping_interval, ping_timeout, max_size"):
        asyncio.run(scenario())


def test_a_message_longer_than_max_size_ends_the_run(service: Service) -> None:
    service.script(text("x" * 5000))

    async def scenario() -> None:
        options = {"max_size": 1000, "ping_interval": None, "ping_timeout": None}
        async with responses_websocket_session(
            api_key="sk-test",
            base_url=service.base_url,
            responses_websocket_options=options,  # type: ignore[arg-type]
        ) as session:
            with pytest.raises(ServiceError):
                await session.run(AGENT, "hi")

    asyncio.run(scenario())


def test_the_api_is_responses_whatever_the_default(service: Service, home: Path) -> None:
    from agentctl.net.defaults import get_defaults, restore_defaults, set_default_openai_api

    async def scenario() -> None:
        async with responses_websocket_session(api_key="sk-test", base_url=service.base_url) as session:
            await session.run(AGENT, "hi")

    before = get_defaults()
    set_default_openai_api("chat_completions")
    try:
        asyncio.run(scenario())
    finally:
        restore_defaults(before)
    assert service.requests()[-1]["method"] == "WS"


def test_the_keywords_are_those_of_the_sdk_and_ours() -> None:
    assert list(inspect.signature(responses_websocket_session).parameters) == [
        "api_key",
        "base_url",
        "websocket_base_url",
        "organization",
        "project",
        "openai_prefix_mode",
        "unknown_prefix_mode",
        "responses_websocket_options",
        "responses_transport",
    ]
