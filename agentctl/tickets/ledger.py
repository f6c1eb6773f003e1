"""The ledger of a store: which tickets it wrote or used, by what they hold.

A ticket is known by its calls, not by its id: a copy with another id or expiry is recognized as one. Entries stay after
their tickets are deleted, so that a copy cannot outlive the ticket.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

from agentctl._dataclass import dataclass
from agentctl.agent.tools.call_content import Arguments, call_content

from .ticket import Ticket, TicketCall

_PRIVATE = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """A ticket as the ledger records it."""

    id: str
    created: str
    expires: str
    calls: frozenset[str]
    """Digests of the calls."""

    @classmethod
    def of(cls, ticket: Ticket) -> LedgerEntry:
        """Return the entry of a ticket that was read from its file."""
        return cls(
            id=ticket.id,
            created=ticket.created.isoformat(),
            expires=ticket.expires.isoformat(),
            calls=frozenset(map(_digest, ticket.calls)),
        )


class Ledger:
    """A file with an entry on each line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def original_of(self, ticket: Ticket) -> LedgerEntry | None:
        """Return the entry of a ticket, or of the one that it is a changed copy of; None if none of its calls is known.

        Raises:
            OSError: the ledger cannot be read.
        """
        entry = LedgerEntry.of(ticket)
        related = [known for known in self._entries() if known.calls & entry.calls or known.id == entry.id]
        return entry if entry in related else next(iter(related), None)

    def add(self, ticket: Ticket) -> None:
        """Add the entry of a ticket.

        Raises:
            OSError: the ledger cannot be written.
        """
        entry = asdict(LedgerEntry.of(ticket))
        line = json.dumps({**entry, "calls": sorted(entry["calls"])})
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), _PRIVATE)
        try:
            # The first line break ends a line that a killed process left unfinished.
            os.write(descriptor, f"\n{line}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _entries(self) -> list[LedgerEntry]:
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return [entry for line in lines if (entry := _read_entry(line)) is not None]


def _read_entry(line: bytes) -> LedgerEntry | None:
    try:
        match json.loads(line):
            case {"id": str(name), "created": str(created), "expires": str(expires), "calls": [*calls]}:
                return LedgerEntry(id=name, created=created, expires=expires, calls=frozenset(map(str, calls)))
    except ValueError:
        pass
    return None


def _digest(call: TicketCall) -> str:
    """Return a digest of what a call does, in which the order of fields and spaces between them do not count."""
    content = call_content(call.item)
    does = _read_arguments(content.text) if isinstance(content, Arguments) else asdict(content)
    text = json.dumps([call.agent, call.tool, call.call_id, does], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _read_arguments(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
