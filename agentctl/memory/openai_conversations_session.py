"""Sessions stored in OpenAI's conversations API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentctl.agent.session import SessionABC, SessionSettings
from agentctl.agent.session import session_settings as settings_of
from agentctl.agent.wire import WireItem

from .openai_conversations import ConversationsApi, default_requester

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_ID_IS_OPTIONAL = frozenset({"message", "function_call", "custom_tool_call"})
"""Types of items for which the service assigns ids, in addition to tool outputs and messages without a type."""


class OpenAIConversationsSession(SessionABC):
    """A session in OpenAI's conversations API; without an id, a new conversation is created on first use.

    Requests go through the given client, else the default client, else the endpoint and key of the environment, as
    those of models.

    Raises:
        ServiceError: one of its subclasses; a user's client raises its own errors.
        MissingKeyError: the endpoint has no key.
    """

    def __init__(
        self,
        *,
        conversation_id: str | None = None,
        openai_client: AsyncOpenAI | None = None,
        session_settings: SessionSettings | dict[str, Any] | None = None,
    ) -> None:
        self.session_settings: SessionSettings | None = settings_of(session_settings)
        self._id = conversation_id
        self._client = openai_client
        self._api: ConversationsApi | None = None

    @property
    def session_id(self) -> str:
        """The id of the conversation.

        Raises:
            ValueError: the conversation has not been created yet.
        """
        if self._id is None:
            raise ValueError("the conversation has no id yet: it is created by the first get_items() or add_items()")
        return self._id

    @session_id.setter
    def session_id(self, conversation_id: str) -> None:
        """Switch to another conversation."""
        self._id = conversation_id

    async def get_items(self, limit: int | None = None) -> list[WireItem]:
        """Return the items, oldest first; with a limit, by default that of the settings, only the most recent ones."""
        if limit is None and self.session_settings is not None:
            limit = self.session_settings.limit
        conversation_id = await self._ensure_conversation()
        return await self._conversations.newest(conversation_id, None if limit is None or limit < 0 else limit)

    async def add_items(self, items: list[WireItem]) -> None:
        """Append items, in batches of the size that the service accepts."""
        if items:
            await self._conversations.add(await self._ensure_conversation(), [_to_request(item) for item in items])

    async def pop_item(self) -> WireItem | None:
        """Remove and return the most recent item; None if there is none."""
        conversation_id = await self._ensure_conversation()
        newest = await self._conversations.newest(conversation_id, 1)
        if not newest:
            return None
        await self._conversations.delete_item(conversation_id, str(newest[0].get("id")))
        return newest[0]

    async def clear_session(self) -> None:
        """Delete the conversation; the next use creates another one."""
        if self._id is not None:
            await self._conversations.delete(self._id)
            self._id = None

    @property
    def _conversations(self) -> ConversationsApi:
        if self._api is None:
            self._api = ConversationsApi(default_requester(self._client))
        return self._api

    async def _ensure_conversation(self) -> str:
        if self._id is None:
            self._id = await self._conversations.create()
        return self._id


def _to_request(item: WireItem) -> WireItem:
    """Return an item as the service accepts it: without null fields, and with an id only if required."""
    kind = str(item.get("type", "message"))
    drops_id = kind in _ID_IS_OPTIONAL or kind.endswith("_output")
    return {name: value for name, value in item.items() if value is not None and not (name == "id" and drops_id)}
