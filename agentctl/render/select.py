"""Chooses the renderer of a run: by command, format, and what the streams are."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, TypeAlias

from .chunks import Renderer
from .notes import Clock, Notes
from .terminal_info import Facts

Command: TypeAlias = Literal["run", "stream"]
Format: TypeAlias = Literal["text", "json", "jsonl"]


def renderer(
    *,
    command: Command,
    format: Format,
    facts: Facts,
    quiet: bool,
    run_id: str,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], float] = time.time,
) -> Renderer:
    """Return a renderer for one run; `clock` measures its seconds, `now` dates its events."""
    notes = Notes(facts, quiet=quiet)
    if format == "json":
        # Each format is imported where it is asked for: a run in one never pays for the other.
        from .machine import JsonDocument

        return JsonDocument(run_id=run_id, notes=notes)
    if format == "jsonl":
        from .machine import JsonLines

        return JsonLines(run_id=run_id, notes=notes, now=now)
    from .text import RunText, StreamText

    return (RunText if command == "run" else StreamText)(facts, notes, Clock(clock), quiet=quiet)


def preload(facts: Facts, format: Format) -> None:
    """Import what the first shown block will need; for a thread, while the first token is waited for."""
    if format == "text" and facts.stdout_is_terminal:
        # Rich and the Markdown parser, 130 ms.
        from .markdown import MarkdownFlow

        MarkdownFlow(width=facts.width, color=facts.color_stdout).close()
