"""Conversation memory: sessions in SQLite files and in conversations at OpenAI: a lazy facade."""

from typing import TYPE_CHECKING

from agentctl._lazy import exporter

if TYPE_CHECKING:
    from agentctl.agent.session import Session as Session
    from agentctl.agent.session import SessionABC as SessionABC
    from agentctl.agent.session import SessionInputCallback as SessionInputCallback
    from agentctl.agent.session import SessionSettings as SessionSettings

    from .openai_conversations_session import OpenAIConversationsSession as OpenAIConversationsSession
    from .sqlite_session import SQLiteSession as SQLiteSession

__getattr__, __dir__, __all__ = exporter(
    __name__,
    {
        "OpenAIConversationsSession": "agentctl.memory.openai_conversations_session",
        "SQLiteSession": "agentctl.memory.sqlite_session",
        "Session": "agentctl.agent.session",
        "SessionABC": "agentctl.agent.session",
        "SessionInputCallback": "agentctl.agent.session",
        "SessionSettings": "agentctl.agent.session",
    },
)
