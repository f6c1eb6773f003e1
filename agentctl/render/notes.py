"""Notes on stderr, the same for every format: status, retries, warnings and progress."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from agentctl.agent.events import (
    ApprovalRequired,
    ModelRequested,
    Progressed,
    RawResponsesStreamEvent,
    RetryScheduled,
    RunEvent,
    RunFinished,
    RunItemStreamEvent,
    RunStarted,
    ToolFinished,
    ToolProgressed,
    Warned,
)
from agentctl.agent.items.run_items import ToolCallItem, ToolCallOutputItem
from agentctl.redaction import redact

from .chunks import Chunk, Err, Status
from .escape import one_line, shorten
from .terminal_info import TerminalInfo
from .tools import FAILED, ToolNames, failed_output, output_line, shell_commands

FAILURE_WIDTH = 200
"""Maximum columns of the note on a failed tool call."""

if TYPE_CHECKING:
    from agentctl.agent.usage import Usage
    from agentctl.prices.cost import Cost

CostOf: TypeAlias = "Callable[[Usage], Cost]"
"""Returns the cost of a run."""

_NUMBER = re.compile(r"\d+")
_LOCAL_CALLS = frozenset({"function_call", "shell_call", "local_shell_call", "apply_patch_call"})


class Notes:
    """Turns the events of a run into notes and the live line; `quiet` disables both."""

    def __init__(self, terminal: TerminalInfo, *, quiet: bool) -> None:
        self._terminal = terminal
        self._quiet = quiet
        self._model = ""
        self._tools = ToolNames()
        self._running: dict[str, str] = {}
        self._has_status = False
        self._last_progress = ""

    def feed(self, event: RunEvent) -> list[Chunk]:
        """Return the notes for an event; the caller may extend the list."""
        if self._quiet or isinstance(event, RawResponsesStreamEvent):
            return []
        match event:
            case ModelRequested(model=model):
                self._model = model
                return self._status(f"waiting for {model}")
            case RunItemStreamEvent(item=ToolCallItem() as item) if item.wire.get("type") in _LOCAL_CALLS:
                name = self._tools.call_name(item)
                self._running[item.call_id or ""] = "; ".join(shell_commands(item.wire)) or name
                return self._tool_status()
            case RunItemStreamEvent(item=ToolCallOutputItem() as item):
                self._running.pop(item.call_id or "", None)
                return self._tool_status()
            case ToolProgressed(tool=tool):
                return self._status(f"running {tool}: {_progress_text(event)}")
            case ToolFinished(call_id=call_id):
                self._running.pop(call_id, None)
                return self._tool_status()
            case ApprovalRequired(item=item):
                self._running.pop(item.call_id or "", None)
                return self._tool_status()
            case RetryScheduled():
                return [*self.note(_retry_text(event)), *self._status(f"waiting for {self._model}")]
            case Warned(message=message):
                return self.note(message)
            case Progressed(message=message):
                return self._progress(message)
            case RunFinished():
                return self.clear_status()
            case _:
                return []

    def failed_call(self, event: RunEvent) -> list[Chunk]:
        """Return the note on a failed tool call, none for another event.

        A denied call is noted only in a log: on a terminal the user has just denied it.
        """
        item = failed_output(event)
        if self._quiet or item is None or (item.denied and self._terminal.stderr_is_terminal):
            return []
        line = output_line(self._tools.output_name(item), item, FAILURE_WIDTH).removeprefix(FAILED).strip()
        return self.note(f"a tool call {'was denied' if item.denied else 'failed'}: {line}")

    def clear_status(self) -> list[Chunk]:
        """Return the chunk that removes the live line, if it is shown."""
        if not self._has_status:
            return []
        self._has_status = False
        return [Status(None)]

    def _tool_status(self) -> list[Chunk]:
        return self._status(f"running {', '.join(self._running.values())}") if self._running else self.clear_status()

    def _status(self, text: str) -> list[Chunk]:
        if not self._terminal.live:
            return []
        self._has_status = True
        return [Status(one_line(text))]

    def _progress(self, message: str) -> list[Chunk]:
        if self._terminal.live:
            return self._status(message)
        # A log gets each kind of progress once: "12 of 90 MB" and "13 of 90 MB" differ only in their numbers.
        kind = _NUMBER.sub("", message)
        if kind == self._last_progress:
            return []
        self._last_progress = kind
        return self.note(message)

    def note(self, text: str) -> list[Chunk]:
        """Return a note, nothing if notes are disabled."""
        if self._quiet:
            return []
        line = f"note: {one_line(text)}"
        if self._terminal.stderr_is_terminal and len(line) > (width := self._terminal.width()):
            import textwrap  # 2 ms, only for a note that is wrapped.

            line = "\n".join(textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False))
        return [Err(f"{dim('note:', self._terminal.color_stderr)}{line.removeprefix('note:')}\n")]


def dim(text: str, color: bool) -> str:
    """Return text dimmed if `color`."""
    return f"\x1b[2m{text}\x1b[0m" if color else text


class RunSummary:
    """Builds the closing line of a run: model, tokens, cost, seconds."""

    def __init__(self, clock: Callable[[], float], cost_of: CostOf, *, names_trace: bool) -> None:
        self._clock = clock
        self._cost_of = cost_of
        self._names_trace = names_trace
        self._started = clock()
        self._seconds = 0.0
        self._model = ""

    def observe(self, event: RunEvent) -> None:
        """Record the model, and how long the run takes."""
        if isinstance(event, RunStarted):
            self._started = self._clock()
        elif isinstance(event, ModelRequested):
            self._model = event.model
        elif isinstance(event, RunFinished):
            self._seconds = self._clock() - self._started

    def closing_line(self, event: RunFinished, width: int) -> str:
        """Return a line such as `gpt-5-mini · 1,200 in (1,024 cached), 48 out (16 reasoning) · $0.0021 · 1.3 s`.

        A cost that is not known is left out. The price may have to be looked up, so call this once the answer is shown.
        """
        usage = event.usage
        cached, reasoning = usage.input_tokens_details.cached_tokens, usage.output_tokens_details.reasoning_tokens
        cost = self._cost_of(usage).usd
        tokens_in = f"{usage.input_tokens:,} in{f' ({cached:,} cached)' if cached else ''}"
        tokens_out = f"{usage.output_tokens:,} out{f' ({reasoning:,} reasoning)' if reasoning else ''}"
        parts = [
            *([self._model] if self._model else []),
            f"{tokens_in}, {tokens_out}",
            *([] if cost is None else [format_usd(cost)]),
            f"{self._seconds:.1f} s",
            *([event.trace_id] if event.trace_id and self._names_trace else []),
        ]
        return shorten(one_line(redact(" · ".join(parts))), width)


def format_usd(amount: float) -> str:
    """Return an amount of money: cents, or below ten cents two significant digits."""
    if amount == 0 or amount >= 0.1:
        return f"${amount:,.2f}"
    digits = 1 - math.floor(math.log10(amount))
    return f"${amount:.{digits}f}" if digits <= 8 else "<$0.00000001"


def _progress_text(event: ToolProgressed) -> str:
    """Return the progress of a tool call, such as `copying files (12 of 40)`."""
    of = "" if event.total is None else f" of {event.total:g}"
    done = "" if event.progress is None else f"{event.progress:g}{of}"
    text = redact(event.message or "")
    return f"{text} ({done})" if text and done else text or done


def _retry_text(event: RetryScheduled) -> str:
    attempt = f"{event.attempt} of {event.max_retries}"
    return f"{str(event.error) or type(event.error).__name__}; retrying in {event.delay:.3g} s ({attempt})"
