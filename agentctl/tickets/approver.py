"""Who decides about the calls that wait: what was decided before, the rules, the person at the terminal, the policy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import field
from typing import Literal, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import ToolApprovalItem
from agentctl.errors import AgentsException, ApprovalMissing, RunSuspended
from agentctl.run.state.run_state import RunState

from .rules import Rules

Policy: TypeAlias = Literal["allow", "deny", "fail", "suspend"]
"""What becomes of a call about which nobody can be asked."""

DENIED = "The user does not allow this call, so it was not made."
"""What the model is told of a call that a rule or the policy denies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided about a call."""

    approved: bool
    always: bool = False
    """Whether it holds for all further calls of this tool by this agent."""
    message: str | None = None
    """What the model is told of a denied call."""


Key: TypeAlias = tuple[str, str, str]
"""Agent, tool and id of a call."""

Ask: TypeAlias = Callable[[ToolApprovalItem], Awaitable[Decision | None]]
"""Asks the person at the terminal; None is no answer."""

Suspend: TypeAlias = Callable[[RunState, dict[Key, Decision]], Awaitable[AgentsException]]
"""Puts a run that waits aside, with what was decided already, and returns how it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A ticket that a run is about to go on from."""

    name: str
    use: Callable[[], None]
    """Marks it as used, so that no other process goes on from it; raises where one did."""


def key_of(item: ToolApprovalItem) -> Key:
    """Return what names a call among those of a run."""
    return item.agent.name, item.name or "", item.call_id or ""


@dataclass(slots=True, kw_only=True)
class Approver:
    """Decides about all calls that wait, or about none: a run goes on once it has an answer for each."""

    rules: Rules
    policy: Policy
    suspend: Suspend
    ask: Ask | None = None
    """None where nobody can be asked."""
    decided: dict[Key, Decision] = field(default_factory=dict)
    """What was decided before the run went on here."""
    ticket: Held | None = None
    """The ticket of a run that was suspended, and has not gone on here yet."""
    _standing: dict[tuple[str, str], Decision] = field(default_factory=dict, init=False)
    """What was decided for all calls of a tool by an agent, in this run and those that follow."""

    async def __call__(self, state: RunState) -> AgentsException | None:
        """Take the decisions; return why the run ends, None where it goes on.

        Raises:
            AgentsException: it cannot go on here.
        """
        waiting = state.get_interruptions()
        found = {key_of(item): decision for item in waiting if (decision := self._decided(item)) is not None}
        undecided = [item for item in waiting if key_of(item) not in found]
        for item in undecided:
            agent, tool, _ = key_of(item)
            decision = self._standing.get((agent, tool)) or await self._decide(item)
            if decision is not None:
                found[key_of(item)] = decision
                if decision.always:
                    self._standing[agent, tool] = decision
            elif self.ask is not None or self.policy != "suspend":
                return ApprovalMissing(undecided)
        if len(found) < len({key_of(item) for item in waiting}):
            return RunSuspended(self.ticket.name, undecided) if self.ticket else await self.suspend(state, found)
        if self.ticket is not None:
            self.ticket.use()
            self.ticket = None
        for item in waiting:
            _apply(found[key_of(item)], item, state)
        self.decided = {}
        return None

    def _decided(self, item: ToolApprovalItem) -> Decision | None:
        """Return what nobody has to be asked about: a rule against the call goes before all else."""
        verdict = self.rules.verdict(item)
        if verdict is False:
            return Decision(approved=False, message=DENIED)
        decision = self.decided.get(key_of(item))
        return decision or (Decision(approved=True) if verdict else None)

    async def _decide(self, item: ToolApprovalItem) -> Decision | None:
        if self.ask is not None:
            return await self.ask(item)
        match self.policy:
            case "allow":
                return Decision(approved=True)
            case "deny":
                return Decision(approved=False, message=DENIED)
            case "fail" | "suspend":
                return None


def _apply(decision: Decision, item: ToolApprovalItem, state: RunState) -> None:
    if decision.approved:
        state.approve(item, decision.always)
    else:
        state.reject(item, decision.always, rejection_message=decision.message)
