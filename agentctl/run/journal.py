"""The journal of a run: keeps its finished model and tool calls, so that a repeated run does not repeat them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import field
from typing import Protocol

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue


class Journal(Protocol):
    """Keeps the results of calls, each under a key that is the same whenever the run is repeated."""

    @property
    def id(self) -> str:
        """The id of what is repeated; with a key it identifies a call."""
        ...

    async def remember(self, key: str, name: str, work: Callable[[], Awaitable[JSONValue]]) -> JSONValue:
        """Return the result kept under a key; else do the work and keep its result, but not its failure.

        `name` says what the work is; a key that was used for other work is an error.
        """
        ...

    async def was_interrupted(self) -> bool:
        """Return whether a process died in the run, so that a call without a result may have begun before."""
        ...


@dataclass(slots=True)
class JournalScope:
    """A part of a journal with keys of its own: a run, a tool call or a guardrail.

    Runs and calls that proceed in parallel are in scopes of their own, so that no key depends on which is faster.
    """

    journal: Journal
    path: str = ""
    _used: Counter[str] = field(default_factory=Counter)

    def key(self, name: str) -> str:
        """Return the next key for a name in this scope."""
        self._used[name] += 1
        number = self._used[name]
        return f"{self.path}{name}" if number == 1 else f"{self.path}{name} #{number}"

    def inner(self, name: str) -> JournalScope:
        """Return a new scope inside this one."""
        return JournalScope(self.journal, f"{self.key(name)}/")

    async def remember(self, name: str, work: Callable[[], Awaitable[JSONValue]], *, key: str) -> JSONValue:
        """Return the kept result of work in this scope; runs inside the work are part of it, and not kept."""

        async def do_work() -> JSONValue:
            with use_journal(None):
                return await work()

        return await self.journal.remember(key, name, do_work)


_current: ContextVar[JournalScope | None] = ContextVar("journal", default=None)


def current_journal() -> JournalScope | None:
    """Return the scope that new runs are in, None if they are in no journal."""
    return _current.get()


@contextmanager
def use_journal(scope: JournalScope | None) -> Iterator[None]:
    """Put the runs that begin during the block in a scope, or in no journal."""
    before = current_journal()
    _current.set(scope)
    try:
        yield
    finally:
        _current.set(before)  # Not by its token: a run may be closed in another context than it began in.
