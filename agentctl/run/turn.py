"""The current turn of a run."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.items.run_items import ToolApprovalItem

if TYPE_CHECKING:
    from .active_run import ActiveRun
    from .tools.approvals import CallResult


@dataclass(slots=True, kw_only=True)
class TurnState:
    """The current turn: its agent, its number, and its calls that wait for approval."""

    agent: Agent[Any]
    """The current agent."""
    number: int = 0
    """Counted from 1; 0 before the first turn."""
    first_item: int = 0
    """The number of items that the run had before this turn."""
    tool_users: set[str] = field(default_factory=set)
    """The names of the agents that have called a tool."""
    completed_results: dict[str, CallResult] = field(default_factory=dict)
    """Results of calls of this turn, by call id, while other calls wait for approval."""
    nested_runs: dict[str, ActiveRun] = field(default_factory=dict)
    """Runs of agent tools in this turn that wait for approval, by call id."""
    reported_calls: set[str] = field(default_factory=set)
    """The ids of the calls that run, if their events are read."""
    interruptions: list[ToolApprovalItem] = field(default_factory=list)
    """The calls that wait for approval: the run resumes once each is decided."""
    interrupted_at: float | None = None
    """When they began to wait, in seconds since 1970; None if another process began."""
