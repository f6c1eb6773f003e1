"""Approvals of rows: a row that waits for one has a ticket in the store, and goes on once its calls are decided."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import TYPE_CHECKING

from agentctl._dataclass import dataclass
from agentctl.errors import AgentsException, ConfigurationError, RunSuspended
from agentctl.tickets.approver import Approver, Policy, Suspend
from agentctl.tickets.rules import Rules
from agentctl.tickets.store import TicketStore
from agentctl.tickets.ticket import Ticket, read_ticket

from .row import BatchRecord, row_index
from .store import BatchStore

if TYPE_CHECKING:
    from agentctl.run.state.run_state import RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class RowApprovals:
    """Decides about the calls of rows by rules, a policy and the decisions in tickets.

    A ticket is in the store of the batch, for all machines, and in the folder of tickets of each machine that asks for
    it, where users decide. A process takes the decisions from the folder of its machine to the store.
    """

    store: BatchStore
    tickets: TicketStore
    rules: Rules
    policy: Policy
    suspend: Suspend
    """Writes a ticket to the folder."""

    async def __call__(self, state: RunState, row: str) -> AgentsException | None:
        """Decide about all calls of a row that wait, or return the error that ends its run for now."""
        kept = self.store.ticket_of(row)
        decisions = {} if kept is None else _read(kept).decisions
        approver = Approver(rules=self.rules, policy=self.policy, suspend=self.suspend, decisions=decisions)
        error = await approver(state)
        if isinstance(error, RunSuspended):
            ticket = self.tickets.find(error.ticket)
            self.store.save_ticket(row, ticket.id, ticket.to_bytes().decode())
        return error

    def decided_rows(self, batch: BatchRecord, waiting: AbstractSet[int]) -> list[int]:
        """Return those of the waiting rows whose calls are decided, with the decisions in the store. Blocks."""
        found = list[int]()
        for row, document in self.store.tickets(batch.name).items() if waiting else ():
            ticket, index = _read(document), row_index(row)
            if index in waiting and (not ticket.undecided_calls or self._take_decisions(row, ticket)):
                found.append(index)
        return found

    def _take_decisions(self, row: str, ticket: Ticket) -> bool:
        """Take the decisions of a ticket from the folder of this machine; return False while some are missing."""
        with suppress(ConfigurationError):  # It is not on this machine, or was deleted.
            local = self.tickets.find(ticket.id)
            if not local.undecided_calls and self.tickets.status_of(local) == "open":
                self.store.save_ticket(row, ticket.id, local.to_bytes().decode())
                self.tickets.mark_used(local)
                return True
        return False


def copy_tickets(store: BatchStore, tickets: TicketStore, batch: BatchRecord) -> list[Ticket]:
    """Return the tickets of a batch that wait, and put those into the folder that are from another machine."""
    waiting = [ticket for ticket in map(_read, store.tickets(batch.name).values()) if ticket.undecided_calls]
    for ticket in waiting:
        try:
            tickets.find(ticket.id)
        except ConfigurationError:
            tickets.add(ticket)
    return waiting


def _read(document: str) -> Ticket:
    return read_ticket(document.encode(), "a ticket in the store")
