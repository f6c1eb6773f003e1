"""A conversation that OpenAI keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentctl.agent.session import SessionABC, SessionSettings
from agentctl.agent.session import session_settings as settings_of
from agentctl.agent.wire import WireItem

from .openai_conversations import Conversations, default_calls

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_ID_IS_OPTIONAL = frozenset({"message", "function_call", "custom_tool_call"})
"""Items that the service gives an id of its own; beside them outputs of tools, and messages without a type."""


class OpenAIConversationsSession(SessionABC):
    """Keeps a conversation at OpenAI; without an id a new one, made when first used.

    It is reached as models are: through the client given, else the default client, else by the default key and the
    environment.

    Raises:
        ServiceError: as its subclasses say; a client of the user raises its own.
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
        self._opened: Conversations | None = None

    @property
    def session_id(self) -> str:
        """The id of the conversation.

        Raises:
            ValueError: there is none yet.
        """
        if self._id is None:
            raise ValueError("the conversation has no id yet: it is made by the first get_items() or add_items()")
        return self._id

    @session_id.setter
    def session_id(self, conversation_id: str) -> None:
        """Go on with another conversation."""
        self._id = conversation_id

    async def get_items(self, limit: int | None = None) -> list[WireItem]:
        """Return the items, the oldest first; with a limit, or that of the settings, the newest so many."""
        if limit is None and self.session_settings is not None:
            limit = self.session_settings.limit
        conversation_id = await self._made()
        return await self._conversations.newest(conversation_id, None if limit is None or limit < 0 else limit)

    async def add_items(self, items: list[WireItem]) -> None:
        """Append items, as many at a time as the service takes."""
        if items:
            await self._conversations.add(await self._made(), [_acceptable(item) for item in items])

    async def pop_item(self) -> WireItem | None:
        """Take away the newest item and return it; None where there is none."""
        conversation_id = await self._made()
        newest = await self._conversations.newest(conversation_id, 1)
        if not newest:
            return None
        await self._conversations.delete_item(conversation_id, str(newest[0].get("id")))
        return newest[0]

    async def clear_session(self) -> None:
        """Take the conversation away; the next use makes another."""
        if self._id is not None:
            await self._conversations.delete(self._id)
            self._id = None

    @property
    def _conversations(self) -> Conversations:
        if self._opened is None:
            self._opened = Conversations(default_calls(self._client))
        return self._opened

    async def _made(self) -> str:
        if self._id is None:
            self._id = await self._conversations.create()
        return self._id


def _acceptable(item: WireItem) -> WireItem:
    """Return an item as the service takes it: without fields that are null, and with an id only where it needs one."""
    kind = str(item.get("type", "message"))
    drops_id = kind in _ID_IS_OPTIONAL or kind.endswith("_output")
    return {name: value for name, value in item.items() if value is not None and not (name == "id" and drops_id)}
