"""Selection of the renderer of a run by command, format and terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, TypeAlias

from .chunks import Renderer
from .notes import CostOf, Notes, RunSummary
from .terminal_info import TerminalInfo

Command: TypeAlias = Literal["run", "stream"]
Format: TypeAlias = Literal["text", "json", "jsonl"]


def renderer(
    *,
    command: Command,
    format: Format,
    terminal: TerminalInfo,
    quiet: bool,
    run_id: str,
    cost_of: CostOf,
    verbose: bool,
    gives_json: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], float] = time.time,
) -> Renderer:
    """Return a renderer for one run.

    `clock` measures its duration, `now` timestamps its events, and `cost_of` prices its usage. `gives_json` is asked
    once the run has begun whether stdout gets the final output as JSON and nothing else. `verbose` names the trace in
    the line that closes a run.
    """
    notes = Notes(terminal, quiet=quiet)
    if format == "json":
        # Each format is imported on demand, so that a run loads only its own.
        from .machine import JsonDocument

        return JsonDocument(run_id=run_id, notes=notes, cost_of=cost_of)
    if format == "jsonl":
        from .machine import JsonLines

        return JsonLines(run_id=run_id, notes=notes, now=now, cost_of=cost_of)
    from .text import RunText, StreamText

    kind = RunText if command == "run" else StreamText
    summary = RunSummary(clock, cost_of, names_trace=verbose)
    return kind(terminal, notes, summary, quiet=quiet, gives_json=gives_json)


def preload(terminal: TerminalInfo, format: Format) -> None:
    """Import what the first rendered block needs; called in a thread while waiting for the first token."""
    if format == "text" and terminal.is_stdout_rendered:
        # Rich and the Markdown parser, 130 ms.
        from .markdown import MarkdownStream

        MarkdownStream(width=terminal.width, color=terminal.color_stdout).close()
