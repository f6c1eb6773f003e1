"""The renderers of `--format text`: the final output of `run`, and the live answer and progress of `stream`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from agentctl.agent.events import (
    ApprovalRequired,
    ModelRequested,
    ModelResponded,
    RawResponsesStreamEvent,
    RunEvent,
    RunFinished,
    RunItemStreamEvent,
    RunStarted,
)
from agentctl.agent.items.run_items import (
    HandoffCallItem,
    HandoffOutputItem,
    MessageOutputItem,
    ToolCallItem,
    ToolCallOutputItem,
    message_text,
)
from agentctl.agent.output import output_schema

from .chunks import REASONING, TEXT, Chunk, Err, Out
from .json_value import to_json
from .notes import Notes, RunSummary, dim
from .terminal_info import TerminalInfo
from .text_stream import EscapedStream, MessageStream, SurrogateJoiner, TextStream, VerbatimStream
from .tools import FAILED, ToolNames, approval_line, call_line, handoff_line, output_line

if TYPE_CHECKING:
    from agentctl.agent.agent import Agent

_DIFFERS = "the final text of the service differs from what it streamed"

LOG_WIDTH = 200
"""Maximum columns of a tool line when stderr is not a terminal."""


class RunText:
    """The renderer of `run`: only the live line until the end, then the final output."""

    def __init__(
        self,
        terminal: TerminalInfo,
        notes: Notes,
        summary: RunSummary,
        *,
        quiet: bool,
        gives_json: Callable[[], bool] = lambda: False,
    ) -> None:
        self._terminal = terminal
        self._notes = notes
        self._summary = summary
        self._gives_json = gives_json
        self._shows_summary = terminal.stderr_is_terminal and not quiet
        self._end: RunFinished | None = None

    def feed(self, event: RunEvent) -> list[Chunk]:
        """Return the output for an event."""
        chunks = [*self._notes.feed(event), *self._notes.failed_call(event)]
        self._summary.observe(event)
        if isinstance(event, RunFinished) and event.error is None:
            chunks.append(Out(self._output(event.final_output)))
            self._end = event
        return chunks

    def close(self) -> list[Chunk]:
        """Return the closing line, on a terminal."""
        if self._end is None or not self._shows_summary:
            return []
        line = dim(self._summary.closing_line(self._end, self._terminal.width()), self._terminal.color_stderr)
        return [Err(f"\n{line}\n" if self._terminal.stdout_is_terminal else f"{line}\n")]

    def _output(self, value: Any) -> str:
        stream = answer_stream(self._terminal, is_markdown=isinstance(value, str) and not self._gives_json())
        return stream.feed(_output_text(value, self._terminal, self._gives_json())) + stream.close()


class StreamText:
    """The renderer of `stream`: text deltas on stdout; reasoning, tool calls, outputs and handoffs on stderr.

    If `gives_json()`, stdout gets the final output as JSON, once it is checked, and no text before.
    """

    def __init__(
        self,
        terminal: TerminalInfo,
        notes: Notes,
        summary: RunSummary,
        *,
        quiet: bool,
        gives_json: Callable[[], bool] = lambda: False,
    ) -> None:
        self._gives_json = gives_json
        self._terminal = terminal
        self._notes = notes
        self._summary = summary
        self._quiet = quiet
        self._tools = ToolNames()
        self._handoffs: dict[str | None, str] = {}
        """Call id -> arguments of a requested handoff."""
        self._is_text = True
        """Whether the output of the agent is text; other outputs are shown when they are complete."""
        self._answer_text: list[str] = []
        """The text of the current response."""
        self._withheld = ""
        """The message of the current response if its agent's output is not text."""
        self._joiner = SurrogateJoiner()
        self._answer: TextStream | None = None
        self._answer_key: Any = None
        self._reasoning: TextStream | None = None
        self._reasoning_key: Any = None
        self._page = _PageLayout(shares_screen=terminal.stdout_is_terminal and terminal.stderr_is_terminal)
        self._end: RunFinished | None = None

    def feed(self, event: RunEvent) -> list[Chunk]:
        """Return the output for an event."""
        if isinstance(event, RawResponsesStreamEvent):
            return self._wire(event.wire)
        self._summary.observe(event)
        chunks = self._page.notes(self._notes.feed(event))
        match event:
            case ModelRequested(agent=agent):
                chunks += self._show_withheld()
                self._answer_text.clear()
                self._joiner = SurrogateJoiner()
                self._is_text = not self._gives_json() and _has_text_output(agent)
            case RunStarted(calls=calls):
                self._tools.remember(calls)
            case ModelResponded():
                chunks += self._end_streams()
            case RunItemStreamEvent():
                chunks += self._item(event)
            case ApprovalRequired(item=item, is_decided=False) if not self._terminal.stderr_is_terminal:
                chunks += self._note_line(approval_line(item, LOG_WIDTH))
            case RunFinished():
                chunks += self._finish(event)
            case _:
                pass
        return chunks

    def _wire(self, wire: dict[str, Any]) -> list[Chunk]:
        kind = wire.get("type")
        if kind == TEXT:
            text = self._joiner.feed(wire.get("delta") or "")
            return self._add_text(text, wire.get("item_id")) if self._is_text else []
        if kind in REASONING and not self._quiet:
            key = (wire.get("item_id"), wire.get("summary_index"), wire.get("content_index"))
            return self._add_reasoning(self._joiner.feed(wire.get("delta") or ""), key)
        return []

    def _add_text(self, text: str, key: Any) -> list[Chunk]:
        ended: list[Chunk] = []
        if self._answer is None or key != self._answer_key or self._reasoning is not None:
            ended = self._end_streams()
            self._answer = answer_stream(self._terminal, is_markdown=self._is_text)
            self._answer_key = key
            self._page.starts_message = True
        self._answer_text.append(text)
        return ended + self._answer_chunks(self._answer.feed(text))

    def _answer_chunks(self, text: str) -> list[Chunk]:
        return [*self._notes.clear_status(), *self._page.out(text)] if text else []

    def _add_reasoning(self, text: str, key: Any) -> list[Chunk]:
        ended: list[Chunk] = []
        if self._reasoning is None or key != self._reasoning_key:
            ended = self._end_streams()
            self._reasoning = reasoning_stream(self._terminal)
            self._reasoning_key = key
            self._page.starts_message = True
        text = self._reasoning.feed(text)
        return ended + ([*self._notes.clear_status(), *self._page.err(text)] if text else [])

    def _end_streams(self) -> list[Chunk]:
        chunks: list[Chunk] = []
        if self._reasoning is not None:
            chunks += self._page.err(self._reasoning.close())
            self._reasoning = None
        if self._answer is not None:
            chunks += self._answer_chunks(self._answer.close())
            self._answer = None
        return chunks

    def _item(self, event: RunItemStreamEvent) -> list[Chunk]:
        width = self._terminal.width() if self._terminal.stderr_is_terminal else LOG_WIDTH
        match event.item:
            case MessageOutputItem() if self._gives_json():
                return []
            case MessageOutputItem(wire=wire):
                return self._add_message(message_text(wire))
            case ToolCallItem() as item:
                return self._note_line(call_line(self._tools.call_name(item), item, width))
            case ToolCallOutputItem() as item:
                return self._note_line(output_line(self._tools.output_name(item), item, width))
            case HandoffCallItem(wire=wire) as item:
                self._tools.call_name(item)
                self._handoffs[item.call_id] = str(wire.get("arguments") or "")
                return []
            case HandoffOutputItem() as item:
                return self._note_line(handoff_line(self._handoffs.get(item.call_id, ""), item, width))
            case _:
                return []

    def _add_message(self, text: str) -> list[Chunk]:
        """Show what the deltas of a complete message did not; nothing of it is shown twice."""
        if not self._is_text:
            self._withheld = text
            return []
        streamed = "".join(self._answer_text)
        if text in streamed:
            return []
        if not streamed:
            return self._add_text(text, None) + self._end_streams()
        if text.startswith(streamed):
            return self._add_text(text.removeprefix(streamed), self._answer_key) + self._end_streams()
        return self._end_streams() + self._page.notes(self._notes.note(_DIFFERS))

    def _show_withheld(self) -> list[Chunk]:
        """Show a message that turned out not to be the final output."""
        text, self._withheld = self._withheld, ""
        return self._add_text(text, None) + self._end_streams() if text else []

    def _note_line(self, line: str) -> list[Chunk]:
        if self._quiet:
            return []
        text = dim(line, self._terminal.color_stderr and not line.startswith(FAILED))
        return self._page.err(f"{text}\n")

    def _finish(self, event: RunFinished) -> list[Chunk]:
        chunks = self._end_streams()
        if event.error is not None:
            return chunks + self._show_withheld()
        if not self._answer_text:
            # A model that does not stream, an output that is not a message, or not text.
            chunks += self._add_text(_output_text(event.final_output, self._terminal, self._gives_json()), None)
            chunks += self._end_streams()
        self._end = event
        return chunks

    def close(self) -> list[Chunk]:
        """Return the closing line, on a terminal."""
        if self._end is None or not self._terminal.stderr_is_terminal or self._quiet:
            return []
        return self._note_line(self._summary.closing_line(self._end, self._terminal.width()))


def _output_text(value: Any, terminal: TerminalInfo, is_json: bool) -> str:
    indent = 2 if terminal.stdout_is_terminal else None
    return to_json(value, indent=indent) if is_json else final_text(value, indent=indent)


class _PageLayout:
    """Tracks which stream was written last, so that stdout and stderr read as one page on a shared terminal."""

    def __init__(self, *, shares_screen: bool) -> None:
        self._shares_screen = shares_screen
        self._last: Literal["", "out", "err"] = ""
        self._has_out = False
        self.starts_message = False
        """Whether the next text begins a new message."""

    def out(self, text: str) -> list[Chunk]:
        """Return text for stdout, preceded by a blank line if it begins a new message."""
        chunks: list[Chunk] = []
        if self.starts_message:
            self.starts_message = False
            if self._last == "err" and self._shares_screen:
                chunks.append(Err("\n"))
            elif self._has_out:
                chunks.append(Out("\n"))
            self._has_out = True
        self._last = "out"
        chunks.append(Out(text))
        return chunks

    def err(self, text: str) -> list[Chunk]:
        """Return text for stderr, preceded by a blank line if it follows an answer on the same screen."""
        if not text:
            return []
        needs_gap = self._shares_screen and (self._last == "out" or (self._last == "err" and self.starts_message))
        self._last, self.starts_message = "err", False
        return [Err("\n"), Err(text)] if needs_gap else [Err(text)]

    def notes(self, chunks: list[Chunk]) -> list[Chunk]:
        """Return notes, preceded by a blank line if they follow an answer on the same screen."""
        has_note = any(isinstance(chunk, Err) for chunk in chunks)
        needs_gap = has_note and self._shares_screen and self._last == "out"
        if has_note:
            self._last = "err"
        return [Err("\n"), *chunks] if needs_gap else chunks


def answer_stream(terminal: TerminalInfo, *, is_markdown: bool) -> TextStream:
    """Return the stream for one answer: rendered Markdown, escaped text for a terminal, unchanged text for a pipe."""
    if not (terminal.is_stdout_rendered if is_markdown else terminal.stdout_is_terminal):
        return VerbatimStream()
    if not is_markdown:
        return EscapedStream()
    # Rich and the Markdown parser, 130 ms: imported only to show Markdown on a terminal.
    from .markdown import MarkdownStream

    return MarkdownStream(width=terminal.width, color=terminal.color_stdout, has_links=terminal.has_links)


def reasoning_stream(terminal: TerminalInfo) -> TextStream:
    """Return the stream for one part of the model's reasoning."""
    if not terminal.stderr_is_terminal:
        return MessageStream(VerbatimStream())
    # Rich and the Markdown parser, 130 ms: imported only to show Markdown on a terminal.
    from .markdown import MarkdownStream

    return MessageStream(MarkdownStream(width=terminal.width, color=terminal.color_stderr, base="dim"))


def final_text(value: Any, *, indent: int | None) -> str:
    """Return the final output of a run as text: strings unchanged, other values as JSON."""
    return value if isinstance(value, str) else to_json(value, indent=indent)


def _has_text_output(agent: Agent[Any]) -> bool:
    schema = output_schema(agent.output_type)
    return schema is None or schema.is_plain_text()
