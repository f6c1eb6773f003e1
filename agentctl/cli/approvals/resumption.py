"""A suspended run on its way back: its ticket, and the order that goes on with it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self

from agentctl._dataclass import dataclass
from agentctl.cli.invocation import Invocation
from agentctl.cli.report import UsageError
from agentctl.cli.session_options import Wanted
from agentctl.launch.job import Job, check_conversation
from agentctl.launch.perform import close
from agentctl.profile.load import Loaded
from agentctl.tickets.job import check_code, resume_job
from agentctl.tickets.store import TicketStore
from agentctl.tickets.ticket import Ticket

from .ticket_store import ticket_store

if TYPE_CHECKING:
    from agentctl.cli.run_job import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """A ticket that somebody wants to go on from."""

    ticket: Ticket
    store: TicketStore
    order: Order
    """What the command line asks for, over what the ticket says."""
    names_agent: bool
    """Whether the command line names the agent."""
    invocation: Invocation

    @classmethod
    def of(cls, name: str, order: Order, invocation: Invocation) -> Self:
        """Return the resumption that an order asks for.

        Raises:
            UsageError: the order also asks for what a run that has begun cannot have.
            ConfigurationError: there is no such ticket, or nobody can go on with it.
        """
        store = ticket_store(invocation)
        ticket = store.find(name)
        store.check(ticket)
        if order.session != Wanted():
            raise UsageError("a run that goes on keeps its session: leave out --session and --continue")
        kept = {**ticket.settings} if ticket.agent is None else {**ticket.settings, "agent": ticket.agent}
        merged = replace(
            order,
            flags={**kept, **order.flags},
            instructions=_escaped(ticket.instructions) if order.instructions is None else order.instructions,
            session=Wanted(session_id=ticket.session),
        )
        named = "agent" in order.flags
        return cls(ticket=ticket, store=store, order=merged, names_agent=named, invocation=invocation)

    def check_code(self, loaded: Loaded) -> None:
        """See, before any code is imported, that it is the ticket's, and that the user wants it to run.

        Raises:
            ConfigurationError: it is not.
        """
        check_code(self.ticket, loaded, self.store, is_named=self.names_agent)

    async def taken_up(self, job: Job, loaded: Loaded) -> Job:
        """Return the job that goes on with the run; its prompt joins it.

        Raises:
            ConfigurationError: what the run was begun with has changed, or somebody tampered with the ticket.
            MissingKeyError: its next model call would have no key.
        """
        try:
            check_conversation(job, loaded, self.invocation.environ)
            return await resume_job(job, self.ticket, loaded)
        except BaseException:
            await close(job)
            raise


def _escaped(instructions: str | None) -> str | None:
    """Return a text as `--instructions` takes it, which reads a file for `@FILE`."""
    return f"@{instructions}" if instructions is not None and instructions.startswith("@") else instructions
