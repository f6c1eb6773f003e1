"""`--format text`: the final output of `run`, and the answer of `stream` as it comes with what happens beside it."""

from __future__ import annotations

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
from .notes import Clock, Notes, dim
from .terminal_info import Facts
from .text_stream import Escaped, Flow, Verbatim
from .tools import FAILED, ToolNames, call_line, handoff_line, output_line, waiting_line

if TYPE_CHECKING:
    from agentctl.agent.agent import Agent

LOG_WIDTH = 200
"""Where a tool line is cut when stderr is no terminal."""


class RunText:
    """`run`: nothing but the live line until the end, then the final output."""

    def __init__(self, facts: Facts, notes: Notes, clock: Clock, *, quiet: bool) -> None:
        self._facts = facts
        self._notes = notes
        self._clock = clock
        self._closes = facts.stderr_is_terminal and not quiet

    def feed(self, event: RunEvent) -> list[Chunk]:
        """Return what the event shows."""
        chunks = self._notes.feed(event)
        self._clock.see(event)
        if isinstance(event, RunFinished) and event.error is None:
            chunks.append(Out(self._output(event.final_output)))
            if self._closes:
                chunks.append(Err(_closing(event, self._clock, self._facts, blank=self._facts.stdout_is_terminal)))
        return chunks

    def _output(self, value: Any) -> str:
        flow = answer_flow(self._facts, is_markdown=isinstance(value, str))
        text = final_text(value, indent=2 if self._facts.stdout_is_terminal else None)
        return flow.feed(text) + flow.close()


class StreamText:
    """`stream`: text as it comes on stdout; reasoning, tool calls, their outputs and handoffs on stderr."""

    def __init__(self, facts: Facts, notes: Notes, clock: Clock, *, quiet: bool) -> None:
        self._facts = facts
        self._notes = notes
        self._clock = clock
        self._quiet = quiet
        self._tools = ToolNames()
        self._handoffs: dict[str | None, str] = {}
        """The arguments of the handoffs that were asked for, by their call."""
        self._is_markdown = True
        self._said: list[str] = []
        """The text of the response at hand."""
        self._answer: Flow | None = None
        self._answer_key: Any = None
        self._thoughts: Flow | None = None
        self._thoughts_key: Any = None
        self._page = _Page(shares_screen=facts.stdout_is_terminal and facts.stderr_is_terminal)

    def feed(self, event: RunEvent) -> list[Chunk]:
        """Return what the event shows."""
        if isinstance(event, RawResponsesStreamEvent):
            return self._wire(event.wire)
        self._clock.see(event)
        chunks = self._page.notes(self._notes.feed(event))
        match event:
            case ModelRequested(agent=agent):
                self._said.clear()
                self._is_markdown = _answers_in_text(agent)
            case RunStarted(calls=calls):
                self._tools.know(calls)
            case ModelResponded():
                chunks += self._end_flows()
            case RunItemStreamEvent():
                chunks += self._item(event)
            case ApprovalRequired(item=item) if not self._facts.stderr_is_terminal:
                chunks += self._aside(waiting_line(item, LOG_WIDTH))
            case RunFinished():
                chunks += self._finish(event)
            case _:
                pass
        return chunks

    def _wire(self, wire: dict[str, Any]) -> list[Chunk]:
        kind = wire.get("type")
        if kind == TEXT:
            return self._say(wire.get("delta") or "", wire.get("item_id"))
        if kind in REASONING and not self._quiet:
            key = (wire.get("item_id"), wire.get("summary_index"), wire.get("content_index"))
            return self._think(wire.get("delta") or "", key)
        return []

    def _say(self, text: str, key: Any) -> list[Chunk]:
        ended: list[Chunk] = []
        if self._answer is None or key != self._answer_key or self._thoughts is not None:
            ended = self._end_flows()
            self._answer = answer_flow(self._facts, is_markdown=self._is_markdown)
            self._answer_key = key
            self._page.opens = True
        self._said.append(text)
        return ended + self._shown(self._answer.feed(text))

    def _shown(self, text: str) -> list[Chunk]:
        return [*self._notes.answered(), *self._page.out(text)] if text else []

    def _think(self, text: str, key: Any) -> list[Chunk]:
        ended: list[Chunk] = []
        if self._thoughts is None or key != self._thoughts_key:
            ended = self._end_flows()
            self._thoughts = thought_flow(self._facts)
            self._thoughts_key = key
            self._page.opens = True
        text = self._thoughts.feed(text)
        return ended + ([*self._notes.answered(), *self._page.err(text)] if text else [])

    def _end_flows(self) -> list[Chunk]:
        chunks: list[Chunk] = []
        if self._thoughts is not None:
            chunks += self._page.err(self._thoughts.close())
            self._thoughts = None
        if self._answer is not None:
            chunks += self._shown(self._answer.close())
            self._answer = None
        return chunks

    def _item(self, event: RunItemStreamEvent) -> list[Chunk]:
        width = self._facts.width() if self._facts.stderr_is_terminal else LOG_WIDTH
        match event.item:
            case MessageOutputItem(wire=wire):
                text = message_text(wire)
                if text in "".join(self._said):
                    return []
                return self._say(text, None) + self._end_flows()
            case ToolCallItem() as item:
                return self._aside(call_line(self._tools.of_call(item), item, width))
            case ToolCallOutputItem() as item:
                return self._aside(output_line(self._tools.of_output(item), item, width))
            case HandoffCallItem(wire=wire) as item:
                self._tools.of_call(item)
                self._handoffs[item.call_id] = str(wire.get("arguments") or "")
                return []
            case HandoffOutputItem() as item:
                return self._aside(handoff_line(self._handoffs.get(item.call_id, ""), item, width))
            case _:
                return []

    def _aside(self, line: str) -> list[Chunk]:
        if self._quiet:
            return []
        shown = dim(line, self._facts.color_stderr and not line.startswith(FAILED))
        return self._page.err(f"{shown}\n")

    def _finish(self, event: RunFinished) -> list[Chunk]:
        chunks = self._end_flows()
        if event.error is not None:
            return chunks
        if not self._said:
            # A model that does not stream, or an output that is no message.
            chunks += self._say(final_text(event.final_output, indent=None), None) + self._end_flows()
        if self._facts.stderr_is_terminal and not self._quiet:
            chunks += self._aside(self._clock.closing_line(event, self._facts.width()))
        return chunks


class _Page:
    """Knows what was shown last, so that the two streams read as one page where a terminal shows both."""

    def __init__(self, *, shares_screen: bool) -> None:
        self._shares_screen = shares_screen
        self._last: Literal["", "out", "err"] = ""
        self._has_out = False
        self.opens = False
        """Whether the next text begins a new message."""

    def out(self, text: str) -> list[Chunk]:
        """Return text for stdout, after a blank line where it begins a new message."""
        chunks: list[Chunk] = []
        if self.opens:
            self.opens = False
            if self._last == "err" and self._shares_screen:
                chunks.append(Err("\n"))
            elif self._has_out:
                chunks.append(Out("\n"))
            self._has_out = True
        self._last = "out"
        chunks.append(Out(text))
        return chunks

    def err(self, text: str) -> list[Chunk]:
        """Return text for stderr, after a blank line where it follows an answer on the same screen."""
        if not text:
            return []
        parted = self._shares_screen and (self._last == "out" or (self._last == "err" and self.opens))
        self._last, self.opens = "err", False
        return [Err("\n"), Err(text)] if parted else [Err(text)]

    def notes(self, chunks: list[Chunk]) -> list[Chunk]:
        """Return notes, after a blank line where they follow an answer on the same screen."""
        is_said = any(isinstance(chunk, Err) for chunk in chunks)
        parted = is_said and self._shares_screen and self._last == "out"
        if is_said:
            self._last = "err"
        return [Err("\n"), *chunks] if parted else chunks


def answer_flow(facts: Facts, *, is_markdown: bool) -> Flow:
    """Return the flow for the text of one answer: as it is in a pipe, rendered or at least safe on a terminal."""
    if not facts.stdout_is_terminal:
        return Verbatim()
    if not is_markdown:
        return Escaped()
    # Rich and the Markdown parser, 130 ms: imported where a terminal shows Markdown.
    from .markdown import MarkdownFlow

    return MarkdownFlow(width=facts.width, color=facts.color_stdout)


def thought_flow(facts: Facts) -> Flow:
    """Return the flow for one summary of the model's reasoning."""
    if not facts.stderr_is_terminal:
        return Verbatim()
    # Rich and the Markdown parser, 130 ms: imported where a terminal shows Markdown.
    from .markdown import MarkdownFlow

    return MarkdownFlow(width=facts.width, color=facts.color_stderr, base="dim")


def final_text(value: Any, *, indent: int | None) -> str:
    """Return the final output of a run as text: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else to_json(value, indent=indent)


def _answers_in_text(agent: Agent[Any]) -> bool:
    schema = output_schema(agent.output_type)
    return schema is None or schema.is_plain_text()


def _closing(event: RunFinished, clock: Clock, facts: Facts, *, blank: bool) -> str:
    line = dim(clock.closing_line(event, facts.width()), facts.color_stderr)
    return f"\n{line}\n" if blank else f"{line}\n"
