"""The memory of a run: its session, loaded before the first turn and saved after each turn."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections import Counter
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from agentctl.agent.items.run_items import ItemHelpers
from agentctl.agent.items.views import to_wire
from agentctl.agent.session import (
    OpenAIResponsesCompactionArgs,
    SessionSettings,
    is_openai_responses_compaction_aware_session,
    session_settings,
)
from agentctl.agent.wire import WireItem
from agentctl.errors import GuardrailTripwireTriggered, UserError
from agentctl.log import logger
from agentctl.threads import guard_exit

from .open_calls import unpaired_items
from .orphans import without_leading_ids, without_orphan_ids

if TYPE_CHECKING:
    from agentctl.agent.session import Session

    from .active_run import ActiveRun


class Memory:
    """Loads and saves the session of a run.

    The new input is saved with the first turn, and each turn as a whole: the items of the model with the outputs of all
    calls, in one `add_items`. If the process ends between two turns, no call is left without an output, and no item is
    there twice. A turn that waits for approval is saved when it is complete. Of a run that

    - is cancelled, the rest is saved, with an output for each call that has none;
    - is stopped by a guardrail, the items that were not withheld are saved: the input, at least;
    - fails otherwise, nothing more is saved: a run that failed in its first turn can be tried again.
    """

    def __init__(self, session: Session) -> None:
        if not callable(getattr(session, "get_items", None)) or not callable(getattr(session, "add_items", None)):
            raise UserError(
                f"a session must have get_items and add_items, as Session does; {type(session).__name__} has not"
            )
        self._session = session
        self._writing: asyncio.Task[None] | None = None
        self._has_failed = False

    @property
    def session_id(self) -> str | None:
        """The id of the session; None until the service has assigned one."""
        try:
            return str(self._session.session_id)
        except (AttributeError, ValueError):
            return None

    async def begin(self, run: ActiveRun) -> None:
        """Put the items of the session before the input of a run that has not begun."""
        if _has_begun(run):
            return
        new = ItemHelpers.input_to_new_input_list(run.history.input)
        stored = [to_wire(item) for item in await self._load(run)]
        merged = await _merge(stored, new, run)
        own = {id(item) for item in _own_items(merged, stored, new)}
        unpaired = unpaired_items(merged)
        run.history.own_input = [item for item in merged if id(item) in own]
        kept = [item for place, item in enumerate(merged) if place not in unpaired or id(item) in own]
        first_own = next((place for place, item in enumerate(kept) if id(item) in own), len(kept))
        run.history.input = without_orphan_ids([*without_leading_ids(kept[:first_own]), *kept[first_own:]], merged)
        run.history.rebuild()

    async def save(self, run: ActiveRun) -> None:
        """Save the unsaved items; the current turn is complete.

        Cancelling the caller does not cancel the write.
        """
        self.begin_to_save(run)
        await self.settle()

    async def conclude(self, run: ActiveRun) -> None:
        """Save the last items of a complete run; a session that compacts its history does so."""
        await self.save(run)
        session = self._session
        if is_openai_responses_compaction_aware_session(session):
            settings = run.agent.model_settings.resolve(run.config.model_settings)
            options: OpenAIResponsesCompactionArgs = {}
            if (response_id := run.results.last_response_id) is not None:
                options["response_id"] = response_id
            if settings.store is not None:
                options["store"] = settings.store
            await session.run_compaction(options)

    async def end(self, run: ActiveRun, error: Exception) -> Exception:
        """Save what a run that fails with this error keeps; return the error, or the exception of the session."""
        if isinstance(error, GuardrailTripwireTriggered) and not self._has_failed:
            items = _items_after_tripwire(run)
            self._write(items)
            run.history.saved += len(items)
            try:
                await self.settle()
            except Exception as raised:
                return raised
        return error

    def begin_to_save(self, run: ActiveRun) -> None:
        """Begin to save the unsaved items; `settle` waits for it."""
        if not self._has_failed and _has_begun(run):
            items = run.history.unsaved_items()
            self._write(items)
            run.history.saved += len(items)

    async def settle(self) -> None:
        """Wait for pending saves; an exception of the session is raised once."""
        writing = self._writing
        if writing is None:
            return
        try:
            await asyncio.shield(writing)
        finally:
            if writing.done() and self._writing is writing:
                self._writing = None

    async def close(self) -> None:
        """Wait for pending saves; a failure is logged."""
        try:
            await self.settle()
        except Exception as error:
            logger.warning("the last items of a run were not saved to its session: %s: %s", type(error).__name__, error)

    def _write(self, items: list[WireItem]) -> None:
        if items:
            self._writing = asyncio.get_running_loop().create_task(
                self._write_after(self._writing, items), name=f"save to session {id(self._session)}"
            )

    async def _write_after(self, previous: asyncio.Task[None] | None, items: list[WireItem]) -> None:
        try:
            if previous is not None:
                await previous
            # The items of the run stay its own: a session may change what it was given.
            session = self._session
            await guard_exit(f"add_items of {type(session).__name__}", session.add_items, deepcopy(items))
        except BaseException:
            self._has_failed = True
            raise

    async def _load(self, run: ActiveRun) -> list[Any]:
        own: Any = getattr(self._session, "session_settings", None)  # A session of the user may have none.
        settings: SessionSettings = session_settings(own).resolve(run.config.session_settings)
        if settings.limit is None:
            return await self._session.get_items()
        return await self._session.get_items(limit=settings.limit)


def _has_begun(run: ActiveRun) -> bool:
    """Return whether the session was loaded; a run that resumed without one never loads it."""
    return run.history.own_input is not None or run.turn.number > 0


def _items_after_tripwire(run: ActiveRun) -> list[WireItem]:
    """Return the unsaved items of a run that a guardrail stopped, without those that it withheld."""
    new = run.history.added_items()
    if unpaired_items(new):
        del new[run.turn.first_item :]
    while new and new[-1].get("type") in ("message", "reasoning"):
        new.pop()
    return [*run.history.given_items(), *new][run.history.saved :]


async def _merge(stored: list[WireItem], new: list[WireItem], run: ActiveRun) -> list[WireItem]:
    callback = run.config.session_input_callback
    if callback is None:
        return [*stored, *new]
    if not callable(callback):
        raise UserError(f"RunConfig.session_input_callback must be a function, not {callback!r}")
    merged: Any = callback(list(stored), list(new))
    if inspect.isawaitable(merged):
        merged = await merged
    if not isinstance(merged, list):
        raise UserError(f"session_input_callback must return a list of items, not {type(merged).__name__}")
    return [to_wire(item) for item in merged]


def _own_items(merged: list[WireItem], stored: list[WireItem], new: list[WireItem]) -> list[WireItem]:
    """Return the items that the session does not have, compared by identity, then by value."""
    by_id, new_ids = {id(item) for item in stored}, {id(item) for item in new}
    values = Counter(_value(item) for item in stored)
    values.subtract(_value(item) for item in merged if id(item) in by_id)
    own: list[WireItem] = []
    for item in merged:
        if id(item) in by_id:
            continue
        if id(item) not in new_ids and values[_value(item)] > 0:
            values[_value(item)] -= 1
        else:
            own.append(item)
    return own


def _value(item: WireItem) -> str:
    return json.dumps(item, sort_keys=True, default=str)
