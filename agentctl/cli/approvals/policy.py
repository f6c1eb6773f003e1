"""Approval of a run's calls, as the command line and the settings configure it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agentctl.errors import AgentsException
from agentctl.profile.load import Loaded
from agentctl.profile.resolve import FLAG

from .options import ApprovalContext

if TYPE_CHECKING:
    from agentctl.agent.items.run_items import ToolApprovalItem
    from agentctl.run.state.run_state import RunState
    from agentctl.tickets.approver import Approver, Policy


def approver_of(context: ApprovalContext) -> Approver:
    """Return the approver: a policy set for this run takes precedence over the prompt, the prompt over a default."""
    # 50 ms that only a run that waits for approval pays.
    from agentctl.tickets.approver import Approver, PendingTicket
    from agentctl.tickets.job import Suspension
    from agentctl.tickets.rules import Rules

    from .question import TerminalQuestion
    from .ticket_store import ticket_store

    options, loaded, ticket = context.options, context.loaded, context.ticket
    store, explicit, command = ticket_store(context.invocation), explicit_policy(loaded), context.invocation.command
    can_prompt = explicit is None or (explicit == "suspend" and not context.may_suspend)
    policy = explicit or options.kept_policy
    return Approver(
        rules=Rules.of(allow=options.allow, deny=options.deny),
        policy=policy or loaded.settings.on_approval,
        ask=None if context.show is None or not can_prompt else TerminalQuestion(context.show, context.scope),
        suspend=Suspension(
            store=store,
            copy=options.ticket,
            loaded=loaded,
            job=context.job,
            instructions=context.instructions,
            session=context.session,
            policy=None if policy == "allow" or policy == "read-only" else policy,
            allow=options.allow,
            deny=options.deny,
            command=command,
        ),
        decisions={} if ticket is None else ticket.decisions,
        ticket=None
        if ticket is None
        else PendingTicket(
            name=options.resume or ticket.id, command=command, mark_used=lambda: store.mark_used(ticket)
        ),
    )


def explicit_policy(loaded: Loaded) -> Policy | None:
    """Return the policy set for this run by a flag or a variable, None if there is none."""
    origin = loaded.settings.values["on_approval"].origin
    return loaded.settings.on_approval if origin == FLAG or origin.startswith("AGENTCTL_") else None


class ApprovalHandler:
    """Approves or denies all calls that wait, or returns the error that ends the run."""

    def __init__(self, context: ApprovalContext) -> None:
        self._context = context
        self._approver: Approver | None = None

    async def __call__(self, state: RunState) -> AgentsException | None:
        """Record the decisions in the state; return the error that ends the run, None if it continues."""
        if self._approver is None:
            self._approver = approver_of(self._context)
        return await self._approver(state)

    def notes(self) -> list[str]:
        """Return a note for each rule that names no tool of the agent."""
        options = self._context.options
        if not options.allow and not options.deny:
            return []
        # 10 ms, only for a run with rules.
        from agentctl.tickets.refusal import rule_notes

        return rule_notes(options.allow, options.deny, self._context.job.agent)

    @property
    def needs_approval(self) -> Callable[[ToolApprovalItem], bool] | None:
        """The check for calls that a rule denies, which need approval whatever their tools say; None without one."""
        deny = self._context.options.deny
        if not deny:
            return None
        from agentctl.tickets.rules import Rules

        rules = Rules.of(allow=(), deny=deny)
        return lambda item: rules.verdict(item) is False

    def decided_by(self, item: ToolApprovalItem) -> str:
        """Return who decides about a call: a `rule`, the `user` or the `policy`."""
        if self.is_decided(item):
            return "rule"
        return "policy" if self._context.show is None or explicit_policy(self._context.loaded) else "user"

    def is_decided(self, item: ToolApprovalItem) -> bool:
        """Return whether a rule decides about a call."""
        options = self._context.options
        if not options.allow and not options.deny:
            return False
        from agentctl.tickets.rules import Rules

        return Rules.of(allow=options.allow, deny=options.deny).verdict(item) is not None
