"""Run events: the one closed union that the loop yields, the Agents SDK's three stream events among them."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.items.views import event_view, to_wire

from .wire import WireEvent

if TYPE_CHECKING:
    from openai.types.responses import ResponseStreamEvent

    from agentctl.agent.items.run_items import ModelResponse, RunItem, ToolApprovalItem, ToolCallItem

    from .agent import Agent
    from .usage import Usage


class EventData:
    """The field `data`: holds a wire event, or the object a custom model made, and gives an `openai` object."""

    def __get__(self, event: Any, kind: type | None = None) -> ResponseStreamEvent:
        """Return the event as an `openai` object, built from the wire JSON when first touched."""
        if event is None:
            raise AttributeError("data")  # So that dataclass sees a field without a default.
        if event._data is None:
            event._data = event_view(event._wire)
        data: ResponseStreamEvent = event._data
        return data

    def __set__(self, event: Any, value: ResponseStreamEvent | WireEvent) -> None:
        """Take wire JSON, or an object, which is handed back as it came."""
        event._wire, event._data = (value, None) if isinstance(value, dict) else (None, value)


@dataclass(eq=False, repr=False)
class RawResponsesStreamEvent:
    """An event as the model's service sent it: `wire` is its JSON, `data` the `openai` object, built when touched."""

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
    """An item was added to the run."""

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
        "item_created",
    ]
    item: RunItem
    type: Literal["run_item_stream_event"] = "run_item_stream_event"


@dataclass
class AgentUpdatedStreamEvent:
    """An agent took over: the first one at the start of the run."""

    new_agent: Agent[Any]
    type: Literal["agent_updated_stream_event"] = "agent_updated_stream_event"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """The run began."""

    agent: Agent[Any]
    max_turns: int | None
    calls: list[ToolCallItem] = field(default_factory=list)
    """The tool calls of a run that goes on: outputs of theirs may yet come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequested:
    """A model call is about to be made."""

    agent: Agent[Any]
    model: str
    turn: int
    """Counted from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResponded:
    """A model call ended well."""

    response: ModelResponse
    model: str
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailChecked:
    """A guardrail has come to its verdict."""

    stage: Literal["input", "output", "tool_input", "tool_output"]
    name: str
    tripwire_triggered: bool
    """Whether it stops the run."""
    agent: Agent[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequired:
    """A tool call waits for somebody's yes; the run ends once nothing else of the turn is under way."""

    item: ToolApprovalItem


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryScheduled:
    """A model call failed and will be tried again after a wait."""

    attempt: int
    """The number of the retry to come, from 1."""
    max_retries: int
    delay: float
    """Seconds to wait."""
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Something that the user should know, and that does not stop the run."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """Something that takes its time before the answer: one line, replaced by the next."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The run ended: always the last event; `error` is None where it ended with a final output."""

    final_output: Any
    agent: Agent[Any] | None
    """The agent that had the last word; None if the run failed before there was one."""
    usage: Usage
    response_id: str | None
    session_id: str | None = None
    """The conversation in which the run is kept."""
    error: Exception | None = None
    interruptions: list[ToolApprovalItem] = field(default_factory=list)
    """The calls that wait for somebody's yes; with any, the run has neither a final output nor an error."""


Notice: TypeAlias = RetryScheduled | Warned | Progressed
"""What a model adapter may say beside the events of the response."""

StreamEvent: TypeAlias = RawResponsesStreamEvent | RunItemStreamEvent | AgentUpdatedStreamEvent
"""The events of the Agents SDK: what `RunResultStreaming.stream_events` yields."""

RunEvent: TypeAlias = (
    RawResponsesStreamEvent
    | RunItemStreamEvent
    | AgentUpdatedStreamEvent
    | RunStarted
    | ModelRequested
    | ModelResponded
    | GuardrailChecked
    | ApprovalRequired
    | RetryScheduled
    | Warned
    | Progressed
    | RunFinished
)
"""All that happens in a run, in order: what `RunResultStreaming.run_events` yields."""
