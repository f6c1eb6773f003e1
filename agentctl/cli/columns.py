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
"""The minimum width of a wrapped last column; with less, the columns do not fit."""


def terminal_width() -> int | None:
    """Return the width of the terminal on stdout; None if stdout is no terminal, and lines are not wrapped."""
    return width_of(sys.stdout.fileno(), os.environ)() if sys.stdout.isatty() else None


def stderr_width() -> int | None:
    """Return the width of the terminal on stderr; None if stderr is no terminal."""
    return width_of(2, os.environ)() if os.isatty(2) else None


def align(
    rows: Sequence[Sequence[str]],
    max_width: int | None = None,
    *,
    heading: Sequence[str] = (),
    mask: Callable[[str], str] = redact,
) -> Iterator[str]:
    """Yield rows as aligned lines, masked, each wrapped to `max_width`.

    The heading is for a terminal: it is shown if there are rows, and room for all columns.
    """
    cells = [[mask(cell) for cell in row] for row in rows]
    table = [[*heading], *cells] if heading and cells and max_width is not None else cells
    widths = _widths(table)
    for row in table if has_room(widths, max_width) else cells:
        yield line(row, widths[:-1], max_width)


def local_minute(time: datetime) -> str:
    """Return a time in the time zone of this machine, to the minute."""
    return f"{time.astimezone():%Y-%m-%d %H:%M}"


def _widths(table: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(columns, column)) for column in zip(*table, strict=True)]


def has_room(widths: Sequence[int], max_width: int | None) -> bool:
    """Return whether columns fit, the last one wrapped if need be."""
    *others, last = widths
    return max_width is None or max_width - sum(others) - len(GAP) * len(others) >= min(last, _NARROWEST)


def line(
    cells: Sequence[str],
    widths: Sequence[int],
    max_width: int | None,
    *,
    stacks: bool = False,
    splits_paths: bool = False,
) -> str:
    """Return cells as a line; `widths` are those of all columns except the last.

    A row that does not fit, the last cell wrapped if need be, is not aligned but in lines of as many cells as fit; with
    `stacks`, every row is, unless it fits by itself.
    """
    if stacks and max_width is not None:
        return "\n".join(_stack(cells, max_width, splits_paths=splits_paths))
    margin = "".join(
        f"{cell}{' ' * (width - columns(cell))}{GAP}" for cell, width in zip(cells[:-1], widths, strict=True)
    )
    whole = f"{margin}{cells[-1]}".rstrip()
    if max_width is None or columns(whole) <= max_width:
        return whole
    remaining = max_width - columns(margin)
    if remaining < _NARROWEST:
        return "\n".join(_stack(cells, max_width, splits_paths=splits_paths))
    lines = fold(cells[-1], remaining, splits_paths=splits_paths)
    return margin + f"\n{' ' * columns(margin)}".join(lines)


def _stack(cells: Sequence[str], max_width: int, *, splits_paths: bool) -> list[str]:
    """Return lines of as many cells as fit, those after the first indented."""
    lines, indent = [cells[0]], GAP * 2
    for cell in filter(None, cells[1:]):
        longer = f"{lines[-1]}{GAP}{cell}"
        if columns(longer) <= max_width:
            lines[-1] = longer
        else:
            lines += [f"{indent}{part}" for part in fold(cell, max_width - len(indent), splits_paths=splits_paths)]
    return lines


def fold_text(text: str, max_width: int | None) -> str:
    """Return a text with its lines wrapped to `max_width`; indented lines, such as commands to copy, are kept."""
    lines = text.split("\n")
    return "\n".join(part for line in lines for part in ([line] if line.startswith(GAP) else fold(line, max_width)))


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
