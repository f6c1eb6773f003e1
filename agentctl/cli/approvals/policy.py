"""The approval policy of a run, from the options and the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentctl.errors import AgentsException
from agentctl.profile.load import Loaded
from agentctl.profile.resolve import FLAG
from agentctl.tickets.approver import Approver, Held, Policy
from agentctl.tickets.rules import Rules
from agentctl.tickets.store import TicketStore
from agentctl.tickets.suspension import Suspension, decisions_of

from .options import ApprovalContext
from .question import TerminalQuestion

if TYPE_CHECKING:
    from agentctl.run.state.run_state import RunState


def approver_of(context: ApprovalContext) -> Approver:
    """Return the approver: a policy set for this run takes precedence over the prompt, the prompt over a default."""
    options, loaded, ticket = context.options, context.loaded, context.ticket
    store, policy = TicketStore.of(context.invocation), explicit_policy(loaded)
    can_prompt = policy is None or (policy == "suspend" and not context.may_suspend)
    return Approver(
        rules=Rules.of(allow=options.allow, deny=options.deny),
        policy=loaded.settings.on_approval,
        ask=None if context.show is None or not can_prompt else TerminalQuestion(context.show),
        suspend=Suspension(
            store=store,
            also=options.ticket,
            loaded=loaded,
            job=context.job,
            instructions=context.instructions,
            session=context.session,
        ),
        decided={} if ticket is None else decisions_of(ticket),
        ticket=None if ticket is None else Held(name=options.resume or ticket.id, use=lambda: store.use(ticket)),
    )


def explicit_policy(loaded: Loaded) -> Policy | None:
    """Return the policy set for this run by an option or an environment variable."""
    origin = loaded.settings.values["on_approval"].origin
    return loaded.settings.on_approval if origin == FLAG or origin.startswith("AGENTCTL_") else None


class ApprovalHandler:
    """Approves or rejects all pending calls of a run."""

    def __init__(self, context: ApprovalContext) -> None:
        self._context = context
        self._approver: Approver | None = None

    async def __call__(self, state: RunState) -> AgentsException | None:
        """Record the decisions in the state; return the error that ends the run, None if it continues."""
        if self._approver is None:
            self._approver = approver_of(self._context)
        return await self._approver(state)
