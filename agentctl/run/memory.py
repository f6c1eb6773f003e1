"""The session of a run: read once, before the first turn, and told of every whole turn once."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from agentctl.agent.items.run_items import ItemHelpers
from agentctl.agent.items.views import to_wire
from agentctl.agent.session import SessionSettings, session_settings
from agentctl.agent.wire import WireItem
from agentctl.errors import GuardrailTripwireTriggered, UserError
from agentctl.log import logger

from .open_calls import unpaired_items

if TYPE_CHECKING:
    from agentctl.agent.session import Session

    from .active_run import ActiveRun


class Memory:
    """What joins a run and its session.

    The new input is saved with the first turn, and each turn as a whole: the items of the model with the outputs of all
    calls, in one `add_items`. So whatever ends the process between two turns, no call is left without an output, and
    nothing is there twice. A turn that waits for a yes is saved when it is over. Of a run that

    - is cancelled, the rest is saved, with an output for each call that has none;
    - a guardrail stops, what was not held back is saved: the input, at least;
    - fails otherwise, nothing more is saved: what failed in its first turn can be tried again.
    """

    def __init__(self, session: Session) -> None:
        if not callable(getattr(session, "get_items", None)) or not callable(getattr(session, "add_items", None)):
            raise UserError(
                f"a session has get_items and add_items, as Session says, and this {type(session).__name__} has not"
            )
        self._session = session
        self._writing: asyncio.Task[None] | None = None
        self._has_failed = False

    @property
    def session_id(self) -> str | None:
        """What the session is called; None where the service has not named it yet."""
        try:
            return str(self._session.session_id)
        except (AttributeError, ValueError):
            return None

    async def begin(self, run: ActiveRun) -> None:
        """Put what the session holds before the input of a run that has not begun."""
        if _has_begun(run):
            return
        new = ItemHelpers.input_to_new_input_list(run.history.input)
        held = [to_wire(item) for item in await self._held(run)]
        given = await _joined(held, new, run)
        own = {id(item) for item in _own(given, held, new)}
        left_out = unpaired_items(given)
        run.history.own_input = [item for item in given if id(item) in own]
        run.history.input = [item for place, item in enumerate(given) if place not in left_out or id(item) in own]
        run.history.rebuild()

    async def save(self, run: ActiveRun) -> None:
        """Save what is not yet saved, the turn at hand being whole.

        Cancelling the caller does not break off the write.
        """
        self.begin_to_save(run)
        await self.settle()

    async def end(self, run: ActiveRun, error: Exception) -> Exception:
        """Save what is to be kept of a run that fails with this error; return it, or what the session raises."""
        if isinstance(error, GuardrailTripwireTriggered) and not self._has_failed:
            items = _stopped(run)
            self._write(items)
            run.history.saved += len(items)
            try:
                await self.settle()
            except Exception as raised:
                return raised
        return error

    def begin_to_save(self, run: ActiveRun) -> None:
        """Begin to save what is not yet saved; `settle` waits for it."""
        if not self._has_failed and _has_begun(run):
            items = run.history.unsaved_items()
            self._write(items)
            run.history.saved += len(items)

    async def settle(self) -> None:
        """Wait for what is being saved; what the session raises comes out, once."""
        writing = self._writing
        if writing is None:
            return
        try:
            await asyncio.shield(writing)
        finally:
            if writing.done() and self._writing is writing:
                self._writing = None

    async def close(self) -> None:
        """Wait for what is being saved, where nobody is there to be told that it failed."""
        try:
            await self.settle()
        except Exception as error:
            logger.warning("the end of a run is not in its session: %s: %s", type(error).__name__, error)

    def _write(self, items: list[WireItem]) -> None:
        if items:
            self._writing = asyncio.get_running_loop().create_task(
                self._after(self._writing, items), name=f"save to session {id(self._session)}"
            )

    async def _after(self, before: asyncio.Task[None] | None, items: list[WireItem]) -> None:
        try:
            if before is not None:
                await before
            await self._session.add_items(items)
        except BaseException:
            self._has_failed = True
            raise

    async def _held(self, run: ActiveRun) -> list[Any]:
        own: Any = getattr(self._session, "session_settings", None)  # A session of the user's may know of none.
        settings: SessionSettings = session_settings(own).resolve(run.config.session_settings)
        if settings.limit is None:
            return await self._session.get_items()
        return await self._session.get_items(limit=settings.limit)


def _has_begun(run: ActiveRun) -> bool:
    """Return whether the run knows what the session held before it; one that went on without it never will."""
    return run.history.own_input is not None or run.turn.number > 0


def _stopped(run: ActiveRun) -> list[WireItem]:
    """Return what is still to be saved of a run that a guardrail has stopped: not what it held back."""
    new = run.history.added_items()
    if unpaired_items(new):
        del new[run.turn.first_item :]
    while new and new[-1].get("type") in ("message", "reasoning"):
        new.pop()
    return [*run.history.given_items(), *new][run.history.saved :]


async def _joined(held: list[WireItem], new: list[WireItem], run: ActiveRun) -> list[WireItem]:
    callback = run.config.session_input_callback
    if callback is None:
        return [*held, *new]
    if not callable(callback):
        raise UserError(f"RunConfig.session_input_callback is a function, not {callback!r}")
    given: Any = callback(list(held), list(new))
    if inspect.isawaitable(given):
        given = await given
    if not isinstance(given, list):
        raise UserError(f"session_input_callback returned a {type(given).__name__}, not a list of items")
    return [to_wire(item) for item in given]


def _own(given: list[WireItem], held: list[WireItem], new: list[WireItem]) -> list[WireItem]:
    """Return the items that the session does not hold: the very objects tell, else what they say does."""
    by_id, new_ids = {id(item) for item in held}, {id(item) for item in new}
    said = Counter(_said(item) for item in held)
    said.subtract(_said(item) for item in given if id(item) in by_id)
    own: list[WireItem] = []
    for item in given:
        if id(item) in by_id:
            continue
        if id(item) not in new_ids and said[_said(item)] > 0:
            said[_said(item)] -= 1
        else:
            own.append(item)
    return own


def _said(item: WireItem) -> str:
    return json.dumps(item, sort_keys=True, default=str)
