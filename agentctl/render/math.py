"""TeX in Markdown: rules of the parser that keep formulas as they are."""

from __future__ import annotations

from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

from .inline import OPEN

BLOCK = "math_block"
INLINE = "math_inline"

_CLOSING = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
_UNCLOSED = "unclosed math"


def inline_formula(state: StateInline, silent: bool) -> bool:
    r"""Match `\(…\)`, `\[…\]` and `$$…$$` within a paragraph; what is not closed yet may still become a formula."""
    opening = state.src[state.pos : state.pos + 2]
    closing = _CLOSING.get(opening)
    if closing is None:
        return False
    # Each closing delimiter is searched to the end of a text once at most, which keeps the cost linear.
    unclosed: set[tuple[int, str]] = state.env.setdefault(_UNCLOSED, set())
    key = (id(state.tokens), closing)
    end = -1 if key in unclosed else state.src.find(closing, state.pos + 2, state.posMax)
    if not silent:
        token = state.push(OPEN if end < 0 else INLINE, "", 0)
        token.content = opening if end < 0 else state.src[state.pos : end + 2]
    if end < 0:
        unclosed.add(key)
    state.pos = state.pos + 2 if end < 0 else end + 2
    return True


def display_formula(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    r"""Match a formula that begins a line with `\[` or `$$`, up to its closing delimiter or a blank line."""
    begin = state.bMarks[start] + state.tShift[start]
    opening = state.src[begin : begin + 2]
    if opening not in ("\\[", "$$") or state.is_code_block(start):
        return False
    closing = _CLOSING[opening]
    first = state.src[begin + 2 : state.eMarks[start]]
    if closing in first and first.partition(closing)[2].strip():
        return False  # A formula within a line of text.
    if silent:
        return True
    line = start + 1
    is_open = closing not in first
    while is_open and line < end and not state.isEmpty(line) and state.sCount[line] >= state.blkIndent:
        is_open = closing not in state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
        line += 1
    state.line = line
    token = state.push(BLOCK, "math", 0)
    token.map = [start, line]
    token.content = state.getLines(start, line, state.blkIndent, False)
    token.hidden = is_open
    return True
