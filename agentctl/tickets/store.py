"""Where tickets are: in the state folder, for this user alone, and in files that were named; each is used once."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from agentctl._dataclass import dataclass
from agentctl.cli.invocation import Invocation
from agentctl.errors import ConfigurationError
from agentctl.profile.load import NO_HOME, find_paths
from agentctl.storage import explain_unwritable, lock_file, make_folder, write_atomic

from .ticket import Ticket, is_id, read_ticket

_PRIVATE = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A ticket and where it was found."""

    ticket: Ticket
    path: Path


@dataclass(frozen=True, slots=True)
class TicketStore:
    """The tickets of this user."""

    folder: Path | None
    """None where there is no home folder."""

    @classmethod
    def of(cls, invocation: Invocation) -> TicketStore:
        """Return the store that an invocation uses."""
        folders = find_paths(invocation.environ, invocation.config, invocation.profile).folders
        return cls(None if folders is None else folders.state / "tickets")

    def tickets(self) -> list[Ticket]:
        """Return the tickets that are kept here, the oldest first; a file that is none is left out."""
        found: list[Ticket] = []
        for path in sorted(self.folder.glob("tk_*.json")) if self.folder is not None and self.folder.is_dir() else ():
            with suppress(ConfigurationError):
                found.append(_read(path))
        return sorted(found, key=lambda ticket: ticket.created)

    def find(self, text: str) -> Found:
        """Return the ticket that an id, or the path of a file, names.

        Raises:
            ConfigurationError: there is none, or it cannot be read.
        """
        path = self._path(text) if is_id(text) else Path(text).expanduser().absolute()
        return Found(ticket=_read(path), path=path)

    def add(self, ticket: Ticket, *, also: Path | None) -> str:
        """Keep a new ticket, also in a file, which is enough where nothing else can be kept; return what names it.

        Raises:
            ConfigurationError: there is no place for it.
            OSError: it cannot be written.
        """
        if also is not None:
            write_atomic(also, ticket.encoded(), mode=_PRIVATE)
        try:
            self._keep(ticket)
        except ConfigurationError:
            if also is None:
                raise
            return str(also)
        return ticket.id

    def change(self, found: Found, change: Callable[[Ticket], Ticket]) -> Ticket:
        """Put what `change` makes of a ticket in its place; nobody else changes it meanwhile.

        Raises:
            ConfigurationError: it is gone, or cannot be read any more, or was used, or has expired.
            OSError: it cannot be written.
        """
        with lock_file(found.path if self.folder is None else self._path(found.ticket.id)):
            ticket = _read(found.path)
            self.check(ticket)
            changed = change(ticket)
            write_atomic(found.path, changed.encoded(), mode=_PRIVATE)
        return changed

    def check(self, ticket: Ticket) -> None:
        """Refuse a ticket that nobody can go on with.

        Raises:
            ConfigurationError: it was used, or has expired.
        """
        if self.is_used(ticket):
            raise _used(ticket)
        if ticket.has_expired(datetime.now(UTC)):
            raise ConfigurationError(f"ticket {ticket.id} expired at {ticket.expires:%Y-%m-%d %H:%M} UTC: run it again")

    def state_of(self, ticket: Ticket) -> Literal["open", "used", "expired"]:
        """Return whether a run can go on from a ticket, or why it cannot."""
        if self.is_used(ticket):
            return "used"
        return "expired" if ticket.has_expired(datetime.now(UTC)) else "open"

    def is_used(self, ticket: Ticket) -> bool:
        """Return whether a run has gone on from the ticket."""
        return self.folder is not None and self._mark(ticket).exists()

    def is_own(self, ticket: Ticket) -> bool:
        """Return whether the ticket, decisions apart, is one that was written here."""
        if self.folder is None:
            return False
        try:
            kept = _read(self._path(ticket.id))
        except ConfigurationError:
            return False
        return kept.undecided() == ticket.undecided()

    def use(self, ticket: Ticket) -> None:
        """Mark a ticket as used: of several processes one can.

        Raises:
            ConfigurationError: it was used before, or there is no place to remember that.
            OSError: it cannot be remembered.
        """
        if self.folder is None:
            raise ConfigurationError(f"{NO_HOME}, and so not that a ticket was used")
        with explain_unwritable(self.folder):
            make_folder(self.folder)
            try:
                descriptor = os.open(self._mark(ticket), os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
            except FileExistsError as error:
                raise _used(ticket) from error
        with open(descriptor, "w", encoding="utf-8") as mark:
            mark.write(f"{ticket.expires.isoformat()}\n")
            mark.flush()
            os.fsync(descriptor)

    def _keep(self, ticket: Ticket) -> None:
        if self.folder is None:
            raise ConfigurationError(f"{NO_HOME}; --ticket names a file for the ticket")
        with explain_unwritable(self.folder):
            make_folder(self.folder)
            self._prune()
            write_atomic(self._path(ticket.id), ticket.encoded(), mode=_PRIVATE)

    def _path(self, ticket_id: str) -> Path:
        if self.folder is None:
            raise ConfigurationError(NO_HOME)
        return self.folder / f"{ticket_id}.json"

    def _mark(self, ticket: Ticket) -> Path:
        assert self.folder is not None
        return self.folder / f"{ticket.id}.used"

    def _prune(self) -> None:
        """Remove the tickets that have expired; the marks of used ones stay until their tickets are of no use."""
        assert self.folder is not None
        now = datetime.now(UTC)
        for ticket in self.tickets():
            if ticket.has_expired(now):
                for path in (self._path(ticket.id), self._path(ticket.id).with_suffix(".json.lock")):
                    path.unlink(missing_ok=True)
        for mark in self.folder.glob("tk_*.used"):
            with suppress(OSError, ValueError):
                if datetime.fromisoformat(mark.read_text(encoding="utf-8").strip()) <= now:
                    mark.unlink()


def _read(path: Path) -> Ticket:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigurationError(f"there is no ticket {path.stem if is_id(path.stem) else path}") from error
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", file=path) from error
    return read_ticket(data, str(path))


def _used(ticket: Ticket) -> ConfigurationError:
    return ConfigurationError(f"ticket {ticket.id} was used before: a run goes on from it once")
