"""Run events: the closed union that the loop yields, including the Agents SDK's three stream events."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.items.views import event_view, is_wire, to_wire

from .wire import WireEvent

if TYPE_CHECKING:
    from openai.types.responses import ResponseStreamEvent

    from agentctl.agent.items.run_items import ModelResponse, RunItem, ToolApprovalItem, ToolCallItem

    from .agent import Agent
    from .usage import Usage


class EventData:
    """Descriptor of the field `data`: stores a wire event or a custom model's object, returns an `openai` object."""

    def __get__(self, event: Any, kind: type | None = None) -> ResponseStreamEvent:
        """Return the event as an `openai` object, built from the wire JSON on first access."""
        if event is None:
            raise AttributeError("data")  # So that dataclass sees a field without a default.
        if event._data is None:
            event._data = event_view(event._wire)
        data: ResponseStreamEvent = event._data
        return data

    def __set__(self, event: Any, value: ResponseStreamEvent | WireEvent) -> None:
        """Store wire JSON, or an object, which is returned unchanged."""
        event._wire, event._data = (value, None) if is_wire(value) else (None, value)


@dataclass(eq=False, repr=False)
class RawResponsesStreamEvent:
    """An event as the model's service sent it: `wire` is its JSON, `data` the `openai` object, built on access."""

    data: EventData = EventData()  # a descriptor, not a shared default
    type: Literal["raw_response_event"] = "raw_response_event"

    _wire: ClassVar[WireEvent | None]
    _data: ClassVar[Any]

    @property
    def wire(self) -> WireEvent:
        """The event as JSON."""
        wire: WireEvent = to_wire(self._data) if self._wire is None else self._wire
        return wire

    def __eq__(self, other: object) -> bool:
        return self.wire == other.wire if isinstance(other, RawResponsesStreamEvent) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as any dataclass with a mutable field

    def __repr__(self) -> str:
        return f"RawResponsesStreamEvent(data={self.wire!r}, type={self.type!r})"

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ if self._wire is None else self.__dict__ | {"_data": None}


@dataclass
class RunItemStreamEvent:
    """A new item of the run."""

    name: Literal[
        "message_output_created",
        "handoff_requested",
        "handoff_occured",
        "tool_called",
        "tool_output",
        "reasoning_item_created",
        "mcp_approval_requested",
        "mcp_approval_response",
        "mcp_list_tools",
        "tool_search_called",
        "tool_search_output_created",
        "item_created",
    ]
    item: RunItem
    type: Literal["run_item_stream_event"] = "run_item_stream_event"


@dataclass
class AgentUpdatedStreamEvent:
    """A change of the current agent, also to the first one at the start of the run."""

    new_agent: Agent[Any]
    type: Literal["agent_updated_stream_event"] = "agent_updated_stream_event"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """Start of the run."""

    agent: Agent[Any]
    max_turns: int | None
    calls: list[ToolCallItem] = field(default_factory=list)
    """Tool calls of a resumed run, whose outputs may follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequested:
    """A model call that is about to start."""

    agent: Agent[Any]
    model: str
    turn: int
    """Counted from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResponded:
    """A model call that succeeded."""

    response: ModelResponse
    agent: Agent[Any]
    model: str
    turn: int
    usage: Usage
    """The usage of this call, with what its price depends on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted:
    """A tool call that begins to run, after it was approved if it needs that; only in a streamed run."""

    agent: Agent[Any]
    tool: str
    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolProgressed:
    """Progress of a running tool call, as the tool or its MCP server reports it."""

    agent: Agent[Any]
    tool: str
    call_id: str
    progress: float | None
    """How much is done; it grows from report to report."""
    total: float | None
    """How much there is to do; None if that is not known."""
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinished:
    """A tool call that has run; its output follows once all calls of the turn have."""

    agent: Agent[Any]
    tool: str
    call_id: str
    failed: bool
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailChecked:
    """The result of a guardrail."""

    stage: Literal["input", "output", "tool_input", "tool_output"]
    name: str
    tripwire_triggered: bool
    """Whether the guardrail stops the run."""
    agent: Agent[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequired:
    """A tool call that waits for approval; the run ends once the other calls of the turn have finished."""

    item: ToolApprovalItem
    is_decided: bool = False
    """Whether a rule of the command line already decides about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryScheduled:
    """A failed model call that is retried after a delay."""

    attempt: int
    """Number of the next retry, counted from 1."""
    max_retries: int
    delay: float
    """Delay in seconds."""
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """A warning for the user; the run continues."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """Progress of a slow step before the answer: one line, replaced by the next."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """End of the run, always the last event; `error` is None if it ended with a final output."""

    final_output: Any
    agent: Agent[Any] | None
    """The last agent; None if the run failed before it had one."""
    usage: Usage
    response_id: str | None
    session_id: str | None = None
    """Session that the run is saved in."""
    trace_id: str | None = None
    """Trace that the run is recorded in."""
    error: Exception | None = None
    interruptions: list[ToolApprovalItem] = field(default_factory=list)
    """Calls that wait for approval; if there are any, the run has neither a final output nor an error."""


Notice: TypeAlias = RetryScheduled | Warned | Progressed
"""A notice of a model adapter among the events of the response."""

StreamEvent: TypeAlias = RawResponsesStreamEvent | RunItemStreamEvent | AgentUpdatedStreamEvent
"""An event of the Agents SDK, as yielded by `RunResultStreaming.stream_events`."""

RunEvent: TypeAlias = (
    RawResponsesStreamEvent
    | RunItemStreamEvent
    | AgentUpdatedStreamEvent
    | RunStarted
    | ModelRequested
    | ModelResponded
    | ToolStarted
    | ToolProgressed
    | ToolFinished
    | GuardrailChecked
    | ApprovalRequired
    | RetryScheduled
    | Warned
    | Progressed
    | RunFinished
)
"""An event of a run, as yielded by `RunResultStreaming.run_events`."""
