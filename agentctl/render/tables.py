"""Tables for a terminal: columns where they fit, and otherwise each row as a block of `header: value` lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from rich.cells import cell_len
from rich.text import Text

from .theme import Painter

GAP = "   "
RULE = "─"

_NARROWEST = 6
"""Columns that a wrapped cell needs, unless its words are shorter."""

Alignment: TypeAlias = Literal["left", "center", "right"]


def table_lines(
    header: Sequence[Text],
    rows: Sequence[Sequence[Text]],
    alignments: Sequence[Alignment],
    painter: Painter,
    width: int,
) -> list[str]:
    """Return the lines of a table, in which every cell is shown whole."""
    table = [header, *rows]
    natural = [max(_width(cell) for cell in column) for column in zip(*table, strict=True)]
    words = [max(_longest_word(cell) for cell in column) for column in zip(*table, strict=True)]
    widths = _fit(natural, words, width - len(GAP) * (len(natural) - 1))
    if widths is None:
        return _blocks(header, rows, painter, width)
    rule = painter.mark(RULE * (sum(widths) + len(GAP) * (len(widths) - 1)), "border")
    lines = [*_row(header, widths, alignments, painter), rule]
    for row in rows:
        lines += _row(row, widths, alignments, painter)
    return lines


def _fit(natural: list[int], words: list[int], room: int) -> list[int] | None:
    """Return widths for columns that fit into the room, wrapping the widest; None if some word would not fit."""
    if sum(natural) <= room:
        return natural
    least = [min(wide, max(word, _NARROWEST)) for wide, word in zip(natural, words, strict=True)]
    if sum(least) > room:
        return None
    # The widest columns give way: each gets at most `limit`, and no less than its words need.
    low, high = 1, max(natural)
    while low < high:
        limit = (low + high + 1) // 2
        if sum(_limit_widths(natural, least, limit)) <= room:
            low = limit
        else:
            high = limit - 1
    return _limit_widths(natural, least, low)


def _limit_widths(natural: list[int], least: list[int], limit: int) -> list[int]:
    return [max(floor, min(wide, limit)) for wide, floor in zip(natural, least, strict=True)]


def _row(cells: Sequence[Text], widths: Sequence[int], alignments: Sequence[Alignment], painter: Painter) -> list[str]:
    columns = [_wrap(cell, width, painter) for cell, width in zip(cells, widths, strict=True)]
    lines: list[str] = []
    for index in range(max(map(len, columns))):
        parts = [
            _pad(column[index : index + 1], width, alignment)
            for column, width, alignment in zip(columns, widths, alignments, strict=True)
        ]
        lines.append(painter.text(Text(GAP).join(parts)))
    return lines


def _blocks(header: Sequence[Text], rows: Sequence[Sequence[Text]], painter: Painter, width: int) -> list[str]:
    labels = [_label(cell, width) for cell in header]
    is_shortened = any(label.cell_len < cell.cell_len for label, cell in zip(labels, header, strict=True))
    blocks = [header] if is_shortened or not rows else []
    blocks += [[_field(label, cell) for label, cell in zip(labels, row, strict=True)] for row in rows]
    lines: list[str] = []
    for number, fields in enumerate(blocks):
        if number:
            lines.append("")
        for field in fields:
            lines += _style_lines(_wrap(field, width, painter), painter)
    return lines


def _label(name: Text, width: int) -> Text:
    """Return a header for use in front of each cell: on one line, and shortened if it would fill the line."""
    label = Text(" ").join(name.split("\n")) if "\n" in name.plain else name.copy()
    label.truncate(max(width // 2, 1), overflow="ellipsis")
    return label


def _field(label: Text, cell: Text) -> Text:
    return Text.assemble(label, ": ", cell) if label.plain.strip() else cell


def _style_lines(lines: Iterable[Text], painter: Painter) -> list[str]:
    return [painter.text(line) for line in lines]


def _wrap(text: Text, width: int, painter: Painter) -> list[Text]:
    return list(text.wrap(painter.console, max(width, 1), overflow="fold", tab_size=4)) or [Text()]


def _pad(line: Sequence[Text], width: int, alignment: Alignment) -> Text:
    text = line[0].copy() if line else Text()
    text.rstrip()
    free = max(width - text.cell_len, 0)
    left = {"left": 0, "center": free // 2, "right": free}[alignment]
    text.pad_left(left)
    text.pad_right(free - left)
    return text


def _width(cell: Text) -> int:
    return max((line.cell_len for line in cell.split("\n")), default=0) if "\n" in cell.plain else cell.cell_len


def _longest_word(cell: Text) -> int:
    return max(map(cell_len, cell.plain.split()), default=0)
