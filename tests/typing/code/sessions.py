"""Conversation memory, as users of the Agents SDK write it: ours, and one of their own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, assert_type

from agentctl import (
    Agent,
    OpenAIConversationsSession,
    RunConfig,
    Runner,
    Session,
    SessionABC,
    SessionSettings,
    SQLiteSession,
    TResponseInputItem,
)
from agentctl.memory import SessionInputCallback


class ListSession:
    """A session by its methods alone."""

    session_id: str = "list"
    session_settings: SessionSettings | None = None

    def __init__(self) -> None:
        self.items: list[TResponseInputItem] = []

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        return self.items if limit is None else self.items[-limit:]

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        self.items.extend(items)

    async def pop_item(self) -> TResponseInputItem | None:
        return self.items.pop() if self.items else None

    async def clear_session(self) -> None:
        self.items.clear()


class CountingSession(SQLiteSession):
    """One of ours, changed."""

    count = 0

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        self.count += len(items)
        await super().add_items(items)


def newest_first(history: list[TResponseInputItem], new: list[TResponseInputItem]) -> list[TResponseInputItem]:
    return history[-10:] + new


callback: SessionInputCallback = newest_first
config = RunConfig(session_input_callback=callback, session_settings=SessionSettings(limit=20))
sessions: list[Session] = [
    ListSession(),
    SQLiteSession("a"),
    CountingSession("b", Path("talks.db"), session_settings=SessionSettings(limit=5)),
    OpenAIConversationsSession(conversation_id="conv_1"),
]
base: SessionABC = SQLiteSession("c", "talks.db", sessions_table="sessions", messages_table="messages")
tool = Agent(name="helper").as_tool("ask", "Ask.", session=sessions[0])


async def talk(agent: Agent[None], session: Session) -> None:
    await Runner.run(agent, "Hi", session=session, run_config=config)
    streamed = Runner.run_streamed(agent, "Ho", session=session)
    async for _ in streamed.stream_events():
        pass
    assert_type(await session.get_items(limit=2), list[dict[str, Any]])
    assert_type(await session.pop_item(), dict[str, Any] | None)
    await session.clear_session()


def main() -> None:
    asyncio.run(talk(Agent[None](name="a"), SQLiteSession("a")))
