"""Streaming Markdown for a terminal: text is shown once later text cannot change it, and is never redrawn.

A paragraph grows word by word, other blocks by lines. Blocks are recognized from complete lines of source; from an
incomplete line only if its beginning determines its block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from markdown_it.tree import SyntaxTreeNode

from agentctl._dataclass import dataclass

from .blocks import BlockLayout, items, parse
from .code import CodeLines
from .escape import columns
from .text_stream import EscapedStream
from .theme import Painter, skip_styled, strip_styles

_STABLE_START = re.compile(
    r"""(?:[ \t]*(?:>|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t])))*[ \t]*  # markers of quotes and list items, then:
    (?:[^\s\d>#+*_`~|:$\\-]                                         # a start of plain text
      |\\[^\[\s] |\$[^$\s]                                           # an escape or an amount, not a formula
      |\d+(?:[^\d.)]|[.)]\S) |\#+[^\#\s] |\+\S |-+[^\s:|-]          # almost a number, heading or item
      |\*+[^\s*] |_+[^\s_] |`{1,2}[^`\s] |~{1,2}[^~\s])             # emphasis or code, not a rule or fence
    """,
    re.VERBOSE,
)
_WORDS = re.compile(r".*[\s\u3000-\u9fff\uac00-\ud7af\uff00-\uff60]", re.DOTALL)
"""Text up to the last character that ends a word: a space, or a character of a script without spaces."""

_LINE_BEGIN = 4_096
"""The number of characters of an incomplete line that are remembered."""

LONGEST_BLOCK = 32_768
"""The characters of one block that are rendered as Markdown; the rest of the block is shown as it is. Text that a model
wrote to take long, such as a paragraph of opening brackets, would otherwise hold up the terminal for minutes."""

_LONGEST_PIECE = 8_192
"""The characters that are taken in at a time: a long text at once costs no more than one that arrives in parts."""

_ENDED_BY_BLANK = ("paragraph", "table")
"""The types of blocks that end at a blank line."""

_BLANK_LINE = re.compile(r"\n[ \t]*\n")

_REPARSE_SHIFT = 14
"""Right shift of the squared length of an unfinished block, giving the number of new characters before it is parsed
again: 16 at 512 characters, 256 at 2,048, and half of a block above 8,192, so that all parsing of it is linear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """A top-level block, or an item of a top-level list."""

    node: SyntaxTreeNode
    marker: str | None
    """The marker of a list item; None for a block."""
    number: int | None
    """The number of an item of an ordered list."""
    gap: bool
    """Whether a blank line precedes it."""

    @property
    def start(self) -> int:
        assert self.node.map is not None, "blocks have lines"
        return self.node.map[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenCode:
    """A fenced code block whose closing fence has not arrived."""

    lines: CodeLines
    closing: re.Pattern[str]


class MarkdownStream:
    """Renders the text of one message as it arrives."""

    def __init__(self, *, width: Callable[[], int], color: bool, base: str = "", has_links: bool = False) -> None:
        """Take a function that returns the current columns, and a base style below all others."""
        self._columns = width
        self._painter = Painter(color=color, base=base, has_links=has_links)
        self._escape = EscapedStream()
        self._source = ""
        """Source that is not fully shown; the fields below describe the block that it begins with."""
        self._arrived: list[str] = []
        """Further source, not parsed yet."""
        self._pending = 0
        """Its length."""
        self._growing = ""
        """The type of the block that was incomplete when last parsed."""
        self._line = ""
        """The beginning of the incomplete line, as far as it tells whether a table continues."""
        self._code: _OpenCode | None = None
        self._is_plain = False
        """Whether the block is too long, so that its rest is shown as it is."""
        self._shown_count = 0
        """The number of whole lines of the block that are shown."""
        self._open_length = 0
        """The number of characters shown of the line after them."""
        self._gap = False
        self._number: int | None = None
        self._width = width()
        self._has_output = False

    def feed(self, text: str) -> str:
        """Return the words and lines that this text completes."""
        pieces = (text[start : start + _LONGEST_PIECE] for start in range(0, len(text), _LONGEST_PIECE))
        return "".join(map(self._feed_piece, pieces))

    def close(self) -> str:
        """Return all remaining text."""
        self._arrived.append(self._escape.close())
        return self._advance(is_end=True)

    def _feed_piece(self, text: str) -> str:
        text = self._escape.feed(text)
        self._arrived.append(text)
        self._pending += len(text)
        return self._advance(is_end=False) if self._is_due(text) else ""

    def _is_due(self, text: str) -> bool:
        """Return whether to parse again after more text, which costs time proportional to the unfinished block."""
        first, *others = text.split("\n")
        completed = [self._line + first, *others[:-1]] if others else []
        self._line = (others[-1] if others else self._line + first)[-_LINE_BEGIN:]
        if self._code is not None or self._is_plain:
            return bool(completed) or self._pending > LONGEST_BLOCK
        if len(self._source) + self._pending > LONGEST_BLOCK:
            return True
        if self._growing == "table" and all("|" in line for line in completed):
            return False
        if self._growing in _ENDED_BY_BLANK and not all(line.strip() for line in completed):
            return True  # The block has ended, and is parsed for the last time.
        if not _WORDS.match(text):
            return False
        length = len(self._source) + self._pending
        return self._pending >= min(length**2 >> _REPARSE_SHIFT, length // 2)

    def _advance(self, *, is_end: bool) -> str:
        self._source += "".join(self._arrived)
        self._arrived.clear()
        self._pending = 0
        shown: list[str] = []
        while self._source:
            if self._is_plain:
                shown.append(self._plain_lines(is_end=is_end))
                if self._is_plain:
                    break
            elif self._code is not None:
                shown.append(self._code_lines(self._code))
                if self._code is not None:
                    break
            elif not self._render_blocks(shown, is_end=is_end):
                if len(self._source) > LONGEST_BLOCK and self._code is None:
                    self._render_blocks(shown, is_end=True)
                    self._is_plain = True
                break
        return "".join(shown)

    def _render_blocks(self, shown: list[str], *, is_end: bool) -> bool:
        """Render the complete blocks and drop their source; return whether the rest may yield more lines."""
        source, is_cut = (self._source, False) if is_end else self._stable_source()
        layout = BlockLayout(source, self._painter, is_cut=is_cut)
        blocks = list(self._find_blocks(parse(source), layout))
        for index, block in enumerate(blocks):
            if index:
                self._begin_block(block.number, gap=block.gap)
            self._growing = ""
            if block is blocks[-1] and not (is_end or _is_over(block, source)):
                self._source = _from_line(self._source, block.start)
                return self._render_growing(block, layout, source, shown)
            shown.append(self._take_new(self._lay_out(block, layout, grows=False)))
        if blocks and not is_end:
            self._begin_block(None, gap=True)
        self._source = self._source[len(source) :]
        return False

    def _render_growing(self, block: _Block, layout: BlockLayout, source: str, shown: list[str]) -> bool:
        node = block.node
        if node.type == "fence" and block.marker is None and self._source.startswith(node.markup):
            mark = re.escape(node.markup[0])
            closing = re.compile(rf" {{0,3}}{mark}{{{len(node.markup)},}}[ \t]*")
            self._code = _OpenCode(lines=CodeLines(node.info, self._painter), closing=closing)
            self._source = _from_line(self._source, 1)
            return True
        lines = self._lay_out(block, layout, grows=True)
        shown.append(self._take_new(lines, is_open=layout.is_line_open))
        self._growing = node.type
        if layout.is_line_open and layout.is_stable:
            self._drop_shown_text(block, layout, _from_line(source, block.start), lines[-1])
        return False

    def _drop_shown_text(self, block: _Block, layout: BlockLayout, source: str, line: str) -> None:
        """Replace the source of a growing paragraph, all of it shown, by a placeholder as wide as its last line."""
        indent = 2 if block.node.type == "blockquote" else len(block.marker or "")
        length = columns(strip_styles(line)[indent:])
        shorter = layout.shorten_source(block.node, length)
        if shorter is not None:
            self._source = shorter + self._source[len(source) :]
            self._shown_count, self._open_length = 0, indent + length

    def _stable_source(self) -> tuple[str, bool]:
        """Return the source that can be parsed now, and whether it ends in the middle of a line."""
        end = self._source.rfind("\n") + 1
        words = _WORDS.match(self._source, end)
        if words and _STABLE_START.match(words[0]):
            return self._source[: words.end()], True
        return self._source[:end], False

    def _find_blocks(self, nodes: list[SyntaxTreeNode], layout: BlockLayout) -> Iterator[_Block]:
        for node in nodes:
            if node.type not in ("bullet_list", "ordered_list"):
                yield _Block(node=node, marker=None, number=None, gap=True)
                continue
            first = self._number if node is nodes[0] else None
            for item, marker, number in items(node, first):
                gap = item is node.children[0] or layout.is_after_blank(item)
                yield _Block(node=item, marker=marker, number=number, gap=gap)

    def _lay_out(self, block: _Block, layout: BlockLayout, *, grows: bool) -> list[str]:
        if block.marker is None:
            return layout.block(block.node, self._width, grows=grows)
        return layout.item(block.node, block.marker, self._width, grows=grows)

    def _code_lines(self, code: _OpenCode) -> str:
        lines = self._source.split("\n")
        shown: list[str] = []
        for index, line in enumerate(lines[:-1]):
            if code.closing.fullmatch(line):
                self._code = None
                self._source = "\n".join(lines[index + 1 :])
                text = self._take_new(shown, more=True)
                self._begin_block(None, gap=True)
                return text
            shown.append(code.lines.line(line))
        self._source = lines[-1]
        return self._take_new(shown, more=True)

    def _plain_lines(self, *, is_end: bool) -> str:
        """Return the complete lines of a block that is too long, up to the blank line that ends it."""
        if blank := _BLANK_LINE.search(self._source):
            lines, self._source = self._source[: blank.start()].split("\n"), self._source[blank.end() :]
            self._is_plain = False
            text = self._take_new(lines, more=True)
            self._begin_block(None, gap=True)
            return text
        *lines, rest = self._source.split("\n")
        if rest and (is_end or len(rest) > LONGEST_BLOCK):
            lines, rest = [*lines, rest], ""
        self._source = rest
        return self._take_new(lines, more=True)

    def _begin_block(self, number: int | None, *, gap: bool) -> None:
        self._shown_count = self._open_length = 0
        self._gap = gap
        self._number = number
        self._width = self._columns()

    def _take_new(self, lines: list[str], *, more: bool = False, is_open: bool = False) -> str:
        """Return the new text of the current block; `lines` are the whole block, or with `more` a continuation.

        With `is_open`, the last line may be continued.
        """
        new = lines if more else lines[self._shown_count :]
        if not new:
            return ""
        needs_gap = self._gap and self._has_output and not (self._shown_count or self._open_length)
        text = "\n".join((skip_styled(new[0], self._open_length), *new[1:]))
        self._shown_count += len(new) - is_open
        self._open_length = len(strip_styles(new[-1])) if is_open else 0
        self._has_output = True
        gap, end = "\n" * needs_gap, "" if is_open else "\n"
        return f"{gap}{text}{end}"


def _is_over(block: _Block, source: str) -> bool:
    """Return whether a blank line has ended the last block, so that it is not parsed again with every further one."""
    assert block.node.map is not None, "blocks have lines"
    return block.marker is None and block.node.type in _ENDED_BY_BLANK and source.count("\n") > block.node.map[1]


def _from_line(source: str, line: int) -> str:
    start = 0
    for _ in range(line):
        start = source.index("\n", start) + 1
    return source[start:]
