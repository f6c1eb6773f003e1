"""What tools and callbacks are handed of the run they are part of."""

from __future__ import annotations

import typing
from dataclasses import field
from typing import TYPE_CHECKING, Any, Generic

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import ToolApprovalItem, ToolCallItem
from agentctl.agent.items.views import to_wire

from .approvals import Approvals
from .usage import Usage
from .wire import WireItem

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from agentctl.run.budget import Budget

    from .agent import Agent
    from .ports import RunAgent
    from .run_config import RunConfig

    TContext = TypeVar("TContext", default=Any)
else:
    # Its default is for type checkers alone, and costs 2 ms.
    TContext = typing.TypeVar("TContext")


@dataclass(eq=False)
class RunContextWrapper(Generic[TContext]):
    """The user's own context object, and what the run knows; the model never sees either."""

    context: TContext
    usage: Usage = field(default_factory=Usage)
    """What the run has used so far; in a streamed run it lags until each response ends."""
    turn_input: list[WireItem] = field(default_factory=list)
    """The input of the turn at hand."""
    tool_input: Any | None = None
    approvals: Approvals = field(default_factory=Approvals, kw_only=True, repr=False)
    """What was decided about calls that need a yes."""

    def approve_tool(self, approval_item: ToolApprovalItem, always_approve: bool = False) -> None:
        """Let a call run, or every call of its tool from now on."""
        self.approvals.decide(approval_item, True, always=always_approve)

    def reject_tool(
        self, approval_item: ToolApprovalItem, always_reject: bool = False, rejection_message: str | None = None
    ) -> None:
        """Keep a call from running, or every call of its tool from now on; the model is told the message."""
        self.approvals.decide(approval_item, False, always=always_reject, message=rejection_message)

    def is_tool_approved(self, tool_name: str, call_id: str) -> bool | None:
        """Return whether a call was approved, None while nobody has decided."""
        decision = self.approvals.told(tool_name, call_id)
        return None if decision is None else decision.approved

    def get_approval_status(self, tool_name: str, call_id: str) -> bool | None:
        """Return whether a call was approved, None while nobody has decided."""
        return self.is_tool_approved(tool_name, call_id)

    def get_rejection_message(self, tool_name: str, call_id: str) -> str | None:
        """Return what the model is to be told of a rejected call, if somebody worded it."""
        decision = self.approvals.told(tool_name, call_id)
        return None if decision is None else decision.message


@dataclass(frozen=True)
class AgentToolInvocation:
    """The tool call that a run of an agent is part of."""

    tool_name: str
    tool_call_id: str
    tool_arguments: str


@dataclass(eq=False)
class AgentHookContext(RunContextWrapper[TContext]):
    """The context that the hooks of an agent's start and end are given."""


class ToolCallView:
    """The field `tool_call`: holds the item of the call, or an `openai` object, and gives the object when read."""

    def __get__(self, owner: Any, kind: type | None = None) -> Any:
        """Return the `openai` object of the call, built when first touched; None where nobody gave one."""
        if owner is None:
            return None  # The default of the field.
        held = owner.__dict__.get("_tool_call")
        return held.raw_item if isinstance(held, ToolCallItem) else held

    def __set__(self, owner: Any, value: Any) -> None:
        """Take the item of a call, or an object."""
        owner.__dict__["_tool_call"] = value


@dataclass(eq=False)
class ToolContext(RunContextWrapper[TContext]):
    """The context of one tool call."""

    turn_input: list[WireItem] = field(default_factory=list, kw_only=True)
    tool_input: Any | None = field(default=None, kw_only=True)
    tool_name: str = ""
    tool_call_id: str = ""
    tool_arguments: str = ""
    """The arguments as the model wrote them, a JSON text."""
    tool_call: ToolCallView = ToolCallView()  # a descriptor, not a shared default
    tool_namespace: str | None = field(default=None, kw_only=True)
    agent: Agent[Any] | None = field(default=None, kw_only=True)
    run_config: RunConfig | None = field(default=None, kw_only=True)
    run_agent: RunAgent | None = field(default=None, kw_only=True, repr=False)
    """Runs another agent as part of the call; None outside a run."""
    paused: dict[str, Any] = field(default_factory=dict, kw_only=True, repr=False)
    """The runs within tool calls that wait for a yes, by call id: a call whose run is among them goes on with it."""
    budget: Budget | None = field(default=None, kw_only=True, repr=False)
    """The tokens that the run around the call may use, which a run within it shares."""
    failure: Exception | None = field(default=None, init=False, repr=False)
    """What went wrong in the call, where the model reads a text about it in place of an output."""
    agent_run_result: Any = field(default=None, init=False, repr=False)
    """The result of the run that the call was, where the tool is an agent."""

    @property
    def qualified_tool_name(self) -> str:
        """The tool's name with its namespace, if it has one."""
        return f"{self.tool_namespace}.{self.tool_name}" if self.tool_namespace else self.tool_name

    def for_nested_run(self, tool_input: Any | None) -> ToolContext[TContext]:
        """Return the context of a run that is part of this call: the user's object is the same, the usage its own."""
        return ToolContext(
            self.context,
            Usage(),
            self.tool_name,
            self.tool_call_id,
            self.tool_arguments,
            self.__dict__["_tool_call"],
            tool_input=tool_input,
            approvals=self.approvals,
            tool_namespace=self.tool_namespace,
            agent=self.agent,
            run_config=self.run_config,
            budget=self.budget,
        )

    @classmethod
    def from_agent_context(
        cls,
        context: RunContextWrapper[TContext],
        tool_call_id: str,
        tool_call: Any | None = None,
        agent: Agent[Any] | None = None,
        *,
        tool_name: str | None = None,
        tool_arguments: str | None = None,
        tool_namespace: str | None = None,
        run_config: RunConfig | None = None,
    ) -> ToolContext[TContext]:
        """Return the context of a call in a run: what is not given is read off the call, an object or an item.

        Raises:
            ValueError: neither the call nor the arguments say the tool's name and arguments.
        """
        wire = _call_wire(tool_call)
        name = tool_name if tool_name is not None else wire.get("name")
        arguments = tool_arguments if tool_arguments is not None else wire.get("arguments")
        if name is None or arguments is None:
            raise ValueError(f"ToolContext needs the {'tool_name' if name is None else 'tool_arguments'} of the call")
        return cls(
            context.context,
            context.usage,
            name,
            tool_call_id,
            arguments,
            tool_call,
            turn_input=context.turn_input,
            tool_input=context.tool_input,
            approvals=context.approvals,
            tool_namespace=tool_namespace if tool_namespace is not None else wire.get("namespace"),
            agent=agent,
            run_config=run_config,
        )


def _call_wire(tool_call: Any | None) -> WireItem:
    if isinstance(tool_call, ToolCallItem):
        return tool_call.wire
    return {} if tool_call is None else to_wire(tool_call)
