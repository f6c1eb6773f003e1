"""Conversation memory, in SQLite files and in OpenAI's conversations API: a lazy facade."""

from typing import TYPE_CHECKING

from agentctl._lazy import lazy_names

if TYPE_CHECKING:
    from agentctl.agent.session import OpenAIResponsesCompactionArgs as OpenAIResponsesCompactionArgs
    from agentctl.agent.session import OpenAIResponsesCompactionAwareSession as OpenAIResponsesCompactionAwareSession
    from agentctl.agent.session import Session as Session
    from agentctl.agent.session import SessionABC as SessionABC
    from agentctl.agent.session import SessionInputCallback as SessionInputCallback
    from agentctl.agent.session import SessionSettings as SessionSettings
    from agentctl.agent.session import (
        is_openai_responses_compaction_aware_session as is_openai_responses_compaction_aware_session,
    )

    from .openai_conversations_session import OpenAIConversationsSession as OpenAIConversationsSession
    from .openai_responses_compaction_session import (
        OpenAIResponsesCompactionSession as OpenAIResponsesCompactionSession,
    )
    from .sqlite_session import SQLiteSession as SQLiteSession

__getattr__, __dir__ = lazy_names(__name__)
