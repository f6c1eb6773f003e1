"""The text of one paragraph: emphasis, code and links, and how much of it no further text can change."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it.rules_inline import StateInline
from markdown_it.tree import SyntaxTreeNode
from rich.style import Style
from rich.text import Text

from .escape import escape
from .theme import Painter

OPEN = "open_delimiter"
"""The type of a token that is shown as text, and may yet begin emphasis."""

_BREAKS = ("softbreak", "hardbreak")

_MARKS = re.compile(r"`|!?\[|\]")
"""What code, links and images are made of; still in the text where it has not become one of them."""


def mark_open_delimiters(state: StateInline) -> None:
    """Mark what may begin emphasis once more text comes: a rule for the parser, run after emphasis is matched."""
    for delimiter in state.delimiters:
        if delimiter.open and delimiter.end < 0 and state.tokens[delimiter.token].type == "text":
            state.tokens[delimiter.token].type = OPEN


def inline_text(nodes: Sequence[SyntaxTreeNode], painter: Painter) -> Text:
    """Return inline nodes as one text; without colour, emphasis and code keep their marks."""
    text = Text()
    for node in nodes:
        _append(text, node, Style.null(), painter)
    return text


def settled_text(inline: SyntaxTreeNode, painter: Painter) -> Text:
    """Return the beginning of a growing paragraph that no further text can change."""
    nodes = inline.children
    index, offset = min(_unsettled(nodes), _table_header(inline))
    text = inline_text(nodes[:index], painter)
    if index < len(nodes) and offset:
        text.append(escape(nodes[index].content[:offset]))
    if text.plain.endswith("\\"):
        # A line break after it would make it disappear, and the word before it shorter.
        text.right_crop(len(text) - max(text.plain.rfind(" "), text.plain.rfind("\n")) - 1)
    return text


def _append(text: Text, node: SyntaxTreeNode, style: Style, painter: Painter) -> None:
    match node.type:
        case "softbreak":
            text.append(" ")
        case "hardbreak":
            text.append("\n")
        case "code_inline":
            mark = "" if painter.color else node.markup
            text.append(f"{mark}{escape(node.content)}{mark}", style + painter.style("code"))
        case "strong" | "em" | "s":
            _append_emphasis(text, node, style + painter.style(node.type), painter)
        case "link":
            _append_link(text, node, style, painter)
        case "image":
            alt = inline_text(node.children, painter).plain
            _append_target(text, f"[{alt or 'image'}]", str(node.attrs.get("src", "")), style, painter)
        case _:
            text.append(escape(node.content), style)


def _append_emphasis(text: Text, node: SyntaxTreeNode, style: Style, painter: Painter) -> None:
    mark = "" if painter.color else node.markup
    text.append(mark)
    for child in node.children:
        _append(text, child, style, painter)
    text.append(mark)


def _append_link(text: Text, node: SyntaxTreeNode, style: Style, painter: Painter) -> None:
    shown = Text()
    for child in node.children:
        _append(shown, child, style + painter.style("link"), painter)
    target = str(node.attrs.get("href", ""))
    if target.removeprefix("mailto:") == shown.plain:
        text.append_text(shown)
    else:
        _append_target(text, shown, target, style, painter)


def _append_target(text: Text, shown: Text | str, target: str, style: Style, painter: Painter) -> None:
    text.append(shown, style if isinstance(shown, str) else None)
    if target:
        text.append(f" ({escape(target)})", style + painter.style("url"))


def _table_header(inline: SyntaxTreeNode) -> tuple[int, int]:
    """Return where the last source line begins, if it may be the header of a table; else the end."""
    nodes = inline.children
    if not inline.content.rpartition("\n")[2].lstrip().startswith("|"):
        return len(nodes), 0
    breaks = [index for index, node in enumerate(nodes) if any(part.type in _BREAKS for part in node.walk())]
    return (breaks[-1] if breaks else 0), 0


def _unsettled(nodes: Sequence[SyntaxTreeNode]) -> tuple[int, int]:
    """Return the first top-level node that further text may change, and how many characters of it stay."""
    found: list[tuple[int, int]] = [(len(nodes), 0)]
    brackets: list[tuple[int, int]] = []
    for index, part in ((index, part) for index, node in enumerate(nodes) for part in node.walk()):
        if part.type == OPEN:
            found.append((index, 0))
        if part.type != "text":
            continue
        is_top = part is nodes[index]
        for mark in _MARKS.finditer(part.content):
            place = (index, mark.start() if is_top else 0)
            if mark[0] == "`":
                found.append(place)
            elif _is_in_link(part):
                continue
            elif mark[0] != "]":
                brackets.append(place)
            elif brackets:
                opening = brackets.pop()
                after = part.content[mark.end() : mark.end() + 1]
                if after == "(" or (not after and part is _last(nodes)):
                    found.append(opening)
    return min(found + brackets)


def _is_in_link(part: SyntaxTreeNode) -> bool:
    while part.parent is not None and part.type not in ("link", "image"):
        part = part.parent
    return part.parent is not None


def _last(nodes: Sequence[SyntaxTreeNode]) -> SyntaxTreeNode:
    node = nodes[-1]
    while node.children:
        node = node.children[-1]
    return node
