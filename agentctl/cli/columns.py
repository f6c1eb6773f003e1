"""Rows as lines with aligned columns; the last column is wrapped to the width of the terminal."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from agentctl.redaction import redact
from agentctl.render.terminal_info import width_of

GAP = "  "

_NARROWEST = 20
"""The minimum width of the last column; with less, it is placed below the others."""


def terminal_width() -> int | None:
    """Return the width of the terminal on stdout; None if stdout is no terminal, and lines are not wrapped."""
    return width_of(sys.stdout.fileno(), os.environ)() if sys.stdout.isatty() else None


def align(
    rows: Sequence[Sequence[str]],
    max_width: int | None = None,
    *,
    heading: Sequence[str] = (),
    mask: Callable[[str], str] = redact,
) -> Iterator[str]:
    """Yield rows as aligned lines, masked, each wrapped to `max_width`.

    The heading is for a terminal: it is shown if there are rows, and `max_width` has room for all columns.
    """
    cells = [[mask(cell) for cell in row] for row in rows]
    if heading and cells and max_width is not None:
        table = [[*heading], *cells]
        if sum(_widths(table)) + len(GAP) * (len(heading) - 1) <= max_width or _has_room(table, max_width):
            cells = table
    widths = _widths(cells)
    for row in cells:
        yield line(row, widths[:-1], max_width)


def local_minute(time: datetime) -> str:
    """Return a time in the time zone of this machine, to the minute."""
    return f"{time.astimezone():%Y-%m-%d %H:%M}"


def _widths(table: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(columns, column)) for column in zip(*table, strict=True)]


def _has_room(table: Sequence[Sequence[str]], max_width: int) -> bool:
    """Return whether the last column can be wrapped beside the others."""
    *others, _ = _widths(table)
    return max_width - sum(others) - len(GAP) * len(others) >= _NARROWEST


def line(cells: Sequence[str], widths: Sequence[int], max_width: int | None, *, splits_paths: bool = False) -> str:
    """Return cells as a line; `widths` are those of all columns except the last.

    Where the others leave no room for the last column, it is below them; where they have no room either, the cells
    are in lines of as many as fit.
    """
    margin = "".join(
        f"{cell}{' ' * (width - columns(cell))}{GAP}" for cell, width in zip(cells[:-1], widths, strict=True)
    )
    whole = f"{margin}{cells[-1]}".rstrip()
    if max_width is None or columns(whole) <= max_width:
        return whole
    remaining = max_width - columns(margin)
    if remaining >= _NARROWEST:
        lines = fold(cells[-1], remaining, splits_paths=splits_paths)
        return margin + f"\n{' ' * columns(margin)}".join(lines)
    return "\n".join(_stack(cells, max_width))


def _stack(cells: Sequence[str], max_width: int) -> list[str]:
    """Return lines of as many cells as fit, those after the first indented."""
    lines, indent = [cells[0]], GAP * 2
    for cell in filter(None, cells[1:]):
        longer = f"{lines[-1]}{GAP}{cell}"
        if columns(longer) <= max_width and cell is not cells[-1]:
            lines[-1] = longer
        else:
            lines += [f"{indent}{part}" for part in fold(cell, max_width - len(indent))]
    return lines


def fold(text: str, max_width: int | None, *, splits_paths: bool = False) -> list[str]:
    """Return a line wrapped to `max_width` columns, each part with its indentation.

    A longer word is not split, so that it can be copied; with `splits_paths`, it may be split after a slash.
    """
    if max_width is None or columns(text) <= max_width:
        return [text]
    words = text.lstrip(" ")
    indent = text[: len(text) - len(words)]
    lines, current = [], ""
    for glue, piece in _pieces(words, max_width if splits_paths else None):
        longer = f"{current}{glue}{piece}" if current else f"{indent}{piece}"
        if current and columns(longer) > max_width:
            lines.append(current)
            current = f"{indent}{piece}"
        else:
            current = longer
    return [*lines, current]


def _pieces(words: str, longest: int | None) -> Iterator[tuple[str, str]]:
    """Yield the pieces between which a line may be broken, each with the text that joins it to the one before."""
    for word in words.split(" "):
        parts = [word] if longest is None or columns(word) <= longest else re.findall(r"[^/]*/|[^/]+", word)
        yield from (("" if index else " ", part) for index, part in enumerate(parts))


def columns(text: str) -> int:
    """Return the width of a text on a terminal, in columns."""
    if text.isascii():
        return len(text)
    # 2 ms that plain text avoids.
    from agentctl.render.escape import columns

    return columns(text)
