"""Markdown on a terminal, as it streams: lines are shown once they are settled, and nothing shown is ever taken back.

Blocks are decided by whole lines of source, and by a line that still grows only where its beginning settles what it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from markdown_it.tree import SyntaxTreeNode

from agentctl._dataclass import dataclass

from .blocks import Blocks, items, parse
from .code import CodeLines
from .text_stream import Escaped
from .theme import Painter

_SETTLED_START = re.compile(
    r"""(?:[ \t]*(?:>|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t])))*[ \t]*  # the marks of quotes and list items, then:
    (?:[^\s\d>#+*_`~|:-]                                            # what begins no block
      |\d+(?:[^\d.)]|[.)]\S) |\#+[^\#\s] |\+\S |-+[^\s:|-]          # almost a number, heading or item
      |\*+[^\s*] |_+[^\s_] |`{1,2}[^`\s] |~{1,2}[^~\s])             # emphasis or code, no rule and no fence
    """,
    re.VERBOSE,
)
_WORDS = re.compile(r".*[\s\u3000-\u9fff\uac00-\ud7af\uff00-\uff60]", re.DOTALL)
"""Everything up to the last character after which a word cannot grow: a space, or one of a script without spaces."""

_PATIENCE = 19
"""How soon an unfinished block is looked at again: once this many bits fewer than its square came, so 8 characters more
for one of 2,048, and 8,192 for one of 65,536. Looking costs as much as the block is long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A block, or an item of a list."""

    node: SyntaxTreeNode
    marker: str | None
    """The marker of an item."""
    number: int | None
    """The number of an item of an ordered list."""
    gap: bool
    """Whether a blank line comes before it."""

    @property
    def start(self) -> int:
        assert self.node.map is not None, "blocks have lines"
        return self.node.map[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenCode:
    """A fenced block whose end has not come."""

    lines: CodeLines
    closing: re.Pattern[str]


class MarkdownFlow:
    """Renders the text of one message as it comes."""

    def __init__(self, *, width: Callable[[], int], color: bool, base: str = "") -> None:
        """Take what gives the columns at the moment, and a style that lies beneath everything."""
        self._columns = width
        self._painter = Painter(color=color, base=base)
        self._escaped = Escaped()
        self._source = ""
        """What came and is not done with; the fields below tell of the piece it begins with."""
        self._unseen = 0
        self._code: _OpenCode | None = None
        self._printed = 0
        self._gap = False
        self._number: int | None = None
        self._width = width()
        self._has_shown = False

    def feed(self, text: str) -> str:
        """Return the lines that are settled by this much more text."""
        text = self._escaped.feed(text)
        self._source += text
        self._unseen += len(text)
        # Nothing can be new before a line is full or ends.
        is_due = "\n" in text or self._unseen >= self._width // 4
        return self._advance(is_end=False) if is_due and self._unseen >= len(self._source) ** 2 >> _PATIENCE else ""

    def close(self) -> str:
        """Return all lines that are left."""
        self._source += self._escaped.close()
        return self._advance(is_end=True)

    def _advance(self, *, is_end: bool) -> str:
        self._unseen = 0
        shown: list[str] = []
        while self._source:
            if self._code is not None:
                shown += self._code_lines(self._code)
                if self._code is not None:
                    break
            elif not self._take_blocks(shown, is_end=is_end):
                break
        return "".join(f"{line}\n" for line in shown)

    def _take_blocks(self, shown: list[str], *, is_end: bool) -> bool:
        """Show what is settled and forget its source; return whether there may be more to show in what is left."""
        source, is_cut = (self._source, False) if is_end else self._settled_source()
        blocks = Blocks(source, self._painter, is_cut=is_cut)
        pieces = list(self._pieces(parse(source), blocks))
        for index, piece in enumerate(pieces):
            if index:
                self._begin(piece.number, gap=piece.gap)
            if piece is pieces[-1] and not is_end:
                self._source = _from_line(self._source, piece.start)
                return self._open(piece, blocks, shown)
            shown += self._fresh(self._laid_out(piece, blocks, grows=False))
        self._source = self._source[len(source) :]
        return False

    def _open(self, piece: _Piece, blocks: Blocks, shown: list[str]) -> bool:
        node = piece.node
        if node.type == "fence" and piece.marker is None and self._source.startswith(node.markup):
            mark = re.escape(node.markup[0])
            closing = re.compile(rf" {{0,3}}{mark}{{{len(node.markup)},}}[ \t]*")
            self._code = _OpenCode(lines=CodeLines(node.info, self._painter), closing=closing)
            self._source = _from_line(self._source, 1)
            return True
        shown += self._fresh(self._laid_out(piece, blocks, grows=True))
        return False

    def _settled_source(self) -> tuple[str, bool]:
        """Return the source that can be parsed by now, and whether it ends in the middle of a line."""
        end = self._source.rfind("\n") + 1
        words = _WORDS.match(self._source, end)
        if words and _SETTLED_START.match(words[0]):
            return self._source[: words.end()], True
        return self._source[:end], False

    def _pieces(self, nodes: list[SyntaxTreeNode], blocks: Blocks) -> Iterator[_Piece]:
        for node in nodes:
            if node.type not in ("bullet_list", "ordered_list"):
                yield _Piece(node=node, marker=None, number=None, gap=True)
                continue
            first = self._number if node is nodes[0] else None
            for item, marker, number in items(node, first):
                gap = item is node.children[0] or blocks.is_after_blank(item)
                yield _Piece(node=item, marker=marker, number=number, gap=gap)

    def _laid_out(self, piece: _Piece, blocks: Blocks, *, grows: bool) -> list[str]:
        if piece.marker is None:
            return blocks.block(piece.node, self._width, grows=grows)
        return blocks.item(piece.node, piece.marker, self._width, grows=grows)

    def _code_lines(self, code: _OpenCode) -> list[str]:
        lines = self._source.split("\n")
        shown: list[str] = []
        for index, line in enumerate(lines[:-1]):
            if code.closing.fullmatch(line):
                self._code = None
                self._source = "\n".join(lines[index + 1 :])
                shown = self._fresh(shown, more=True)
                self._begin(None, gap=True)
                return shown
            shown.append(code.lines.line(line))
        self._source = lines[-1]
        return self._fresh(shown, more=True)

    def _begin(self, number: int | None, *, gap: bool) -> None:
        self._printed = 0
        self._gap = gap
        self._number = number
        self._width = self._columns()

    def _fresh(self, lines: list[str], *, more: bool = False) -> list[str]:
        """Return the lines of the piece at hand that were not shown; `lines` are all of it, or `more` of it."""
        fresh = lines if more else lines[self._printed :]
        if not fresh:
            return []
        needs_gap = self._gap and self._has_shown and not self._printed
        self._printed += len(fresh)
        self._has_shown = True
        return ["", *fresh] if needs_gap else fresh


def _from_line(source: str, line: int) -> str:
    start = 0
    for _ in range(line):
        start = source.index("\n", start) + 1
    return source[start:]
