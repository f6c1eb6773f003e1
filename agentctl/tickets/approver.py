"""The decisions about all calls of a run that wait: earlier decisions, rules, the user's answers, the policy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import field
from typing import TYPE_CHECKING, Literal, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import ToolApprovalItem
from agentctl.agent.tools.call_content import content_key
from agentctl.agent.tools.tool import FunctionTool, ToolOriginType
from agentctl.errors import AgentsException, RunSuspended

from .rules import Rules
from .ticket import CallDecision, CallKey, call_key

if TYPE_CHECKING:
    from agentctl.run.state.run_state import RunState

Policy: TypeAlias = Literal["allow", "deny", "fail", "suspend", "read-only"]
"""How to handle tool calls that need approval when not prompting; `read-only` allows those that change nothing."""

DENIED = "The user does not allow this call, so it was not made."
"""The output that the model gets for a call denied by a rule or the policy."""

Ask: TypeAlias = "Callable[[ToolApprovalItem], Awaitable[Answer | None]]"
"""Prompts the user for a decision; None if there was no answer."""

Suspend: TypeAlias = "Callable[[RunState, dict[CallKey, CallDecision]], Awaitable[AgentsException]]"
"""Suspends a run in a ticket, with the decisions made so far, and returns the outcome of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The user's answer to the question about a call."""

    decision: CallDecision
    is_lasting: bool = False
    """Whether it holds for all further calls with the same content of the tool by the agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingTicket:
    """The ticket of a run that is about to be resumed."""

    name: str
    command: str
    """The command line's program with its global options."""
    mark_used: Callable[[], None]
    """Marks the ticket as used; raises if another process has used it."""


@dataclass(slots=True, kw_only=True)
class Approver:
    """Decides about all calls that wait, or about none: a run resumes once each call has a decision."""

    rules: Rules
    policy: Policy
    suspend: Suspend
    ask: Ask | None = None
    """None when not prompting."""
    decisions: dict[CallKey, CallDecision] = field(default_factory=dict)
    """Decisions made before the run was resumed here."""
    ticket: PendingTicket | None = None
    """The ticket of the run, until it has been used."""
    _lasting: dict[tuple[str, str, str], CallDecision] = field(default_factory=dict, init=False)
    """Decisions about calls by agent, tool and content, in this run and those that follow."""

    async def __call__(self, state: RunState) -> AgentsException | None:
        """Apply a decision to each call that waits; return the error that ends the run if some call has none.

        Raises:
            AgentsException: the ticket cannot be used, or a new one cannot be written.
        """
        waiting = state.get_interruptions()
        found = {call_key(item): decision for item in waiting if (decision := self._known_decision(item)) is not None}
        undecided = [item for item in waiting if call_key(item) not in found]
        for item in undecided:
            decision = await self._decide(item)
            if decision is not None:
                found[call_key(item)] = decision
            elif self.ask is not None or self.policy != "suspend":
                # 3 ms, only for a run that ends here.
                from .refusal import refuse

                return refuse(undecided, self.rules)
        if len(found) < len({call_key(item) for item in waiting}):
            if self.ticket is not None:
                return RunSuspended(self.ticket.name, undecided, command=self.ticket.command)
            return await self.suspend(state, found)
        if self.ticket is not None:
            self.ticket.mark_used()
            self.ticket = None
        for item in waiting:
            found[call_key(item)].apply(item, state)
        self.decisions = {}
        return None

    def _known_decision(self, item: ToolApprovalItem) -> CallDecision | None:
        """Return a decision that needs no prompt: a rule that denies the call overrides all others."""
        verdict = self.rules.verdict(item)
        if verdict is False:
            return CallDecision(approved=False, message=DENIED)
        decision = self.decisions.get(call_key(item))
        return decision or (CallDecision(approved=True) if verdict else None)

    async def _decide(self, item: ToolApprovalItem) -> CallDecision | None:
        if self.ask is not None:
            return await self._ask(self.ask, item)
        match self.policy:
            case "allow":
                return CallDecision(approved=True)
            case "deny":
                return CallDecision(approved=False, message=DENIED)
            case "read-only":
                return CallDecision(approved=True) if _is_read_only(item) else None
            case "fail" | "suspend":
                return None

    async def _ask(self, ask: Ask, item: ToolApprovalItem) -> CallDecision | None:
        agent, tool, _ = call_key(item)
        key = (agent, tool, content_key(item.wire))
        if (known := self._lasting.get(key)) is not None:
            return known
        answer = await ask(item)
        if answer is None:
            return None
        if answer.is_lasting:
            self._lasting[key] = answer.decision
        return answer.decision


def _is_read_only(item: ToolApprovalItem) -> bool:
    """Return whether a call is of a tool whose author declared that it changes nothing; MCP servers cannot."""
    if item.tool_origin is None or item.tool_origin.type is not ToolOriginType.FUNCTION:
        return False
    named = [tool for tool in item.agent.tools if tool.name == item.name]
    return bool(named) and all(isinstance(tool, FunctionTool) and tool.is_read_only for tool in named)
