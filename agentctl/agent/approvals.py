"""What people decided about tool calls that need their yes: once for a call, or always for a tool."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .wire import JSONValue

if TYPE_CHECKING:
    from .items import ToolApprovalItem


@dataclass(slots=True)
class _Decisions:
    """The decisions about one tool of one agent."""

    calls: dict[str, bool] = field(default_factory=dict)
    """By the id of the call."""
    always: bool | None = None
    messages: dict[str, str] = field(default_factory=dict)
    """What the model is told of a rejected call, by its id."""
    message: str | None = None
    """What the model is told of every rejected call."""


@dataclass(slots=True)
class Approvals:
    """The decisions of a run: a run within a tool call shares them, so that they are kept apart by agent and tool."""

    _tools: dict[tuple[str, str], _Decisions] = field(default_factory=dict)

    def decide(self, item: ToolApprovalItem, approved: bool, *, always: bool, message: str | None = None) -> None:
        """Take a decision about a call, or about all calls of its tool from now on.

        Raises:
            ValueError: the item has no tool name or no call id.
        """
        name, call_id = item.name, item.call_id
        if not name or not call_id:
            raise ValueError("what is decided about is a call with the name of its tool and an id")
        decisions = self._tools.setdefault((item.agent.name, name), _Decisions())
        decisions.calls[call_id] = approved
        decisions.messages.pop(call_id, None)
        if message is not None:
            decisions.messages[call_id] = message
        if always:
            decisions.always, decisions.message = approved, message

    def status(self, tool_name: str, call_id: str, *, agent: str | None = None) -> bool | None:
        """Return whether a call was approved, None while nobody has decided; without an agent, one of any agent."""
        for decisions in self._of(tool_name, agent):
            status = decisions.calls.get(call_id, decisions.always)
            if status is not None:
                return status
        return None

    def message(self, tool_name: str, call_id: str, *, agent: str | None = None) -> str | None:
        """Return what the model is to be told of a rejected call; None leaves the words to the engine."""
        for decisions in self._of(tool_name, agent):
            message = decisions.messages.get(call_id)
            if message is not None or call_id in decisions.calls:
                return message
            if decisions.always is False:
                return decisions.message
        return None

    def to_json(self) -> list[JSONValue]:
        """Return the decisions as JSON."""
        return [
            {
                "agent": agent,
                "tool": tool,
                "calls": dict(decisions.calls),
                "always": decisions.always,
                "messages": dict(decisions.messages),
                "message": decisions.message,
            }
            for (agent, tool), decisions in self._tools.items()
        ]

    @classmethod
    def from_json(cls, decided: list[dict[str, Any]]) -> Approvals:
        """Return decisions that were JSON."""
        return cls(
            {
                (one["agent"], one["tool"]): _Decisions(
                    dict(one["calls"]), one["always"], dict(one["messages"]), one["message"]
                )
                for one in decided
            }
        )

    def copy(self) -> Approvals:
        """Return a copy that decides for itself."""
        return Approvals.from_json(self.to_json())

    def _of(self, tool_name: str, agent: str | None) -> list[_Decisions]:
        return [
            decisions
            for (agent_name, name), decisions in self._tools.items()
            if name == tool_name and agent in (None, agent_name)
        ]
