"""The state of a conversation: the agent, the items, and the usage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agentctl._dataclass import dataclass
from agentctl.agent.events import RunFinished
from agentctl.agent.usage import Usage
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.cli.approvals.options import ApprovalOptions
from agentctl.cli.conversation_text import content_text
from agentctl.cli.prompt import is_stdin
from agentctl.cli.report import UsageError
from agentctl.cli.session_options import SessionOptions
from agentctl.launch.job import Job
from agentctl.profile.load import Loaded

from .history import TurnTranscript, partial_answer, turn_items

if TYPE_CHECKING:
    from agentctl.cli.attachments import AttachedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOptions:
    """The options of `chat`."""

    instructions: str | None
    files: tuple[str, ...]
    """The values of `--file`: attached to the first message."""
    variables: dict[str, str]
    """The variables of `--var`, by name."""
    mcp_config: tuple[Path, ...]
    """The files of `--mcp-config`."""
    is_ephemeral: bool
    """Whether the chat leaves no trace, session or input history."""
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
    files: list[AttachedFile] = field(default_factory=list)
    """Files to send with the next message."""
    usage: Usage = field(default_factory=Usage)
    turns: int = 0
    last_message: WireItem | None = None
    """The message of the last turn, which a failed turn does not leave in the conversation."""
    trace_id: str | None = None
    """The trace of the last turn; None if it was not traced."""

    def attach(self, files: Iterable[str]) -> None:
        """Attach the files of paths and URLs to the next message.

        Raises:
            UsageError: one cannot be attached, and so none is.
        """
        # 5 ms, needed only for files.
        from agentctl.cli.attachments import MB, read_attachment

        names, limit = list(files), self.loaded.settings.max_file_size * MB
        if any(map(is_stdin, names)):
            raise UsageError("a chat reads its messages from stdin; name a file or a URL")
        self.files += [read_attachment(name, limit=limit) for name in names]

    def take_message(self, prompt: str) -> WireItem:
        """Return a prompt with the attached files as an input item."""
        files, self.files = self.files, []
        if not files:
            return {"role": "user", "content": prompt}
        # 5 ms, needed only for files.
        from agentctl.cli.attachments import user_message

        return user_message(prompt, files)

    async def add_turn(self, message: WireItem, transcript: TurnTranscript, end: RunFinished) -> None:
        """Add a turn that has ended; its last agent takes the next turn."""
        added = turn_items(message, transcript, end.error)
        if self.job.session is None:
            self.items += added
        elif partial := partial_answer(transcript, end.error):
            await self.job.session.add_items([partial])
        if added and end.agent is not None:
            self.job = replace(self.job, agent=end.agent)
        self.usage.add(end.usage)
        self.turns += 1
        self.last_message = message
        self.trace_id = end.trace_id

    async def history(self) -> list[WireItem]:
        """Return the items of the conversation."""
        return list(self.items) if self.job.session is None else await self.job.session.get_items()

    async def take_back(self) -> WireItem | None:
        """Remove the last message of the user and all that followed, and return it; None if there is none."""
        items = await self.history()
        place = next((place for place in reversed(range(len(items))) if items[place].get("role") == "user"), None)
        if place is None:
            return self.last_message
        found = items[place]
        message = found if self.last_message is None else self.last_message
        if content_text(found.get("content")) != content_text(message.get("content")):
            return message
        if self.job.session is None:
            del self.items[place:]
        else:
            for _ in items[place:]:
                await self.job.session.pop_item()
        return message

    async def clear(self) -> None:
        """Clear the history, the attached files and the session."""
        self.items.clear()
        self.files.clear()
        self.last_message = None
        if self.job.session is not None:
            await self.job.session.clear_session()
