"""Sessions whose history the service compacts: when it does, with what, and what a failure leaves."""

import asyncio
from typing import Any

import pytest

from agentctl import (
    Agent,
    OpenAIResponsesCompactionSession,
    Runner,
    SQLiteSession,
    is_openai_responses_compaction_aware_session,
)
from agentctl.testing import ScriptedModel

COMPACTED = {"type": "compaction", "id": "cmp_1", "encrypted_content": "x"}


class Client:
    """An `openai` client as far as the session uses it."""

    def __init__(self, *, fails: bool = False) -> None:
        self.bodies: list[Any] = []
        self._fails = fails

    async def post(self, path: str, *, cast_to: Any, body: Any) -> Any:
        assert path == "/responses/compact"
        self.bodies.append(body)
        if self._fails:
            raise RuntimeError("service")
        return {"output": [COMPACTED]}


def session(client: Client, **options: Any) -> OpenAIResponsesCompactionSession:
    return OpenAIResponsesCompactionSession("s", SQLiteSession("s"), client=client, **options)  # type: ignore[arg-type]


def test_a_run_compacts_once_there_are_enough_items() -> None:
    async def scenario() -> tuple[list[Any], list[Any], list[Any]]:
        client = Client()
        compacting = session(client, should_trigger_compaction=lambda data: len(data["session_items"]) >= 4)
        agent = Agent(name="a", model=ScriptedModel(["1", "2", "3"]))
        await Runner.run(agent, "one", session=compacting)
        before = list(client.bodies)
        await Runner.run(agent, "two", session=compacting)
        return before, client.bodies, await compacting.get_items()

    before, bodies, items = asyncio.run(scenario())
    assert before == []
    assert bodies == [{"model": "gpt-4.1", "previous_response_id": "resp_scripted_2"}]
    assert items == [COMPACTED]


def test_without_a_response_the_items_are_sent() -> None:
    async def scenario() -> list[Any]:
        client = Client()
        compacting = session(client, model="gpt-5")
        await compacting.add_items([{"role": "user", "content": "hi"}])
        await compacting.run_compaction()
        assert client.bodies == []
        await compacting.run_compaction({"force": True})
        await compacting.run_compaction({"force": True, "response_id": "r", "store": False})
        with pytest.raises(ValueError, match="response_id"):
            await session(client, compaction_mode="previous_response_id").run_compaction({"force": True})
        return client.bodies

    first, second = asyncio.run(scenario())
    assert first == {"model": "gpt-5", "input": [{"role": "user", "content": "hi"}]}
    assert second == {"model": "gpt-5", "input": [COMPACTED]}


def test_a_failure_leaves_the_history() -> None:
    async def scenario() -> None:
        history = [{"role": "user", "content": "hi"}]
        failing = session(Client(fails=True))
        await failing.add_items(history)
        with pytest.raises(RuntimeError, match="service"):
            await failing.run_compaction({"force": True})
        assert await failing.get_items() == history

        class Broken(SQLiteSession):
            is_broken = True

            async def add_items(self, items: list[Any]) -> None:
                if items == [COMPACTED]:
                    raise RuntimeError("disk")
                await super().add_items(items)

        broken = OpenAIResponsesCompactionSession("s", Broken("s"), client=Client())  # type: ignore[arg-type]
        await broken.add_items(history)
        with pytest.raises(RuntimeError, match="disk"):
            await broken.run_compaction({"force": True})
        assert await broken.get_items() == history

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("options", "said"), [({"model": "mistral"}, "Unsupported model"), ({"max_rollback_items": 0}, "must be positive")]
)
def test_what_cannot_be_is_refused(options: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        session(Client(), **options)


def test_which_sessions_compact() -> None:
    assert is_openai_responses_compaction_aware_session(session(Client()))
    assert not is_openai_responses_compaction_aware_session(SQLiteSession("s"))
    assert not is_openai_responses_compaction_aware_session(None)
