"""How things look: one accent colour and the attributes of a terminal, no backgrounds: light and dark both work."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

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
}


class Painter:
    """Turns styled text into what a terminal shows; without colour, into plain text."""

    def __init__(self, *, color: bool, base: str = "") -> None:
        """Take whether the terminal has colour, and a style that lies beneath everything."""
        self.color = color
        self._base = Style.parse(base)
        self._styles = {name: Style.parse(style) for name, style in STYLES.items()}
        self.console = Console(
            file=io.StringIO(), color_system="standard", force_terminal=True, legacy_windows=False, _environ={}
        )

    def style(self, name: str) -> Style:
        """Return the style of a name in `STYLES`."""
        return self._styles[name]

    def text(self, text: Text) -> str:
        """Return one line of text; no spaces at its end, which would do harm when the window is resized."""
        if not self.color:
            return text.plain.rstrip()
        line = text.copy()
        line.rstrip()
        return self.segments(line.render(self.console))

    def mark(self, text: str, style: str) -> str:
        """Return a piece of text in one style, spaces included."""
        return self._painted(text, self._styles[style])

    def line(self, segments: list[Segment]) -> str:
        """Return a line that Rich laid out, without the spaces at its end."""
        kept = list(segments)
        while kept and not kept[-1].text.strip():
            kept.pop()
        if kept:
            kept[-1] = Segment(kept[-1].text.rstrip(), kept[-1].style)
        return self.segments(kept)

    def segments(self, segments: Iterable[Segment]) -> str:
        """Return segments of Rich as text with the codes of their styles."""
        return "".join(self._painted(segment.text, segment.style or Style.null()) for segment in segments)

    def _painted(self, text: str, style: Style) -> str:
        return (self._base + style).render(text) if self.color else text
