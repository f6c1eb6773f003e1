"""Conversations that OpenAI keeps: over our own pipe and over a client of the user, alike."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, NotFoundError

from agentctl import (
    Agent,
    MissingKeyError,
    OpenAIConversationsSession,
    RequestRejectedError,
    Runner,
    ServiceUnavailableError,
    function_tool,
    set_default_openai_client,
)
from agentctl.memory.openai_conversations import batches
from agentctl.net import defaults
from agentctl.run.open_calls import unpaired_items
from agentctl.testing import ScriptedModel, function_call
from tests.memory.conversations_server import Conversations, conversations

Item = dict[str, Any]
Use = Callable[[OpenAIConversationsSession], Awaitable[Any]]
With = Callable[..., Any]


@pytest.fixture
def service(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Conversations]:
    with conversations() as service:
        monkeypatch.setenv("OPENAI_BASE_URL", service.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-for-conversations")
        yield service


@pytest.fixture(params=["pipe", "client"])
def with_session(request: pytest.FixtureRequest, service: Conversations) -> With:
    def use(scenario: Use, **options: Any) -> Any:
        async def whole() -> Any:
            if request.param == "pipe":
                return await scenario(OpenAIConversationsSession(**options))
            async with AsyncOpenAI(base_url=service.base_url, api_key="sk-for-conversations") as client:
                return await scenario(OpenAIConversationsSession(openai_client=client, **options))

        return asyncio.run(whole())

    return use


def user(text: str) -> Item:
    return {"role": "user", "content": text}


def texts(items: list[Item]) -> list[str]:
    return [str(item.get("content")) for item in items]


def test_the_conversation_is_made_when_first_used(with_session: With, service: Conversations) -> None:
    async def scenario(session: OpenAIConversationsSession) -> None:
        with pytest.raises(ValueError, match="no id yet"):
            session.session_id  # noqa: B018
        await session.add_items([])
        assert service.asked == []
        await session.add_items([user("a"), user("b")])
        assert session.session_id == "conv_1"
        assert texts(await session.get_items()) == ["a", "b"]
        assert service.keys == {"Bearer sk-for-conversations"}

    with_session(scenario)


def test_the_conversation_with_an_id_is_gone_on_with(with_session: With, service: Conversations) -> None:
    service.kept["conv_x"] = [{"id": "i", "type": "message", **user("old")}]

    async def scenario(session: OpenAIConversationsSession) -> None:
        assert session.session_id == "conv_x"
        assert texts(await session.get_items()) == ["old"]

    with_session(scenario, conversation_id="conv_x")
    assert service.asked == ["GET /v1/conversations/conv_x/items"]


def test_many_items_are_added_and_read_page_by_page_in_order(with_session: With, service: Conversations) -> None:
    said = [str(number) for number in range(250)]

    async def scenario(session: OpenAIConversationsSession) -> None:
        await session.add_items([user(text) for text in said])
        assert texts(await session.get_items()) == said
        assert texts(await session.get_items(3)) == said[-3:]
        assert texts(await session.get_items(150)) == said[-150:]
        before = len(service.asked)
        assert await session.get_items(0) == []
        assert len(service.asked) == before

    with_session(scenario)


def test_the_limit_of_the_settings_counts_where_none_is_asked_for(with_session: With) -> None:
    async def scenario(session: OpenAIConversationsSession) -> None:
        await session.add_items([user("a"), user("b")])
        assert texts(await session.get_items()) == ["b"]

    with_session(scenario, session_settings={"limit": 1})


def test_the_newest_item_and_then_all_of_them_are_taken_away(with_session: With, service: Conversations) -> None:
    async def scenario(session: OpenAIConversationsSession) -> None:
        assert await session.pop_item() is None
        await session.add_items([user("a"), user("b")])
        assert texts([await session.pop_item() or {}]) == ["b"]
        assert texts(await session.get_items()) == ["a"]
        await session.clear_session()
        assert service.kept == {}
        assert await session.get_items() == []
        assert session.session_id == "conv_4"

    with_session(scenario)


def test_items_are_given_as_the_service_takes_them(with_session: With, service: Conversations) -> None:
    items = [
        {"type": "message", "id": "m", "role": "assistant", "content": [], "phase": None},
        {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": None},
        {"type": "function_call", "id": "fc", "call_id": "1", "name": "n", "arguments": "{}", "status": None},
        {"type": "function_call_output", "id": None, "call_id": "1", "output": "o"},
    ]
    with_session(lambda session: session.add_items(items))
    kept = [{name: value for name, value in item.items() if name != "id"} for item in service.kept["conv_1"]]
    assert kept == [
        {"type": "message", "role": "assistant", "content": []},
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "1", "name": "n", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "o"},
    ]
    assert service.kept["conv_1"][1]["id"] == "rs"


def test_a_run_is_kept_there(with_session: With, service: Conversations) -> None:
    @function_tool
    def double(number: int) -> int:
        return number * 2

    async def scenario(session: OpenAIConversationsSession) -> None:
        model = ScriptedModel([[function_call("double", {"number": 2}, call_id="1")], "4", "bye"])
        agent = Agent[Any](name="a", model=model, tools=[double])
        await Runner.run(agent, "hi", session=session)
        await Runner.run(agent, "ho", session=session)

    with_session(scenario)
    kinds = [item["type"] for item in service.kept["conv_1"]]
    assert kinds == ["message", "function_call", "function_call_output", "message", "message", "message"]


def test_reading_is_tried_again_and_adding_only_where_it_had_no_effect(
    with_session: With, service: Conversations
) -> None:
    service.failures = [503, 429]

    async def scenario(session: OpenAIConversationsSession) -> None:
        await session.add_items([user("a")])
        service.failures = [500]
        assert texts(await session.get_items()) == ["a"]

    with_session(scenario)
    assert texts(service.kept["conv_1"]) == ["a"]


def test_a_call_is_added_together_with_its_output_and_with_the_reasoning_before_it() -> None:
    led = {"type": "reasoning", "id": "rs_1"}
    calls: list[Any] = [{"type": "function_call", "call_id": f"c{number}"} for number in range(23)]
    given = [{"type": "function_call_output", "call_id": call["call_id"]} for call in calls]
    items = [user("hi"), led, *calls, *given, user("bye"), *([led] * 25), user("end")]
    parts = list(batches(items))
    assert [len(part) for part in parts] == [20, 20, 9, 19, 7]
    assert parts[0] == [user("hi"), led, *calls[:9], *given[:9]]
    assert sorted(map(repr, items)) == sorted(repr(item) for part in parts for item in part)
    for part in parts:
        assert unpaired_items(part) == set()
    assert list(batches(items[:20])) == [items[:20]]
    assert list(batches([])) == []


def test_a_service_that_stays_away_is_unavailable(service: Conversations) -> None:
    service.failures = [503] * 9
    with pytest.raises(ServiceUnavailableError):
        asyncio.run(OpenAIConversationsSession().get_items())


def test_an_unknown_conversation_is_refused_as_each_way_says_it(with_session: With) -> None:
    with pytest.raises((RequestRejectedError, NotFoundError), match="no such conversation"):
        with_session(lambda session: session.get_items(), conversation_id="conv_none")


def test_a_name_cannot_lead_elsewhere(with_session: With, service: Conversations) -> None:
    with pytest.raises((RequestRejectedError, NotFoundError)):
        with_session(lambda session: session.get_items(), conversation_id="../models?x=")
    assert service.asked[0].startswith("GET /v1/conversations/..%2Fmodels")


def test_the_default_client_is_used_where_there_is_one(service: Conversations, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with AsyncOpenAI(base_url=service.base_url, api_key="sk-of-the-client") as client:
            set_default_openai_client(client, use_for_tracing=False)
            await OpenAIConversationsSession().get_items()

    monkeypatch.setattr(defaults, "_defaults", defaults.Defaults())
    asyncio.run(scenario())
    assert service.keys == {"Bearer sk-of-the-client"}


def test_without_a_key_it_is_said_how_to_give_one(service: Conversations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(MissingKeyError):
        asyncio.run(OpenAIConversationsSession().get_items())
    assert service.asked == []
