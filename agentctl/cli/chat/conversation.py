"""The conversation itself: who answers, what was said, what it has used."""

from __future__ import annotations

from dataclasses import field, replace

from agentctl._dataclass import dataclass
from agentctl.agent.events import RunFinished
from agentctl.agent.usage import Usage
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.cli.approvals.options import Wishes
from agentctl.cli.session_options import Wanted
from agentctl.launch.job import Job
from agentctl.profile.load import Loaded

from .history import Heard, beginning, remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the command line asks for."""

    instructions: str | None
    """A text, or `@FILE`."""
    flags: dict[str, JSONValue]
    """Settings by dotted key."""
    session: Wanted
    approvals: Wishes
    quiet: bool
    verbose: bool


@dataclass(slots=True, kw_only=True)
class Conversation:
    """What one turn leaves for the next."""

    loaded: Loaded
    job: Job
    """What every turn is a run of."""
    items: list[WireItem] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    turns: int = 0

    async def remember(self, prompt: str, heard: Heard, end: RunFinished) -> None:
        """Take in a turn that has ended; the agent that had the last word has the next one."""
        added = remembered(prompt, heard, end.error)
        if self.job.session is None:
            self.items += added
        elif said := beginning(heard, end.error):
            await self.job.session.add_items([said])
        if added and end.agent is not None:
            self.job = replace(self.job, agent=end.agent)
        self.usage.add(end.usage)
        self.turns += 1

    async def forget(self) -> None:
        """Begin anew."""
        self.items.clear()
        if self.job.session is not None:
            await self.job.session.clear_session()
