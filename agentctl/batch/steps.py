"""The finished calls of rows, each a step that the store keeps; those that end together are written together.

Secrets are masked in the store, so a row that is run again goes on with masked outputs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.errors import UserError
from agentctl.log import logger
from agentctl.redaction import may_have_secret, redact_data

from .store import BatchStore, Step

_AGAIN = 0.5
"""Seconds between two attempts to reach a server."""


class StepNotKept(BaseException):
    """A call has finished, and the store cannot keep it: its row ends without a result, and is run again."""

    def __init__(self, failure: DBAPIError | None) -> None:
        super().__init__("a peer has the row" if failure is None else str(failure))
        self.failure = failure
        """The failure of the store; None if a peer has the row."""


class StepWriter:
    """Writes the steps of all rows of a process: while one transaction is written, those that end wait for the next."""

    def __init__(self, store: BatchStore, executor: str) -> None:
        self.store = store
        self._executor = executor
        self._waiting: list[tuple[Step, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def save(self, step: Step) -> None:
        """Keep a step, durably.

        Raises:
            StepNotKept: a peer has its row, or the store cannot be written.
        """
        kept = asyncio.get_running_loop().create_future()
        self._waiting.append((step, kept))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await kept

    async def _write(self) -> None:
        try:
            while self._waiting:
                steps, self._waiting = self._waiting, []
                failure: DBAPIError | None = None
                own: set[str] = set()
                try:
                    own = await self._write_together([step for step, _ in steps])
                except DBAPIError as error:
                    failure = error
                for step, kept in steps:
                    if kept.done():  # Its row was cancelled.
                        continue
                    if step.row in own:
                        kept.set_result(None)
                    else:
                        kept.set_exception(StepNotKept(failure))
        finally:
            self._writing = None

    async def _write_together(self, steps: list[Step]) -> set[str]:
        """Write steps and return the rows that are of this process; wait for a server that is away."""
        while True:
            try:
                return await asyncio.to_thread(self.store.save_steps, steps, self._executor)
            except (InterfaceError, OperationalError) as error:
                if self.store.address.path is not None:
                    raise
                logger.debug("the store does not answer: %s", error)
                await asyncio.sleep(_AGAIN)


@dataclass(slots=True)
class StepJournal:
    """The journal of a row: each call is a step; an implementation of `agentctl.run.journal.Journal`."""

    id: str
    _writer: StepWriter
    _may_call: asyncio.Event
    """Whether calls may begin."""
    _kept: dict[str, tuple[str, str]] | None = None
    """The steps of an earlier process, by key: what each is, and its result."""
    _attempts: int = 1

    async def remember(self, key: str, name: str, work: Callable[[], Awaitable[JSONValue]]) -> JSONValue:
        """Return the result kept under a key; else do the work and keep its result, but not its failure."""
        earlier = (await self._read()).get(key)
        if earlier is not None:
            if earlier[0] != name:
                raise UserError(f"{key} was {earlier[0]!r} and is now {name!r}: the agent does not repeat what it did")
            kept: JSONValue = json.loads(earlier[1])
            return kept
        await self._may_call.wait()
        value = json.dumps(await work(), ensure_ascii=False)
        await self._writer.save(Step(row=self.id, key=key, name=name, value=_mask(value)))
        result: JSONValue = json.loads(value)
        return result

    async def was_interrupted(self) -> bool:
        """Return whether a process died in the row."""
        await self._read()
        return self._attempts > 1

    async def _read(self) -> dict[str, tuple[str, str]]:
        """Return the steps of an earlier process; read once."""
        while self._kept is None:
            try:
                self._attempts, self._kept = await asyncio.to_thread(self._writer.store.steps_of, self.id)
            except (InterfaceError, OperationalError):
                if self._writer.store.address.path is not None:
                    raise
                await asyncio.sleep(_AGAIN)
        return self._kept


def _mask(value: str) -> str:
    """Return JSON with its secrets masked."""
    return json.dumps(redact_data(json.loads(value)), ensure_ascii=False) if may_have_secret(value) else value
