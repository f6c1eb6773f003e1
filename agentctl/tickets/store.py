"""The ticket store: a folder where tickets are written, decided and used once."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from agentctl.agent.agent import Agent
from agentctl.definitions.fingerprint import source_digest
from agentctl.errors import ConfigurationError, UserError
from agentctl.profile.load import NO_HOME
from agentctl.storage import (
    Folders,
    explain_unwritable,
    folders,
    lock_file,
    make_folder,
    read_regular_file,
    write_atomic,
)

from .ledger import Ledger, LedgerEntry
from .ticket import CallDecision, Ticket, TicketCall, is_id, read_ticket

if TYPE_CHECKING:
    from agentctl.run.state.document import ContextDeserializer, ContextSerializer
    from agentctl.run.state.run_state import RunState

TicketStatus: TypeAlias = Literal["open", "used", "expired"]
"""Whether a run can be resumed from a ticket, or why it cannot."""

TicketName: TypeAlias = "Ticket | Path | str"
"""A ticket of the store, its id, or the path of a ticket's file."""

MAX_SIZE = 64 * 1024 * 1024
"""Maximum size in bytes of a ticket's file."""

_LIFETIME = timedelta(hours=168)
_PRIVATE = 0o600


class TicketStore:
    """Tickets in a folder, which is created when needed and readable by its user alone.

    Processes may share a store. A ticket is used once: of several processes that resume it, one succeeds. Methods that
    take a ticket read its current version from the store; besides a `Ticket` they take its id, or the path of a copy
    of it. A copy with another id or expiry is refused where the original is known. Tickets are not signed: whoever can
    write to the folder can change what a ticket asks for.

    A folder that cannot be written to raises `ConfigurationError`, another failure of the disk `OSError`.
    """

    def __init__(self, folder: Path | str | None) -> None:
        """Use a folder; None where there is none: tickets can then only be written to files, and not be used."""
        self.folder = None if folder is None else Path(folder).expanduser().absolute()

    def __repr__(self) -> str:
        return f"TicketStore({str(self.folder)!r})"

    @classmethod
    def default(cls) -> Self:
        """Return the store of this user, which `agentctl approvals` shows too: below `AGENTCTL_HOME` if it is set."""
        return cls.of_user(folders(os.environ))

    @classmethod
    def of_user(cls, folders: Folders | None) -> Self:
        """Return the store in the folders of a user."""
        return cls(None if folders is None else folders.state / "tickets")

    async def save(
        self,
        state: RunState[Any, Any],
        *,
        agent: Agent[Any],
        lifetime: timedelta = _LIFETIME,
        model: str | None = None,
        source: Path | str | None = None,
        context_serializer: ContextSerializer | None = None,
        strict_context: bool = False,
    ) -> Ticket:
        """Write a new ticket for an interrupted run, and return it; expired tickets of the store are deleted.

        Args:
            state: `result.to_state()` of a result with interruptions. Decisions belong to the ticket: those already
                taken on the state do not count.
            agent: The agent that the run began with. Its MCP servers must be connected.
            lifetime: How long the run can be resumed.
            model: The name in `RunConfig.model`, if the run has one.
            source: A Python file that must not change either, such as the one that defines the agent.
            context_serializer: As for `RunState.to_json`.
            strict_context: As for `RunState.to_json`.

        Raises:
            UserError: no call waits for approval, the run cannot be restored from `agent`, or its context or input
                cannot be saved.
            ConfigurationError: `source` cannot be read.
        """
        # 35 ms that a list of tickets does not need; so below.
        from .suspension import check_restorable, suspend_run

        ticket = await suspend_run(
            state,
            agent,
            lifetime=lifetime,
            model=model,
            source=_digest(source),
            decisions={},
            context_serializer=context_serializer,
            strict_context=strict_context,
        )
        await check_restorable(ticket, agent)
        self.add(ticket)
        return self.find(ticket)

    def tickets(self, status: TicketStatus | None = None) -> list[Ticket]:
        """Return the tickets of the store, oldest first: all of them, or those with one status.

        Files that are not tickets are skipped.
        """
        found: list[Ticket] = []
        for path in sorted(self.folder.glob("tk_*.json")) if self.folder is not None and self.folder.is_dir() else ():
            with suppress(ConfigurationError):
                found.append(_read(path))
        found.sort(key=lambda ticket: ticket.created)
        return [ticket for ticket in found if status is None or self.status_of(ticket) == status]

    def find(self, name: TicketName) -> Ticket:
        """Return the current version of a ticket.

        Raises:
            ConfigurationError: there is no such ticket, or it cannot be read.
        """
        return _read(self._locate(name))

    def status_of(self, ticket: Ticket) -> TicketStatus:
        """Return the status of a ticket; `used` once its run was resumed."""
        if self.is_used(ticket):
            return "used"
        return "expired" if ticket.has_expired(datetime.now(UTC)) else "open"

    def decide(
        self,
        ticket: TicketName,
        call: TicketCall | str,
        *,
        approve: bool,
        always: bool = False,
        message: str | None = None,
    ) -> Ticket:
        """Approve or reject a call of a ticket, in place of an earlier decision, and return the changed ticket.

        Args:
            ticket: The ticket.
            call: One of `ticket.calls`, or its id.
            approve: True approves, False rejects.
            always: Whether the decision also applies to all further calls of the tool by this agent in this run.
            message: The output that the model gets for a rejected call.

        Raises:
            UserError: the ticket has no such call, or an approval has a message.
            ConfigurationError: the ticket is gone, cannot be read, was used or has expired.
        """
        if approve and message is not None:
            raise UserError("a message is for the model when a call is rejected: an approval has none")
        decision = CallDecision(approved=approve, always=always, message=message)
        return self.update(ticket, lambda found: found.with_decision([found.find_call(call).key], decision))

    async def resume(
        self,
        ticket: TicketName,
        agent: Agent[Any],
        *,
        model: str | None = None,
        source: Path | str | None = None,
        context_override: Any = None,
        context_deserializer: ContextDeserializer | None = None,
        strict_context: bool = False,
    ) -> RunState[Any, Agent[Any]]:
        """Mark a ticket as used, and return its run with the decisions applied: `await Runner.run(agent, state)`.

        `agent`, `model` and `source` are those of `save`, the other parameters those of `RunState.from_json`. A ticket
        that is refused stays as it is. Once it is used, its run counts as resumed, whatever becomes of the process.

        Raises:
            ConfigurationError: the ticket was used before, by whichever process, or has expired; it is gone, cannot be
                read or was tampered with; instructions, model, handoffs, tools or source have changed since `save`.
            UserError: a call is undecided, or the state or the context cannot be restored.
        """
        from .suspension import restore_run

        found = self.find(ticket)
        self.check(found)
        state = await restore_run(
            found,
            agent,
            model=model,
            source=_digest(source),
            context_override=context_override,
            context_deserializer=context_deserializer,
            strict_context=strict_context,
        )
        with self._lock(ticket, found):
            current = self.find(ticket)  # Other processes may have changed decisions meanwhile.
            if current.without_decisions() != found.without_decisions():
                raise ConfigurationError(f"ticket {found.id} was tampered with while its run was restored")
            if undecided := ", ".join(f"{call.tool} ({call.call_id})" for call in current.undecided_calls):
                raise UserError(f"ticket {found.id} has undecided calls: {undecided}; decide about each, then resume")
            self.mark_used(current)
        for item, call in zip(state.get_interruptions(), current.calls, strict=True):
            assert call.decision is not None
            call.decision.apply(item, state)
        return state

    def add(self, ticket: Ticket, *, copy: Path | None = None) -> str:
        """Write a new ticket, and a copy of it; return its id, or the path of the copy if that is all there is.

        Raises:
            ConfigurationError: there is no folder to write it to, and no copy; the ticket is too large.
        """
        data = ticket.to_bytes()
        if len(data) > MAX_SIZE:
            raise ConfigurationError(
                f"the run is too large for a ticket: {len(data) >> 20} MiB, and the limit is {MAX_SIZE >> 20} MiB"
            )
        if copy is not None:
            write_atomic(copy, data, mode=_PRIVATE)
        try:
            self._write(ticket.id, data)
        except ConfigurationError:
            if copy is None:
                raise
            return str(copy)
        return ticket.id

    def update(self, name: TicketName, change: Callable[[Ticket], Ticket]) -> Ticket:
        """Replace a ticket by what `change` returns for it, while no other process can change it.

        Raises:
            ConfigurationError: the ticket is gone, cannot be read, was used or has expired.
        """
        with self._lock(name, self.find(name)):
            ticket = self.find(name)
            self.check(ticket)
            changed = change(ticket)
            write_atomic(self._locate(name), changed.to_bytes(), mode=_PRIVATE)
        return changed

    def check(self, ticket: Ticket) -> None:
        """Check that a run can be resumed from a ticket.

        Raises:
            ConfigurationError: it was used, has expired, or is a changed copy.
        """
        if self._has_mark(ticket):
            raise _used_error(ticket)
        if ticket.has_expired(datetime.now(UTC)):
            raise ConfigurationError(
                f"ticket {ticket.id} expired at {ticket.expires:%Y-%m-%d %H:%M} UTC; run the agent again"
            )
        self._check_original(ticket)

    def is_used(self, ticket: Ticket) -> bool:
        """Return whether a run was resumed from a ticket, or from the one that it is a changed copy of."""
        if self.folder is None:
            return False
        original = self._ledger().original_of(ticket)
        return self._has_mark(ticket) or (original is not None and self._mark_path(original.id).exists())

    def is_own(self, ticket: Ticket) -> bool:
        """Return whether a ticket, apart from its decisions, equals the one in the store."""
        if self.folder is None:
            return False
        try:
            own = _read(self._path(ticket.id))
        except ConfigurationError:
            return False
        return own.without_decisions() == ticket.without_decisions()

    def mark_used(self, ticket: Ticket) -> None:
        """Mark a ticket as used; of several processes, one succeeds.

        Raises:
            ConfigurationError: it was used before, is a changed copy, or there is no folder to record that.
        """
        if self.folder is None:
            raise ConfigurationError(f"{NO_HOME}; the use of a ticket cannot be recorded")
        ledger = self._ledger()
        with explain_unwritable(self.folder), lock_file(ledger.path):
            self._check_original(ticket)
            if ledger.original_of(ticket) is None:
                ledger.add(ticket)
            try:
                descriptor = os.open(self._mark_path(ticket.id), os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
            except FileExistsError as error:
                raise _used_error(ticket) from error
        with open(descriptor, "w", encoding="utf-8") as mark:
            mark.write(f"{ticket.expires.isoformat()}\n")
            mark.flush()
            os.fsync(descriptor)

    def delete(self, name: TicketName) -> Ticket:
        """Delete a ticket and return it; its run can no longer be resumed, from copies neither.

        Raises:
            ConfigurationError: there is no such ticket.
        """
        ticket = self.find(name)
        with self._lock(name, ticket):
            if self.status_of(ticket) == "open":
                self.mark_used(ticket)
            self._locate(name).unlink(missing_ok=True)
        self._lock_path(ticket.id).unlink(missing_ok=True)
        return ticket

    def prune(self) -> list[Ticket]:
        """Delete the used and expired tickets, and return them."""
        return [self.delete(ticket) for ticket in self.tickets() if self.status_of(ticket) != "open"]

    def _write(self, ticket_id: str, data: bytes) -> None:
        path = self._path(ticket_id)
        with explain_unwritable(path.parent):
            make_folder(path.parent)
            self._prune()
            self._ledger().add(read_ticket(data, str(path)))
            write_atomic(path, data, mode=_PRIVATE)

    def _locate(self, name: TicketName) -> Path:
        if isinstance(name, Ticket):
            return self._path(name.id)
        return self._path(name) if isinstance(name, str) and is_id(name) else Path(name).expanduser().absolute()

    def _path(self, ticket_id: str) -> Path:
        if self.folder is None:
            raise ConfigurationError(NO_HOME)
        return self.folder / f"{ticket_id}.json"

    def _lock(self, name: TicketName, ticket: Ticket) -> AbstractContextManager[None]:
        """Return the lock of a ticket, which all its copies share where there is a folder."""
        return lock_file(self._locate(name) if self.folder is None else self._path(ticket.id))

    def _lock_path(self, ticket_id: str) -> Path:
        return self._path(ticket_id).with_suffix(".json.lock")

    def _mark_path(self, ticket_id: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{ticket_id}.used"

    def _has_mark(self, ticket: Ticket) -> bool:
        return self.folder is not None and self._mark_path(ticket.id).exists()

    def _ledger(self) -> Ledger:
        assert self.folder is not None
        return Ledger(self.folder / "ledger.jsonl")

    def _check_original(self, ticket: Ticket) -> None:
        """Refuse a copy that was changed in more than its decisions.

        Raises:
            ConfigurationError: the calls are those of a ticket with another id, expiry or set of calls.
        """
        original = None if self.folder is None else self._ledger().original_of(ticket)
        entry = LedgerEntry.of(ticket)
        if original is None or original == entry:
            return
        if original.id != entry.id:
            problem = f"is a changed copy of ticket {original.id}: resume the original instead"
        elif original.calls != entry.calls:
            problem = "shows other calls than its run would make: it was tampered with"
        else:
            problem = "has another lifetime than it was written with: it was tampered with"
        raise ConfigurationError(f"ticket {ticket.id} {problem}")

    def _prune(self) -> None:
        """Delete expired tickets; the marks of used ones stay until their tickets have expired."""
        assert self.folder is not None
        now = datetime.now(UTC)
        for ticket in self.tickets():
            if ticket.has_expired(now):
                for path in (self._path(ticket.id), self._lock_path(ticket.id)):
                    path.unlink(missing_ok=True)
        for mark in self.folder.glob("tk_*.used"):
            with suppress(OSError, ValueError):
                if datetime.fromisoformat(mark.read_text(encoding="utf-8").strip()) <= now:
                    mark.unlink()


def _digest(source: Path | str | None) -> str:
    return source_digest(None if source is None else Path(source))


def _read(path: Path) -> Ticket:
    try:
        data = read_regular_file(path, MAX_SIZE)
    except FileNotFoundError as error:
        raise ConfigurationError(f"there is no ticket {path.stem if is_id(path.stem) else path}") from error
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", file=path) from error
    except ValueError as error:
        raise ConfigurationError(f"is not a ticket: {error}", file=path) from error
    return read_ticket(data, str(path))


def _used_error(ticket: Ticket) -> ConfigurationError:
    return ConfigurationError(f"ticket {ticket.id} was used before: a ticket can be used only once")
