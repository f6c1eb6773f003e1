"""Rows as lines with aligned columns; the last column is wrapped to the width of the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence

from agentctl.redaction import redact
from agentctl.render.terminal_info import width_of

GAP = "  "

_NARROWEST = 20
"""The minimum width of the last column; with less, it is placed below the others."""


def terminal_width() -> int | None:
    """Return the width of the terminal on stdout; None if stdout is no terminal, and lines are not wrapped."""
    return width_of(sys.stdout.fileno(), os.environ)() if sys.stdout.isatty() else None


def align(
    rows: Sequence[Sequence[str]], max_width: int | None = None, *, mask: Callable[[str], str] = redact
) -> Iterator[str]:
    """Yield rows as aligned lines, masked, each wrapped to `max_width`."""
    redacted = [[mask(cell) for cell in row] for row in rows]
    widths = [max(map(columns, column)) for column in zip(*redacted, strict=True)]
    for row in redacted:
        yield line(row, widths[:-1], max_width)


def line(cells: Sequence[str], widths: Sequence[int], max_width: int | None) -> str:
    """Return cells as a line; `widths` are those of all columns except the last."""
    margin = "".join(
        f"{cell}{' ' * (width - columns(cell))}{GAP}" for cell, width in zip(cells[:-1], widths, strict=True)
    )
    whole = f"{margin}{cells[-1]}".rstrip()
    if max_width is None or columns(whole) <= max_width:
        return whole
    remaining = max_width - columns(margin)
    if remaining >= _NARROWEST:
        return margin + f"\n{' ' * columns(margin)}".join(fold(cells[-1], remaining))
    indent = GAP * 2
    return "\n".join((margin.rstrip(), *(f"{indent}{part}" for part in fold(cells[-1], max_width - len(indent)))))


def fold(text: str, max_width: int | None) -> list[str]:
    """Return a line wrapped to `max_width` columns, each part with its indentation.

    A longer word is not split, so that it can be copied.
    """
    if max_width is None or columns(text) <= max_width:
        return [text]
    words = text.lstrip(" ")
    indent = text[: len(text) - len(words)]
    lines, current = [], ""
    for word in words.split(" "):
        longer = f"{current} {word}" if current else f"{indent}{word}"
        if current and columns(longer) > max_width:
            lines.append(current)
            current = f"{indent}{word}"
        else:
            current = longer
    return [*lines, current]


def columns(text: str) -> int:
    """Return the width of a text on a terminal, in columns."""
    if text.isascii():
        return len(text)
    # 2 ms that plain text avoids.
    from agentctl.render.escape import columns

    return columns(text)
