"""The inline text of one paragraph: emphasis, code and links, and the prefix that later text cannot change."""

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
"""The type of a text token that may still begin emphasis."""

_BREAKS = ("softbreak", "hardbreak")

_LINE_BREAK = re.compile(r"[ ]*<br[ ]*/?>[ ]*", re.IGNORECASE)

_MARKS = re.compile(r"`|!?\[|\]")
"""Delimiters of code, links and images that are still plain text, because they have no match yet."""


_LINKED_SCHEMES = ("https://", "http://", "mailto:")
"""The beginnings of targets that are hyperlinks."""


def mark_open_delimiters(state: StateInline) -> None:
    """Mark delimiters that may begin emphasis once more text arrives; a parser rule that runs after emphasis."""
    for delimiter in state.delimiters:
        if delimiter.open and delimiter.end < 0 and state.tokens[delimiter.token].type == "text":
            state.tokens[delimiter.token].type = OPEN


def inline_text(nodes: Sequence[SyntaxTreeNode], painter: Painter) -> Text:
    """Return inline nodes as one text; without colour, emphasis and code keep their delimiters."""
    text = Text()
    for node in nodes:
        _append(text, node, Style.null(), painter)
    return text


def cell_text(cell: SyntaxTreeNode, painter: Painter) -> Text:
    """Return the text of a table cell, in which `<br>` is a line break."""
    text = inline_text(cell.children[0].children, painter)
    code = [(span.start, span.end) for span in text.spans if span.style == painter.style("code")]
    breaks = [found.span() for found in _LINE_BREAK.finditer(text.plain)]
    outside = [(start, end) for start, end in breaks if not _is_inside(start, code)]
    if not outside:
        return text
    pieces = text.divide([place for span in outside for place in span])
    return Text("\n").join(pieces[::2])


def _is_inside(place: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= place < end for start, end in spans)


def stable_text(inline: SyntaxTreeNode, painter: Painter) -> tuple[Text, bool]:
    """Return the prefix of a growing paragraph that later text cannot change, and whether it is all of it."""
    nodes = inline.children
    index, offset = min(_first_unstable(nodes), _table_header(inline))
    text = inline_text(nodes[:index], painter)
    if index < len(nodes) and offset:
        text.append(_plain(nodes[index].content[:offset]))
    if text.plain.endswith("\\"):
        # A line break after the backslash would remove it and shorten the word before it.
        text.right_crop(len(text) - max(text.plain.rfind(" "), text.plain.rfind("\n")) - 1)
        return text, False
    return text, index == len(nodes)


def _append(text: Text, node: SyntaxTreeNode, style: Style, painter: Painter) -> None:
    match node.type:
        case "softbreak" | "hardbreak":
            text.append("\n")
        case "code_inline":
            mark = "" if painter.color else node.markup
            text.append(f"{mark}{_plain(node.content)}{mark}", style + painter.style("code"))
        case "strong" | "em" | "s":
            _append_emphasis(text, node, style + painter.style(node.type), painter)
        case "link":
            _append_link(text, node, style, painter)
        case "image":
            alt = inline_text(node.children, painter).plain
            _append_target(text, f"[{alt or 'image'}]", str(node.attrs.get("src", "")), style, painter)
        case _:
            text.append(_plain(node.content), style)


def _plain(source: str) -> str:
    """Return source as it is shown; the width of a tab does not depend on its place, which a line break may move."""
    return escape(source).replace("\t", "    ")


def _append_emphasis(text: Text, node: SyntaxTreeNode, style: Style, painter: Painter) -> None:
    mark = "" if painter.color else node.markup
    text.append(mark)
    for child in node.children:
        _append(text, child, style, painter)
    text.append(mark)


def _append_link(text: Text, node: SyntaxTreeNode, style: Style, painter: Painter) -> None:
    label = Text()
    for child in node.children:
        _append(label, child, style + painter.style("link"), painter)
    target = str(node.attrs.get("href", ""))
    if painter.has_links and target.startswith(_LINKED_SCHEMES):
        label.stylize(Style(link=escape(target)))
        is_named = "://" in label.plain and label.plain != target
        text.append_text(label)
        if is_named:
            # The label is another address than the one that the link leads to.
            _append_target(text, "", target, style, painter)
    elif target.removeprefix("mailto:") == label.plain:
        text.append_text(label)
    else:
        _append_target(text, label, target, style, painter)


def _append_target(text: Text, label: Text | str, target: str, style: Style, painter: Painter) -> None:
    text.append(label, style if isinstance(label, str) else None)
    if target:
        text.append(f" ({escape(target)})", style + painter.style("url"))


def _table_header(inline: SyntaxTreeNode) -> tuple[int, int]:
    """Return the position of the last source line if it may be a table header; otherwise the end."""
    nodes = inline.children
    if not inline.content.rpartition("\n")[2].lstrip().startswith("|"):
        return len(nodes), 0
    breaks = [index for index, node in enumerate(nodes) if any(part.type in _BREAKS for part in node.walk())]
    return (breaks[-1] if breaks else 0), 0


def _first_unstable(nodes: Sequence[SyntaxTreeNode]) -> tuple[int, int]:
    """Return the index of the first top-level node that later text may change, and its number of stable characters."""
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
