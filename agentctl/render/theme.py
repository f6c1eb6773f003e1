"""Styles for light and dark terminals alike: one accent colour, red and green in diffs, attributes, no backgrounds."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

_SEQUENCE = re.compile(r"(\x1b\[[\d;]*m|\x1b\]8;;[^\x1b]*\x1b\\)")
_RESET = "\x1b[0m"
_LINK = "\x1b]8;;{}\x1b\\"
_LINK_END = _LINK.format("")

ACCENT = "cyan"

STYLES = {
    "h1": f"bold underline {ACCENT}",
    "h2": f"bold {ACCENT}",
    "h3": "bold",
    "h4": "bold",
    "h5": "bold",
    "h6": "bold",
    "strong": "bold",
    "em": "italic",
    "s": "strike",
    "code": ACCENT,
    "link": "underline",
    "url": "dim",
    "marker": ACCENT,
    "border": "dim",
    "code.keyword": "bold",
    "code.string": ACCENT,
    "code.comment": "dim italic",
    "diff.added": "green",
    "diff.removed": "red",
    "diff.hunk": ACCENT,
    "diff.file": "bold",
}


class Painter:
    """Converts styled text to terminal escape sequences, or to plain text without colour."""

    def __init__(self, *, color: bool, base: str = "", has_links: bool = False) -> None:
        """Take whether to use colour, a base style below all others, and whether links are hyperlinks."""
        self.color = color
        self.has_links = color and has_links
        self._base = Style.parse(base)
        self._styles = {name: Style.parse(style) for name, style in STYLES.items()}
        self.console = Console(
            file=io.StringIO(), color_system="standard", force_terminal=True, legacy_windows=False, _environ={}
        )

    def style(self, name: str) -> Style:
        """Return the style of a name in `STYLES`."""
        return self._styles[name]

    def text(self, text: Text) -> str:
        """Return one line of text without trailing spaces, which would wrap when the window is resized."""
        if not self.color:
            return text.plain.rstrip()
        line = text.copy()
        line.rstrip()
        return self.segments(line.render(self.console))

    def mark(self, text: str, style: str) -> str:
        """Return text in one style; keeps spaces."""
        return self._paint(text, self._styles[style])

    def line(self, segments: list[Segment]) -> str:
        """Return a line rendered by Rich, without trailing spaces."""
        trimmed = list(segments)
        while trimmed and not trimmed[-1].text.strip():
            trimmed.pop()
        if trimmed:
            trimmed[-1] = Segment(trimmed[-1].text.rstrip(), trimmed[-1].style)
        return self.segments(trimmed)

    def segments(self, segments: Iterable[Segment]) -> str:
        """Return Rich segments as text with their style codes."""
        return "".join(self._paint(segment.text, segment.style or Style.null()) for segment in segments)

    def _paint(self, text: str, style: Style) -> str:
        if not self.color:
            return text
        painted = (self._base + style.update_link(None)).render(text)
        return f"{_LINK.format(style.link)}{painted}{_LINK_END}" if style.link and self.has_links else painted


def strip_styles(line: str) -> str:
    """Return a painted line as plain text."""
    return _SEQUENCE.sub("", line)


def skip_styled(line: str, count: int) -> str:
    """Return a painted line without its first `count` characters."""
    link, style, offset = "", "", 0
    for index, part in enumerate(_SEQUENCE.split(line)):
        if index % 2 and part.startswith("\x1b]"):
            link = "" if part == _LINK_END else part
        elif index % 2:
            style = "" if part == _RESET else style + part
        elif len(part) > count:
            return link + style + line[offset + count :]
        else:
            count -= len(part)
        offset += len(part)
    return ""
