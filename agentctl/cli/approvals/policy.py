"""Who decides about the calls of a run, as the command line and the settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentctl.errors import AgentsException
from agentctl.profile.load import Loaded
from agentctl.profile.resolve import FLAG

from .options import Case

if TYPE_CHECKING:
    from agentctl.run.state.run_state import RunState
    from agentctl.tickets.approver import Approver, Policy


def approver_of(case: Case) -> Approver:
    """Return who decides: what was said for this run goes before the question, and that before what is a default."""
    # 50 ms that only a run that waits pays.
    from agentctl.tickets.approver import Approver, PendingTicket
    from agentctl.tickets.job import Suspension
    from agentctl.tickets.rules import Rules

    from .question import TerminalQuestion
    from .ticket_store import ticket_store

    wishes, loaded, ticket = case.wishes, case.loaded, case.ticket
    store, said = ticket_store(case.invocation), policy_said(loaded)
    asks = said is None or (said == "suspend" and not case.may_suspend)
    return Approver(
        rules=Rules.of(allow=wishes.allow, deny=wishes.deny),
        policy=loaded.settings.on_approval,
        ask=None if case.show is None or not asks else TerminalQuestion(case.show),
        suspend=Suspension(
            store=store,
            copy=wishes.ticket,
            loaded=loaded,
            job=case.job,
            instructions=case.instructions,
            session=case.session,
        ),
        decisions={} if ticket is None else ticket.decisions,
        ticket=None
        if ticket is None
        else PendingTicket(name=wishes.resume or ticket.id, mark_used=lambda: store.mark_used(ticket)),
    )


def policy_said(loaded: Loaded) -> Policy | None:
    """Return the policy that was said for this run, by a flag or a variable."""
    said = loaded.settings.values["on_approval"].origin
    return loaded.settings.on_approval if said == FLAG or said.startswith("AGENTCTL_") else None


class Decide:
    """Approves or rejects all calls that wait, or says why the run ends."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._approver: Approver | None = None

    async def __call__(self, state: RunState) -> AgentsException | None:
        """Take the decisions on the state; return why the run ends, None where it goes on."""
        if self._approver is None:
            self._approver = approver_of(self._case)
        return await self._approver(state)
