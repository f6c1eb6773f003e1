"""The resumption of a suspended run: its ticket, merged with the options of the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from agentctl._dataclass import dataclass
from agentctl.cli.invocation import Invocation
from agentctl.cli.report import UsageError
from agentctl.cli.session_options import SessionOptions
from agentctl.launch.job import Job, check_conversation, noting_causes
from agentctl.launch.perform import close
from agentctl.profile.load import Loaded
from agentctl.tickets.job import check_code, resume_job
from agentctl.tickets.store import TicketStore
from agentctl.tickets.ticket import Ticket

from .ticket_store import ticket_store

if TYPE_CHECKING:
    from agentctl.cli.run_job import RunOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """A ticket to be resumed."""

    ticket: Ticket
    store: TicketStore
    options: RunOptions
    """The options of the command line, completed with the values in the ticket."""
    names_agent: bool
    """Whether the command line names an agent."""
    invocation: Invocation

    @classmethod
    def of(cls, name: str, options: RunOptions, invocation: Invocation) -> Self:
        """Return the resumption of the ticket with this id or file.

        Raises:
            UsageError: an option cannot be combined with resuming.
            ConfigurationError: there is no such ticket, or it cannot be resumed.
        """
        store = ticket_store(invocation)
        ticket = store.find(name)
        store.check(ticket)
        if options.session != SessionOptions():
            raise UsageError("a resumed run keeps its session; remove --session and --continue")
        if options.is_ephemeral and ticket.session is not None:
            raise UsageError(f"the run of ticket {ticket.id} has a session, which --ephemeral excludes")
        stored = {**ticket.settings} if ticket.agent is None else {**ticket.settings, "agent": ticket.agent}
        merged_options = replace(
            options,
            flags={**stored, **options.flags},
            instructions=ticket.instructions if options.instructions is None else options.instructions,
            output_schema=_output_schema(ticket) if options.output_schema is None else options.output_schema,
            session=SessionOptions(session_id=ticket.session),
            approvals=replace(
                options.approvals,
                allow=(*options.approvals.allow, *_allowing_rules(ticket, store, invocation)),
                deny=(*options.approvals.deny, *ticket.deny),
                kept_policy=ticket.policy,
            ),
        )
        names_agent = "agent" in options.flags
        return cls(ticket=ticket, store=store, options=merged_options, names_agent=names_agent, invocation=invocation)

    def check_code(self, loaded: Loaded) -> None:
        """Check before importing any code that it matches the ticket and may run.

        Raises:
            ConfigurationError: it does not match, or may not run.
        """
        check_code(self.ticket, loaded, self.store, is_named=self.names_agent)

    async def resume_run(self, job: Job, loaded: Loaded) -> Job:
        """Return the job that resumes the run; a prompt is added to its input.

        Raises:
            ConfigurationError: the agent or its settings have changed, or the ticket was tampered with.
            MissingKeyError: there is no key for the next model call.
        """
        try:
            with noting_causes(loaded):
                check_conversation(job, loaded, self.invocation.environ)
            return await resume_job(job, self.ticket, loaded)
        except BaseException:
            await close(job)
            raise


def _output_schema(ticket: Ticket) -> str | None:
    """Return the output schema of a ticket as a value of `--output-schema`."""
    return None if ticket.output_schema is None else json.dumps(ticket.output_schema)


def _allowing_rules(ticket: Ticket, store: TicketStore, invocation: Invocation) -> tuple[str, ...]:
    """Return the rules that allow calls; a ticket from elsewhere allows nothing."""
    if not ticket.allow or store.is_own(ticket):
        return ticket.allow
    invocation.note(f"note: ticket {ticket.id} was not written here, so its rules that allow calls do not apply")
    return ()
