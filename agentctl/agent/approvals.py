"""What people decided about tool calls that need their yes: once for a call, or always for a tool."""

from __future__ import annotations

from dataclasses import asdict, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from agentctl._dataclass import dataclass

from .wire import JSONValue

if TYPE_CHECKING:
    from agentctl.agent.items.run_items import ToolApprovalItem


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A yes or a no."""

    approved: bool
    message: str | None = None
    """What the model is told of a no; None leaves the words to the engine."""
    is_spent: bool = False
    """Whether the call that it is about is over: a later call of the same id is another one."""


class _Tool(NamedTuple):
    """The tool of an agent, or of an MCP server that the service speaks to for it."""

    agent: str
    server: str | None
    name: str


@dataclass(slots=True)
class _OfTool:
    """The decisions about one tool of one agent."""

    calls: dict[str, Decision] = field(default_factory=dict)
    """By the id of the call."""
    always: Decision | None = None

    def about(self, call_id: str, *, counts_spent: bool) -> Decision | None:
        """Return the decision about a call, which may be one about every call."""
        once = self.calls.get(call_id)
        return self.always if once is None or (once.is_spent and not counts_spent) else once


@dataclass(slots=True)
class Approvals:
    """The decisions of a run: a run within a tool call shares them, so that they are kept apart by agent and tool."""

    _tools: dict[_Tool, _OfTool] = field(default_factory=dict)

    def decide(self, item: ToolApprovalItem, approved: bool, *, always: bool, message: str | None = None) -> None:
        """Take a decision about a call, or about all calls of its tool from now on.

        Raises:
            ValueError: the item has no tool name or no call id.
        """
        call_id = item.call_id
        if not item.name or not call_id:
            raise ValueError("what is decided about is a call with the name of its tool and an id")
        of_tool = self._tools.setdefault(_tool(item), _OfTool())
        of_tool.calls[call_id] = decision = Decision(approved=approved, message=message)
        if always:
            of_tool.always = decision

    def take(self, item: ToolApprovalItem) -> Decision | None:
        """Return what holds for a call that is made or refused now, and for no later one of its id.

        None is that nobody has decided.
        """
        of_tool = self._tools.get(_tool(item))
        if of_tool is None:
            return None
        decision = of_tool.about(item.call_id or "", counts_spent=False)
        self.spend(item.agent.name, item.call_id or "")
        return decision

    def spend(self, agent: str, call_id: str) -> None:
        """Note that a call of an agent is over: what was decided about it holds for no other."""
        for tool, of_tool in self._tools.items():
            if tool.agent == agent and call_id in of_tool.calls:
                of_tool.calls[call_id] = replace(of_tool.calls[call_id], is_spent=True)

    def told(self, tool_name: str, call_id: str) -> Decision | None:
        """Return what was decided about a call, over or not, of a tool of any agent; None while nobody has."""
        found = (
            of_tool.about(call_id, counts_spent=True) for tool, of_tool in self._tools.items() if tool.name == tool_name
        )
        return next((decision for decision in found if decision is not None), None)

    def to_json(self) -> list[JSONValue]:
        """Return the decisions as JSON."""
        return [
            {
                "agent": tool.agent,
                "server": tool.server,
                "tool": tool.name,
                "calls": {call_id: asdict(decision) for call_id, decision in of_tool.calls.items()},
                "always": None if of_tool.always is None else asdict(of_tool.always),
            }
            for tool, of_tool in self._tools.items()
        ]

    @classmethod
    def from_json(cls, decided: list[dict[str, Any]]) -> Approvals:
        """Return decisions that were JSON."""
        return cls(
            {
                _Tool(one["agent"], one["server"], one["tool"]): _OfTool(
                    {call_id: Decision(**decision) for call_id, decision in one["calls"].items()},
                    None if one["always"] is None else Decision(**one["always"]),
                )
                for one in decided
            }
        )

    def copy(self) -> Approvals:
        """Return a copy that decides for itself."""
        return Approvals({tool: _OfTool(dict(of_tool.calls), of_tool.always) for tool, of_tool in self._tools.items()})


def _tool(item: ToolApprovalItem) -> _Tool:
    server = item.wire.get("server_label")
    return _Tool(item.agent.name, server if isinstance(server, str) else None, item.name or "")
