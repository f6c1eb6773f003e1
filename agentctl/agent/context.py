"""Contexts that tools and callbacks receive from their run."""

from __future__ import annotations

import typing
from dataclasses import field
from typing import TYPE_CHECKING, Any, Generic, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import ToolApprovalItem, ToolCallItem
from agentctl.agent.items.views import to_wire

from .approvals import Approvals
from .usage import Usage
from .wire import WireItem

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import TypeVar

    from agentctl.run.budget import Budget
    from agentctl.run.journal import JournalScope

    from .agent import Agent
    from .ports import RunAgent
    from .run_config import RunConfig

    TContext = TypeVar("TContext", default=Any)

    OnProgress: TypeAlias = Callable[[float | None, float | None, str | None], None]
    """Takes the progress of a tool call: how much is done, of how much, and a text for the user."""
else:
    # The default is for type checkers only, and costs 2 ms.
    TContext = typing.TypeVar("TContext")


@dataclass(eq=False)
class RunContextWrapper(Generic[TContext]):
    """The user's context object and data of the run; the model never sees either."""

    context: TContext
    usage: Usage = field(default_factory=Usage)
    """Usage of the run so far; in a streamed run it is updated at the end of each response."""
    turn_input: list[WireItem] = field(default_factory=list)
    """Input of the current turn."""
    tool_input: Any | None = None
    approvals: Approvals = field(default_factory=Approvals, kw_only=True, repr=False)
    """Decisions about calls that need approval."""

    def approve_tool(self, approval_item: ToolApprovalItem, always_approve: bool = False) -> None:
        """Approve a call, or all further calls of its tool."""
        self.approvals.decide(approval_item, True, always=always_approve)

    def reject_tool(
        self, approval_item: ToolApprovalItem, always_reject: bool = False, rejection_message: str | None = None
    ) -> None:
        """Reject a call, or all further calls of its tool; the model reads the message."""
        self.approvals.decide(approval_item, False, always=always_reject, message=rejection_message)

    def is_tool_approved(self, tool_name: str, call_id: str) -> bool | None:
        """Return whether a call was approved, None while undecided."""
        decision = self.approvals.find(tool_name, call_id)
        return None if decision is None else decision.approved

    def get_approval_status(
        self,
        tool_name: str,
        call_id: str,
        *,
        tool_namespace: str | None = None,
        existing_pending: Any = None,
        tool_lookup_key: Any = None,
        current_invocation: Any = None,
    ) -> bool | None:
        """Return whether a call was approved, None while undecided; the keywords of the Agents SDK have no effect."""
        return self.is_tool_approved(tool_name, call_id)

    def get_rejection_message(
        self,
        tool_name: str,
        call_id: str,
        *,
        tool_namespace: str | None = None,
        existing_pending: Any = None,
        tool_lookup_key: Any = None,
    ) -> str | None:
        """Return the message for the model about a rejected call; the keywords of the Agents SDK have no effect."""
        decision = self.approvals.find(tool_name, call_id)
        return None if decision is None else decision.message


@dataclass(frozen=True)
class AgentToolInvocation:
    """The tool call that contains the run of an agent."""

    tool_name: str
    tool_call_id: str
    tool_arguments: str


@dataclass(eq=False)
class AgentHookContext(RunContextWrapper[TContext]):
    """The context of hooks for an agent's start and end."""


class ToolCallView:
    """Descriptor of the field `tool_call`: stores the call's item or an `openai` object, and returns the object."""

    def __get__(self, owner: Any, kind: type | None = None) -> Any:
        """Return the `openai` object of the call, built on first access; None without a call."""
        if owner is None:
            return None  # The default of the field.
        value = owner.__dict__.get("_tool_call")
        return value.raw_item if isinstance(value, ToolCallItem) else value

    def __set__(self, owner: Any, value: Any) -> None:
        """Store the item of a call, or an object."""
        owner.__dict__["_tool_call"] = value


@dataclass(eq=False)
class ToolContext(RunContextWrapper[TContext]):
    """The context of one tool call."""

    turn_input: list[WireItem] = field(default_factory=list, kw_only=True)
    tool_input: Any | None = field(default=None, kw_only=True)
    tool_name: str = ""
    tool_call_id: str = ""
    tool_arguments: str = ""
    """The arguments as the model wrote them, as JSON text."""
    tool_call: ToolCallView = ToolCallView()  # a descriptor, not a shared default
    tool_namespace: str | None = field(default=None, kw_only=True)
    agent: Agent[Any] | None = field(default=None, kw_only=True)
    run_config: RunConfig | None = field(default=None, kw_only=True)
    run_agent: RunAgent | None = field(default=None, kw_only=True, repr=False)
    """Runs another agent inside the call; None outside a run."""
    nested_runs: dict[str, Any] = field(default_factory=dict, kw_only=True, repr=False)
    """States of nested runs that wait for approval, by call id; a call with an entry resumes its run."""
    budget: Budget | None = field(default=None, kw_only=True, repr=False)
    """Token budget of the run, shared with nested runs."""
    on_progress: OnProgress | None = field(default=None, kw_only=True, repr=False)
    """Called with the progress of the call; None if nothing reads the events of the run."""
    journal: JournalScope | None = field(default=None, init=False, repr=False)
    """Keeps the output of the call."""
    may_have_begun: bool = field(default=False, init=False)
    """Whether the call may have begun before, in a process that died; not part of the Agents SDK."""
    failure: Exception | None = field(default=None, init=False, repr=False)
    """Failure of the call, if the model reads an error text in place of an output."""
    agent_run_result: Any = field(default=None, init=False, repr=False)
    """Result of the nested run, if the tool is an agent."""

    @property
    def qualified_tool_name(self) -> str:
        """The tool's name, prefixed with its namespace if it has one."""
        return f"{self.tool_namespace}.{self.tool_name}" if self.tool_namespace else self.tool_name

    @property
    def idempotency_key(self) -> str | None:
        """The same text whenever the call is repeated, in a batch; None elsewhere. Not part of the Agents SDK."""
        return None if self.journal is None else f"{self.journal.journal.id}/{self.journal.path.removesuffix('/')}"

    def report_progress(
        self, progress: float | None = None, total: float | None = None, message: str | None = None
    ) -> None:
        """Report how far the call is, from any thread: how much is done, of how much, and a text for the user.

        The reader of the run's events gets it as `ToolProgressed`. Without a reader, or once the call has ended, it is
        dropped; it never waits and never fails.
        """
        if self.on_progress is not None:
            self.on_progress(progress, total, message)

    def for_nested_run(self, tool_input: Any | None) -> ToolContext[TContext]:
        """Return the context of a run inside this call, with the same user object and a usage of its own."""
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
        """Return the context of a call in a run; missing values are read from the call, an object or an item.

        Raises:
            ValueError: the tool's name or arguments are neither given nor part of the call.
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
