"""Sessions whose history the service compacts when it has grown."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agentctl.agent.items.views import to_wire
from agentctl.agent.session import OpenAIResponsesCompactionArgs, Session, SessionABC, SessionSettings
from agentctl.agent.wire import WireItem
from agentctl.errors import ModelBehaviorError
from agentctl.log import logger
from agentctl.tracing.create import custom_span

from .openai_conversations import Requester, default_requester

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from agentctl.agent.context import RunContextWrapper

DEFAULT_COMPACTION_THRESHOLD = 10
"""The number of items, beside messages of the user, from which a history is compacted."""

OpenAIResponsesCompactionMode: TypeAlias = Literal["previous_response_id", "input", "auto"]
"""What is sent to be compacted: the last response by its id, the items, or what is possible."""

_ALL_ITEMS = 2**31 - 1
_OPENAI_MODEL = re.compile(r"(ft:)?(gpt-|o[0-9]|chatgpt-)")


def select_compaction_candidate_items(items: list[WireItem]) -> list[WireItem]:
    """Return the items that compacting makes smaller: all but messages of the user and what was compacted before."""
    return [
        item
        for item in items
        if item.get("type") != "compaction"
        and not (item.get("role") == "user" and item.get("type", "message") == "message")
    ]


def default_should_trigger_compaction(context: dict[str, Any]) -> bool:
    """Return whether there are enough items to compact."""
    return len(context["compaction_candidate_items"]) >= DEFAULT_COMPACTION_THRESHOLD


def is_openai_model_name(model: str) -> bool:
    """Return whether a name is one of a model of OpenAI, which alone can compact."""
    return _OPENAI_MODEL.match(model.strip()) is not None


class OpenAIResponsesCompactionSession(SessionABC):
    """Stores a conversation in another session, and has the service compact it after the turns of a run.

    Args:
        session_id: The id of the session.
        underlying_session: The session that stores the items; not one that the service itself keeps.
        client: Sends the requests; None uses the default client, else our own connection.
        model: The model that compacts, one of OpenAI.
        compaction_mode: What is sent to be compacted.
        should_trigger_compaction: Decides, from a dict with `compaction_candidate_items`, `session_items`,
            `response_id` and `compaction_mode`; None compacts from `DEFAULT_COMPACTION_THRESHOLD` items on.
        max_rollback_items: The most items that a history may have to be compacted, since it is kept in memory to be
            restored if replacing it fails; None is no limit.

    Raises:
        ValueError: the model is not one of OpenAI, the limit is below 1, or the service keeps the session.
    """

    def __init__(
        self,
        session_id: str,
        underlying_session: Session,
        *,
        client: AsyncOpenAI | None = None,
        model: str = "gpt-4.1",
        compaction_mode: OpenAIResponsesCompactionMode = "auto",
        should_trigger_compaction: Callable[[dict[str, Any]], bool] | None = None,
        max_rollback_items: int | None = None,
    ) -> None:
        if type(underlying_session).__name__ == "OpenAIConversationsSession":
            raise ValueError("OpenAIResponsesCompactionSession cannot compact a conversation that the service keeps")
        if not is_openai_model_name(model):
            raise ValueError(f"Unsupported model for OpenAI responses compaction: {model!r}")
        if max_rollback_items is not None and max_rollback_items < 1:
            raise ValueError(f"max_rollback_items must be positive, not {max_rollback_items}")
        self.session_id = session_id
        self.underlying_session = underlying_session
        self.session_settings: SessionSettings | None = getattr(underlying_session, "session_settings", None)
        self.model = model
        self.compaction_mode = compaction_mode
        self.should_trigger_compaction = should_trigger_compaction or default_should_trigger_compaction
        self._client = client
        self._limit = max_rollback_items
        self._send: Requester | None = None
        self._response_id: str | None = None
        self._is_stored: bool | None = None
        self._lock = asyncio.Lock()

    async def run_compaction(
        self, args: OpenAIResponsesCompactionArgs | None = None, *, wrapper: RunContextWrapper[Any] | None = None
    ) -> None:
        """Replace the history by a compacted one, if it is time to; a failure leaves it as it was.

        Raises:
            ValueError: the mode is `previous_response_id`, and there was no response; or the history is too long.
            ServiceError: the service refused or failed.
        """
        options = args or {}
        async with self._lock:
            self._response_id = options.get("response_id") or self._response_id
            self._is_stored = options.get("store", self._is_stored)
            mode = self._mode(options.get("compaction_mode") or self.compaction_mode)
            if mode == "previous_response_id" and not self._response_id:
                raise ValueError("OpenAIResponsesCompactionSession.run_compaction needs a response_id in this mode")
            items = await self._all_items()
            context = {
                "response_id": self._response_id,
                "compaction_mode": mode,
                "compaction_candidate_items": select_compaction_candidate_items(items),
                "session_items": items,
            }
            if options.get("force") or self.should_trigger_compaction(context):
                with custom_span("compaction", {"items": len(items), "mode": mode}):
                    await self._replace(items, await self._compact(items, mode))

    async def get_items(self, limit: int | None = None) -> list[WireItem]:
        """Return the items, oldest first; with a limit only the most recent ones."""
        return await self.underlying_session.get_items(limit)

    async def add_items(self, items: list[WireItem]) -> None:
        """Append items."""
        async with self._lock:
            await self.underlying_session.add_items(items)

    async def pop_item(self) -> WireItem | None:
        """Remove and return the most recent item; None if there is none."""
        async with self._lock:
            item = await self.underlying_session.pop_item()
            if item is not None:
                self._response_id = None  # The service would compact the item, too.
            return item

    async def clear_session(self) -> None:
        """Remove all items."""
        async with self._lock:
            self._response_id = None
            await self.underlying_session.clear_session()

    def _mode(self, mode: OpenAIResponsesCompactionMode) -> OpenAIResponsesCompactionMode:
        if mode != "auto":
            return mode
        return "previous_response_id" if self._response_id and self._is_stored is not False else "input"

    async def _all_items(self) -> list[WireItem]:
        most = self._limit
        items = await self.underlying_session.get_items(limit=_ALL_ITEMS if most is None else most + 1)
        if most is not None and len(items) > most:
            raise ValueError(f"the history exceeds max_rollback_items ({most}), and cannot be compacted")
        return list(items)

    async def _compact(self, items: list[WireItem], mode: OpenAIResponsesCompactionMode) -> list[WireItem]:
        if self._send is None:
            self._send = default_requester(self._client)
        given = {"previous_response_id": self._response_id} if mode == "previous_response_id" else {"input": items}
        answer = await self._send("POST", "responses/compact", body={"model": self.model, **given})
        output = answer.get("output") if isinstance(answer, dict) else None
        if not isinstance(output, list):
            raise ModelBehaviorError("the service compacted the history to no list of items")
        return [to_wire(item) for item in output]

    async def _replace(self, items: list[WireItem], compacted: list[WireItem]) -> None:
        """Store the compacted items in place of all; restore these if that fails."""
        try:
            await self.underlying_session.clear_session()
            if compacted:
                await self.underlying_session.add_items(compacted)
        except BaseException:
            await asyncio.shield(self._restore(items))
            raise
        logger.debug("session %s was compacted from %d to %d items", self.session_id, len(items), len(compacted))
        self._response_id = None

    async def _restore(self, items: list[WireItem]) -> None:
        await self.underlying_session.clear_session()
        if items:
            await self.underlying_session.add_items(items)
