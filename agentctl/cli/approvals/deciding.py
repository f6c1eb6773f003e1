"""Who decides about the calls of a run, as the command line and the settings say."""

from __future__ import annotations

from agentctl.profile.load import Loaded
from agentctl.profile.resolve import FLAG

from .approver import Approver, Held, Policy
from .question import TerminalQuestion
from .rules import Rules
from .suspension import Suspension, decisions_of
from .ticket_store import TicketStore
from .wishes import Case


def approver_of(case: Case) -> Approver:
    """Return who decides: what was said for this run goes before the question, and that before what is a default."""
    wishes, loaded, ticket = case.wishes, case.loaded, case.ticket
    store, said = TicketStore.of(case.invocation), policy_said(loaded)
    asks = said is None or (said == "suspend" and not case.may_suspend)
    return Approver(
        rules=Rules.of(allow=wishes.allow, deny=wishes.deny),
        policy=loaded.settings.on_approval,
        ask=None if case.show is None or not asks else TerminalQuestion(case.show),
        suspend=Suspension(
            store=store,
            also=wishes.ticket,
            loaded=loaded,
            job=case.job,
            instructions=case.instructions,
            session=case.session,
        ),
        decided={} if ticket is None else decisions_of(ticket),
        ticket=None if ticket is None else Held(name=wishes.resume or ticket.id, use=lambda: store.use(ticket)),
    )


def policy_said(loaded: Loaded) -> Policy | None:
    """Return the policy that was said for this run, by a flag or a variable."""
    said = loaded.settings.values["on_approval"].origin
    return loaded.settings.on_approval if said == FLAG or said.startswith("AGENTCTL_") else None
