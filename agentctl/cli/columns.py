"""Rows as lines whose columns begin below each other; where a terminal has no room, the last column is folded."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence

from agentctl.redaction import redact
from agentctl.render.terminal_info import width_of

GAP = "  "

_NARROWEST = 20
"""Columns that the last one needs beside the others; with fewer it goes below them."""


def room() -> int | None:
    """Return the columns of the terminal that stdout is; None where it is none, and a line may be of any length."""
    return width_of(sys.stdout.fileno(), os.environ)() if sys.stdout.isatty() else None


def aligned(rows: Sequence[Sequence[str]], room: int | None = None) -> Iterator[str]:
    """Yield rows as lines, secrets replaced; each as several where `room` is less than it needs."""
    shown = [[redact(cell) for cell in row] for row in rows]
    widths = [max(map(columns, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        yield line(row, widths[:-1], room)


def line(cells: Sequence[str], widths: Sequence[int], room: int | None) -> str:
    """Return cells as a line; `widths` are those of all columns but the last."""
    margin = "".join(
        f"{cell}{' ' * (width - columns(cell))}{GAP}" for cell, width in zip(cells[:-1], widths, strict=True)
    )
    whole = f"{margin}{cells[-1]}".rstrip()
    if room is None or columns(whole) <= room:
        return whole
    left = room - columns(margin)
    if left >= _NARROWEST:
        return margin + f"\n{' ' * columns(margin)}".join(fold(cells[-1], left))
    indent = GAP * 2
    return "\n".join((margin.rstrip(), *(f"{indent}{part}" for part in fold(cells[-1], room - len(indent)))))


def fold(text: str, room: int | None) -> list[str]:
    """Return a line as several of at most so many columns, indented as it is.

    A longer word stays whole, so that it can be copied.
    """
    if room is None or columns(text) <= room:
        return [text]
    words = text.lstrip(" ")
    indent = text[: len(text) - len(words)]
    lines, held = [], ""
    for word in words.split(" "):
        longer = f"{held} {word}" if held else f"{indent}{word}"
        if held and columns(longer) > room:
            lines.append(held)
            held = f"{indent}{word}"
        else:
            held = longer
    return [*lines, held]


def columns(text: str) -> int:
    """Return how many columns a terminal needs for a text."""
    if text.isascii():
        return len(text)
    # 2 ms that plain words save.
    from agentctl.render.escape import columns

    return columns(text)
