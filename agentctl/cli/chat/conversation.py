"""The state of a conversation: the agent, the items, and the usage."""

from __future__ import annotations

from dataclasses import field, replace

from agentctl._dataclass import dataclass
from agentctl.agent.events import RunFinished
from agentctl.agent.usage import Usage
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.cli.approvals.options import ApprovalOptions
from agentctl.cli.session_options import SessionOptions
from agentctl.launch.job import Job
from agentctl.profile.load import Loaded

from .history import TurnTranscript, partial_answer, turn_items


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOptions:
    """The options of `chat`."""

    instructions: str | None
    """A text, or `@FILE`."""
    flags: dict[str, JSONValue]
    """Settings by dotted key."""
    session: SessionOptions
    approvals: ApprovalOptions
    quiet: bool
    verbose: bool


@dataclass(slots=True, kw_only=True)
class ChatState:
    """The state carried from one turn to the next."""

    loaded: Loaded
    job: Job
    """The job of which every turn is a run."""
    items: list[WireItem] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    turns: int = 0
    trace_id: str | None = None
    """The trace of the last turn; None if it was not traced."""

    async def add_turn(self, prompt: str, transcript: TurnTranscript, end: RunFinished) -> None:
        """Add a turn that has ended; its last agent takes the next turn."""
        added = turn_items(prompt, transcript, end.error)
        if self.job.session is None:
            self.items += added
        elif partial := partial_answer(transcript, end.error):
            await self.job.session.add_items([partial])
        if added and end.agent is not None:
            self.job = replace(self.job, agent=end.agent)
        self.usage.add(end.usage)
        self.turns += 1
        self.trace_id = end.trace_id

    async def clear(self) -> None:
        """Clear the history and the session."""
        self.items.clear()
        if self.job.session is not None:
            await self.job.session.clear_session()
