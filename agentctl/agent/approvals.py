"""Decisions about tool calls that need approval: for one call, or always for a tool."""

from __future__ import annotations

from dataclasses import asdict, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from agentctl._dataclass import dataclass

from .wire import JSONValue

if TYPE_CHECKING:
    from agentctl.agent.items.run_items import ToolApprovalItem


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An approval or a rejection."""

    approved: bool
    message: str | None = None
    """The model's text for a rejected call; None uses the engine's."""
    is_spent: bool = False
    """Whether the call is finished; a later call with the same id is a different one."""


class _Tool(NamedTuple):
    """The key of a tool: its agent, its hosted MCP server if any, and its name."""

    agent: str
    server: str | None
    name: str


@dataclass(slots=True)
class _ToolDecisions:
    """The decisions about one tool of one agent."""

    calls: dict[str, Decision] = field(default_factory=dict)
    """By call id."""
    always: Decision | None = None

    def decision_for(self, call_id: str, *, includes_spent: bool) -> Decision | None:
        """Return the decision about a call, which may be the one for all calls."""
        decision = self.calls.get(call_id)
        return self.always if decision is None or (decision.is_spent and not includes_spent) else decision


@dataclass(slots=True)
class Approvals:
    """The decisions of a run by agent and tool; nested runs share them."""

    _tools: dict[_Tool, _ToolDecisions] = field(default_factory=dict)

    def decide(self, item: ToolApprovalItem, approved: bool, *, always: bool, message: str | None = None) -> None:
        """Record a decision about a call, or about all further calls of its tool.

        Raises:
            ValueError: the item has no tool name or no call id.
        """
        call_id = item.call_id
        if not item.name or not call_id:
            raise ValueError("only a call with a tool name and a call id can be approved or rejected")
        decisions = self._tools.setdefault(_tool(item), _ToolDecisions())
        decisions.calls[call_id] = decision = Decision(approved=approved, message=message)
        if always:
            decisions.always = decision

    def take(self, item: ToolApprovalItem) -> Decision | None:
        """Return the decision about a call and mark it as spent; None without one."""
        decisions = self._tools.get(_tool(item))
        if decisions is None:
            return None
        decision = decisions.decision_for(item.call_id or "", includes_spent=False)
        self.spend(item.agent.name, item.call_id or "")
        return decision

    def spend(self, agent: str, call_id: str) -> None:
        """Mark the decision about an agent's call as spent, so that no later call with its id uses it."""
        for tool, decisions in self._tools.items():
            if tool.agent == agent and call_id in decisions.calls:
                decisions.calls[call_id] = replace(decisions.calls[call_id], is_spent=True)

    def find(self, tool_name: str, call_id: str) -> Decision | None:
        """Return the decision, spent or not, about a call of a tool of any agent; None without one."""
        found = (
            decisions.decision_for(call_id, includes_spent=True)
            for tool, decisions in self._tools.items()
            if tool.name == tool_name
        )
        return next((decision for decision in found if decision is not None), None)

    def has_approved(self, agent: str, tool_name: str) -> bool:
        """Return whether a call of an agent's own tool was approved, in this turn or an earlier one."""
        decisions = self._tools.get(_Tool(agent, None, tool_name))
        return decisions is not None and any(decision.approved for decision in decisions.calls.values())

    def to_json(self) -> list[JSONValue]:
        """Return the decisions as JSON."""
        return [
            {
                "agent": tool.agent,
                "server": tool.server,
                "tool": tool.name,
                "calls": {call_id: asdict(decision) for call_id, decision in decisions.calls.items()},
                "always": None if decisions.always is None else asdict(decisions.always),
            }
            for tool, decisions in self._tools.items()
        ]

    @classmethod
    def from_json(cls, tools: list[dict[str, Any]]) -> Approvals:
        """Return decisions from the JSON of `to_json`."""
        return cls(
            {
                _Tool(entry["agent"], entry["server"], entry["tool"]): _ToolDecisions(
                    {call_id: Decision(**decision) for call_id, decision in entry["calls"].items()},
                    None if entry["always"] is None else Decision(**entry["always"]),
                )
                for entry in tools
            }
        )

    def copy(self) -> Approvals:
        """Return an independent copy."""
        return Approvals(
            {tool: _ToolDecisions(dict(decisions.calls), decisions.always) for tool, decisions in self._tools.items()}
        )


def _tool(item: ToolApprovalItem) -> _Tool:
    server = item.wire.get("server_label")
    return _Tool(item.agent.name, server if isinstance(server, str) else None, item.name or "")
