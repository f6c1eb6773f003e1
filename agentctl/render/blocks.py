"""Markdown blocks as terminal lines; of a block that is still growing, only the lines that can no longer change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, table
from markdown_it.tree import SyntaxTreeNode
from rich.text import Text

from .code import CodeLines
from .inline import OPEN, cell_text, inline_text, mark_open_delimiters, stable_text
from .math import BLOCK as MATH
from .math import INLINE, display_formula, inline_formula
from .tables import Alignment, table_lines
from .theme import Painter

LONGEST_RULE = 60
NARROWEST = 10
"""Minimum columns for text at any nesting depth; the terminal wraps the rest."""

_PLACEHOLDER = "x"
"""The character that stands for text already shown."""

_CELLS = "cells"
"""The key of the bars of a table's header, and of how many more cells its rows may lack."""

_SPARE_CELLS = 500
"""How many more cells than characters the rows of a table may lack. Each row gets as many cells as the header has, so
that the work for short rows below a long header would grow as the square of the source."""

_BLANK = re.compile(r"[>\s]*")


def parse(source: str) -> list[SyntaxTreeNode]:
    """Return the top-level blocks of Markdown."""
    return SyntaxTreeNode(_parser().parse(source)).children


@cache
def _parser() -> MarkdownIt:
    # Disabled: rules that would change lines already shown (underlined headings, references), and HTML, whose tags
    # would be dropped.
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.disable(["lheading", "reference", "html_block", "html_inline", "text_join"])
    parser.inline.ruler2.before("fragments_join", OPEN, mark_open_delimiters)
    parser.inline.ruler.before("escape", INLINE, inline_formula)
    parser.block.ruler.before("list", MATH, display_formula, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    parser.block.ruler.at("table", _table_with_edges, {"alt": ["paragraph", "reference"]})
    parser.block.ruler.before("table", "sparse_rows", _end_sparse_table, {"alt": ["blockquote"]})
    return parser


def _table_with_edges(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Match only tables whose header begins with a bar; otherwise each line would have to wait for the next."""
    begin = state.bMarks[start] + state.tShift[start]
    if not state.src.startswith("|", begin):
        return False
    state.env[_CELLS] = (state.src.count("|", begin, state.eMarks[start]), _SPARE_CELLS)
    return table(state, start, end, silent)


def _end_sparse_table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Match a row that would add more empty cells to a table than the source has paid for."""
    if state.parentType != "table":
        return False
    cells: tuple[int, int] = state.env[_CELLS]
    columns, room = cells
    begin, stop = state.bMarks[start], state.eMarks[start]
    room += stop - begin + state.src.count("|", begin, stop) - columns
    state.env[_CELLS] = (columns, room)
    return room < 0


class BlockLayout:
    """Lays out the blocks of one source text."""

    def __init__(self, source: str, painter: Painter, *, is_cut: bool) -> None:
        """Take the source; `is_cut` means that it ends in the middle of a line."""
        self._lines = source.split("\n")
        self._end = len(self._lines) - (0 if self._lines[-1] else 1)
        self._is_cut = is_cut
        self._ends_word = not source[-1:].strip()
        self._painter = painter
        self.is_line_open = False
        """Whether the last line of the growing block may be continued."""
        self.is_stable = False
        """Whether later source cannot change any line of the growing block, only continue the last one."""

    def block(self, node: SyntaxTreeNode, width: int, *, grows: bool) -> list[str]:
        """Return the styled lines of a block; of a growing block, what later source cannot change."""
        width = max(width, NARROWEST)
        match node.type:
            case "paragraph":
                return self._paragraph(node.children[0], width, grows and self._reaches_end(node))
            case "heading":
                return self._heading(node, width)
            case "fence" | "code_block":
                return self._code(node, grows and self._reaches_end(node))
            case "math_block":
                return self._formula(node, grows and self._reaches_end(node))
            case "blockquote":
                return self._quote(node, width, grows)
            case "bullet_list" | "ordered_list":
                return self._list(node, width, grows)
            case "table":
                return [] if grows and self._reaches_end(node) else self._table(node, width)
            case "hr":
                return [self._painter.mark("─" * min(width, LONGEST_RULE), "border")]
            case _:
                return self._wrap(Text(node.content), width)

    def item(self, node: SyntaxTreeNode, marker: str, width: int, *, grows: bool) -> list[str]:
        """Return the lines of a list item with its marker; of a growing item, what later source cannot change."""
        lines = self._children(node.children, width - len(marker), grows)
        if not lines:
            return [] if grows else [self._painter.mark(marker.rstrip(), "marker")]
        first, *others = lines
        space = " " * len(marker)
        return [self._painter.mark(marker, "marker") + first, *(space + line if line else "" for line in others)]

    def shorten_source(self, node: SyntaxTreeNode, length: int) -> str | None:
        """Return a source that goes on like that of a growing block, with a placeholder for its text.

        The block is a stable paragraph, in a quote or a list item or not; None if it is not. `length` is the number of
        columns of text in its last line, which the placeholder takes.
        """
        paragraph = node.children[0] if node.type in ("list_item", "blockquote") and len(node.children) == 1 else node
        if paragraph.type != "paragraph":
            return None
        content = paragraph.children[0].content.split("\n")
        line, source = self._lines[_span(node)[0]].rstrip(), "\n".join(self._lines[_span(node)[0] :])
        text = source.rstrip()
        if not (line.endswith(content[0]) and text.endswith(content[-1])):
            return None
        return line.removesuffix(content[0]) + _PLACEHOLDER * length + source[len(text) :]

    def is_after_blank(self, node: SyntaxTreeNode) -> bool:
        """Return whether the line before a block is blank."""
        start = _span(node)[0]
        return start > 0 and _BLANK.fullmatch(self._lines[start - 1]) is not None

    def _reaches_end(self, node: SyntaxTreeNode) -> bool:
        return _span(node)[1] >= self._end

    def _paragraph(self, inline: SyntaxTreeNode, width: int, grows: bool) -> list[str]:
        if not grows:
            return self._wrap(inline_text(inline.children, self._painter), width)
        text, is_whole = stable_text(inline, self._painter)
        *lines, last = text.wrap(self._painter.console, width, overflow="fold")
        self.is_stable = is_whole and self._ends_word
        if not self.is_stable and (end := last.plain.rfind(" ")) >= 0:
            # The next line begins with the last word if more characters follow that do not fit.
            last.right_crop(len(last) - end)
        self.is_line_open = bool(last.plain.strip())
        return [self._painter.text(line) for line in ([*lines, last] if self.is_line_open else lines)]

    def _heading(self, node: SyntaxTreeNode, width: int) -> list[str]:
        text = inline_text(node.children[0].children, self._painter)
        if self._painter.color:
            text.stylize_before(self._painter.style(node.tag))
        else:
            text = Text(f"{node.markup} ") + text
        return self._wrap(text, width)

    def _wrap(self, text: Text, width: int) -> list[str]:
        return [self._painter.text(line) for line in text.wrap(self._painter.console, width, overflow="fold")]

    def _code(self, node: SyntaxTreeNode, grows: bool) -> list[str]:
        lines = node.content.removesuffix("\n").split("\n") if node.content else []
        if grows and self._is_cut:
            lines = lines[:-1]
        code = CodeLines(node.info, self._painter)
        return [code.line(line) for line in lines]

    def _formula(self, node: SyntaxTreeNode, grows: bool) -> list[str]:
        # Neither wrapped nor changed, so that it can be copied.
        lines = node.content.removesuffix("\n").split("\n")
        return [self._painter.text(Text(line)) for line in (lines[:-1] if grows and self._is_cut else lines)]

    def _quote(self, node: SyntaxTreeNode, width: int, grows: bool) -> list[str]:
        bar = self._painter.mark("│ ", "border")
        return [bar + line for line in self._children(node.children, width - 2, grows)]

    def _list(self, node: SyntaxTreeNode, width: int, grows: bool) -> list[str]:
        lines: list[str] = []
        last = node.children[-1]
        for item, marker, _ in items(node):
            if lines and self.is_after_blank(item):
                lines.append("")
            lines += self.item(item, marker, width, grows=grows and item is last)
        return lines

    def _children(self, nodes: Sequence[SyntaxTreeNode], width: int, grows: bool) -> list[str]:
        lines: list[str] = []
        for node in nodes:
            own = self.block(node, width, grows=grows and node is nodes[-1])
            if lines and own and self.is_after_blank(node):
                lines.append("")
            lines += own
        return lines

    def _table(self, node: SyntaxTreeNode, width: int) -> list[str]:
        head, *bodies = node.children
        header = [cell_text(cell, self._painter) for cell in head.children[0].children]
        if self._painter.color:
            for text in header:
                text.stylize_before("bold")
        rows = [[cell_text(cell, self._painter) for cell in row.children] for body in bodies for row in body.children]
        return table_lines(header, rows, [_alignment(cell) for cell in head.children[0].children], self._painter, width)


def items(node: SyntaxTreeNode, first: int | None = None) -> Iterator[tuple[SyntaxTreeNode, str, int | None]]:
    """Yield the items of a list with marker and number; `first` overrides the number of the first item."""
    if node.type == "bullet_list":
        yield from ((item, "• ", None) for item in node.children)
        return
    start = first if first is not None else int(node.attrs.get("start", 1))
    yield from ((item, f"{number}. ", number) for number, item in enumerate(node.children, start))


def _span(node: SyntaxTreeNode) -> tuple[int, int]:
    assert node.map is not None, "blocks have lines"
    return node.map


def _alignment(cell: SyntaxTreeNode) -> Alignment:
    match cell.attrs.get("style"):
        case "text-align:center":
            return "center"
        case "text-align:right":
            return "right"
        case _:
            return "left"
