"""Syntax highlighting line by line: a line depends only on earlier lines, so it can be shown as soon as it ends."""

from __future__ import annotations

from functools import lru_cache

from rich.style import Style
from rich.syntax import ANSISyntaxTheme, Syntax
from rich.text import Text

from .theme import STYLES, Painter

INDENT = "  "

_SECTION = 40
"""Lines after which a blank line starts a new section, highlighted on its own: keeps long blocks cheap."""

_LONGEST_SECTION = 60
"""Lines after which a new section starts without a blank line."""

_LONGEST_LINE = 4_000
"""Characters of a line above which it is not highlighted."""

_DIFFS = frozenset({"diff", "patch", "udiff"})
_DIFF_STYLES = (("+++", "file"), ("---", "file"), ("@@", "hunk"), ("+", "added"), ("-", "removed"))
"""The beginnings of lines of a diff, and their styles."""

_TOKENS = {("Keyword",): "code.keyword", ("Literal", "String"): "code.string", ("Comment",): "code.comment"}
"""Pygments token types and their styles."""


@lru_cache(maxsize=64)
def _syntax(language: str) -> Syntax:
    theme = ANSISyntaxTheme({token: Style.parse(STYLES[name]) for token, name in _TOKENS.items()})
    return Syntax("", language, theme=theme)


@lru_cache(maxsize=512)
def _last_line(language: str, code: str) -> Text:
    plain = code.rpartition("\n")[2]
    lines = _syntax(language).highlight(code).split("\n")
    # A lexer may split lines differently; the text of the model takes precedence.
    return lines[-1] if lines and lines[-1].plain == plain else Text(plain)


class CodeLines:
    """Highlights the lines of one code block, in order."""

    def __init__(self, info: str, painter: Painter) -> None:
        """Take the info string of the opening fence; its first word is the language."""
        self._language = info.split()[0] if info.split() else ""
        self._painter = painter
        self._section: list[str] = []

    def line(self, source: str) -> str:
        """Return the next line, highlighted; never wrapped, so that it can be copied whole."""
        source = source.expandtabs(4)
        if not source.strip():
            if len(self._section) >= _SECTION:
                self._section.clear()
            elif self._section:
                self._section.append(source)
            return ""
        if len(self._section) >= _LONGEST_SECTION:
            self._section.clear()
        if len(source) > _LONGEST_LINE:
            self._section.clear()
            return INDENT + source.rstrip()
        self._section.append(source)
        if not self._painter.color or not self._language:
            return INDENT + source.rstrip()
        if self._language in _DIFFS:
            return INDENT + self._diff_line(source.rstrip())
        highlighted = _last_line(self._language, "\n".join(self._section))
        return INDENT + self._painter.text(highlighted)

    def _diff_line(self, source: str) -> str:
        style = next((style for begin, style in _DIFF_STYLES if source.startswith(begin)), None)
        return self._painter.mark(source, f"diff.{style}") if style is not None else self._painter.text(Text(source))
