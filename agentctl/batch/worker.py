"""A process of a batch: takes rows, watches over its peers, and follows the progress, until nothing is left to do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import field
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from agentctl._dataclass import dataclass
from agentctl.errors import AgentsException, ConfigurationError, SpendingLimitReached
from agentctl.log import logger
from agentctl.net.rate_limits import observe_rate_limits
from agentctl.run.attempt import CallLimiter, limit_calls

from .engine import Engine
from .pace import Pace
from .peers import PeerLock
from .progress import Progress
from .row import BatchRecord, RowInput, RowRecord
from .store import BatchStore

if TYPE_CHECKING:
    from .approvals import RowApprovals

_TICK = 0.5
"""Seconds between two looks at the store."""

_ANSWER = 5.0
"""Seconds in which a store must answer; its server frees the lock of a client that is gone after twice as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """Limits of a worker."""

    concurrency: int
    """The number of rows that each process runs at once."""
    rate: tuple[int, float] | None = None
    """The number of rows that all processes begin in a number of seconds."""
    max_failures: int | None = None
    """The number of failed rows at which the batch stops."""
    tokens_rate: tuple[int, float] | None = None
    """The number of tokens that all processes use in a number of seconds."""


class TooManyFailures(AgentsException):
    """More rows failed than `--max-failures` allows."""


@dataclass(slots=True, kw_only=True)
class BatchWorker:
    """Runs the rows of one batch in the running event loop, with other processes of the same store."""

    store: BatchStore
    engine: Engine
    batch: BatchRecord
    options: WorkerOptions
    approvals: RowApprovals | None = None
    limiter: CallLimiter | None = None
    """Limits what model calls cost."""
    progress: Progress = field(init=False)
    pace: Pace = field(init=False)
    _enqueuing: asyncio.Task[None] | None = None
    _has_rows: bool = False

    def __post_init__(self) -> None:
        self.progress = Progress(self.batch)
        options = self.options
        self.pace = Pace(options.concurrency, inner=self.limiter, tokens_rate=options.tokens_rate)

    async def run(self, rows: Iterable[RowInput] | None = None) -> AsyncGenerator[list[RowRecord]]:
        """Enqueue rows that are not yet, run all, and yield those that have ended, a list every half second.

        Raises:
            TooManyFailures: more rows failed than allowed.
            ConfigurationError: the store cannot be used.
        """
        observe_rate_limits(self.pace.observe)
        try:
            with limit_calls(self.pace):
                async with aclosing(self._run(rows)) as steps:
                    async for ended in steps:
                        yield ended
        finally:
            observe_rate_limits(None)

    async def _run(self, rows: Iterable[RowInput] | None) -> AsyncGenerator[list[RowRecord]]:
        lock, guard = PeerLock(self.store, self.engine.id), None
        await asyncio.to_thread(lock.acquire)  # Before any row is taken: a peer would think that this process is dead.
        try:
            await self.engine.start([self.batch.name])
            if not self._is_file:
                guard = asyncio.create_task(self._guard(lock))
            if self.batch.is_cancelled:
                await asyncio.to_thread(self.store.set_cancelled, self.batch.name, is_cancelled=False)
            self._has_rows = rows is not None
            if rows is not None and self.batch.enqueued < self.batch.total:
                self._enqueuing = asyncio.create_task(asyncio.to_thread(self.engine.enqueue, self.batch, rows))
            yield await asyncio.to_thread(self.progress.read, self.store)
            await asyncio.to_thread(self._go_on_after_failure)
            is_serving = False
            while True:
                try:
                    # Rows that are enqueued in a file would leave those that are run no time to write.
                    if not is_serving and not (self._is_file and self._enqueuing):
                        await self._serve()
                        is_serving = True
                    is_over = await self._look(lock)
                    ended = await asyncio.to_thread(self.progress.read, self.store, again=is_over)
                except (InterfaceError, OperationalError):
                    if self._is_file:
                        raise
                    await self._regain(lock)
                    continue
                yield ended
                self._check_limits()
                if is_over:
                    return
                await asyncio.sleep(_TICK)
        finally:
            if guard is not None:
                guard.cancel()
                await asyncio.wait([guard])
            await self.engine.stop()
            if self._enqueuing is not None:
                with contextlib.suppress(Exception):
                    await self._enqueuing
            await asyncio.to_thread(lock.release)

    @property
    def _is_file(self) -> bool:
        """Return whether the store is a file, whose lock cannot be lost."""
        return self.store.address.path is not None

    async def _serve(self) -> None:
        await self.engine.serve(self.batch.name, concurrency=self.options.concurrency, rate=self.options.rate)

    async def _look(self, lock: PeerLock) -> bool:
        """Care for the lock, for dead peers and for approvals; return whether nothing is left to do."""
        if self.engine.is_paused:
            await self._regain(lock)
        self.engine.check()
        peers = await asyncio.to_thread(self.store.executors_at_work) - {self.engine.id}
        alive = [peer for peer in peers if not await asyncio.to_thread(self._take_over, lock, peer)]
        self.pace.share = 1 / (len(alive) + 1)
        if self.approvals is not None:
            await asyncio.to_thread(self._go_on_after_approvals, self.approvals)
        if self._enqueuing is not None and self._enqueuing.done():
            task, self._enqueuing = self._enqueuing, None
            task.result()
        batch = await asyncio.to_thread(self.store.find, self.batch.name)
        self.progress.batch = self.batch = batch
        if batch.is_cancelled:
            return True
        if self._enqueuing is not None:
            return False
        if batch.enqueued < batch.total:
            if self._has_rows:
                raise ConfigurationError(
                    f"{batch.source} has changed: it had {batch.total:,} rows when it was checked, and has fewer now"
                )
            return False  # The process that has them may come back.
        return not await asyncio.to_thread(self.store.in_flight, batch.name)

    def _take_over(self, lock: PeerLock, executor: str) -> bool:
        """Take over the rows of a peer that is dead; return whether it is."""
        with lock.of_dead_peer(executor) as is_dead:
            if is_dead:
                number = self.engine.take_over(executor)
                logger.warning("took over %d rows of worker %s, which died", number, executor)
            return bool(is_dead)

    def _go_on_after_failure(self) -> None:
        """Run the rows again for which an earlier process had no budget left, or no room in the store."""
        rows = self.progress.rows_with("budget") | self.progress.lost
        for index in rows:
            self.progress.forget(index)
        self.engine.resume_rows(self.batch, rows)

    def _go_on_after_approvals(self, approvals: RowApprovals) -> None:
        rows = approvals.decided_rows(self.batch, self.progress.waiting_rows)
        for index in rows:
            self.progress.forget(index)
        self.engine.resume_rows(self.batch, rows)

    async def _guard(self, lock: PeerLock) -> None:
        """Let no call begin once the lock is lost, or the store does not answer: a peer may have the rows."""
        while True:
            is_held = False
            with contextlib.suppress(TimeoutError):
                is_held = await asyncio.wait_for(asyncio.to_thread(lock.is_held), _ANSWER)
            if not is_held:
                self.engine.pause()
            await asyncio.sleep(_TICK)

    async def _regain(self, lock: PeerLock) -> None:
        """Take the lock again after the connection to the store was lost; meanwhile no call begins."""
        self.engine.pause()
        logger.warning("lost the connection to the store, and with it the lock of this worker")
        await asyncio.to_thread(lock.release)
        while True:
            with contextlib.suppress(DBAPIError, ConfigurationError):
                await asyncio.to_thread(lock.acquire)
                still = set(await asyncio.to_thread(self.store.rows_of, self.engine.id))
                break
            await asyncio.sleep(_TICK)
        active = dict(self.engine.active)
        for row, task in active.items():
            if row not in still:  # A peer has it.
                task.cancel()
        await asyncio.to_thread(self.engine.hand_back, still - active.keys())
        self.engine.go_on()

    def _check_limits(self) -> None:
        if self.progress.outcomes["budget"]:
            raise SpendingLimitReached(
                f"the budget has no room for further calls; the rows that are left go on with a higher one (batch "
                f"{self.batch.name})"
            )
        most = self.options.max_failures
        if most is not None and self.progress.failure_count > most:
            raise TooManyFailures(
                f"{self.progress.failure_count} rows failed, more than the {most} of --max-failures; see "
                f"`agentctl batch show {self.batch.name} --failed`"
            )
