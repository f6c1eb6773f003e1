"""The lines of keys in a TOML text, which the parser does not report."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]
"""The keys and indexes that lead to a value: `("tools", "git_log", "command", 2)`."""

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_STRING = re.compile(
    r"""
    \"{3} (?: [^"\\] | \\. | "(?!"") )* "{3,5}
    | '{3} (?: [^'] | '(?!'') )* '{3,5}
    | " (?: [^"\\\n] | \\. )* "
    | ' [^'\n]* '
    """,
    re.S | re.X,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")


def lines_of(content: bytes) -> dict[KeyPath, int]:
    """Return the line of each key, table and list item of a valid TOML file; a table begins where it is first named."""
    return _Scan(content.decode("utf-8-sig").replace("\r\n", "\n")).run()


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """Return the line of a key, or of the innermost table around it."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)


class _Scan:
    """A scan of a text from its beginning; since it is valid, what stands at a place is known by its first letter."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._lines: dict[KeyPath, int] = {}
        self._counts: dict[KeyPath, int] = {}
        """Path of an array of tables -> the number of its tables."""

    def run(self) -> dict[KeyPath, int]:
        """Scan the whole text."""
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._scan_header()
            else:
                self._scan_entry(table)
            self._skip(_BLANK)
        return self._lines

    def _scan_header(self) -> KeyPath:
        is_array = self._text.startswith("[[", self._at)
        line = self._line()
        self._at += 2 if is_array else 1
        names = self._scan_names()
        self._at += 2 if is_array else 1
        path: KeyPath = ()
        for index, name in enumerate(names):
            path = (*path, name)
            self._lines.setdefault(path, line)
            if is_array and index == len(names) - 1:
                self._counts[path] = self._counts.get(path, 0) + 1
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
                self._lines.setdefault(path, line)
        return path

    def _scan_entry(self, table: KeyPath) -> None:
        line = self._line()
        path = table
        for name in self._scan_names():
            path = (*path, name)
            self._lines.setdefault(path, line)
        self._at += 1  # The sign of equality.
        self._skip(_BLANK)
        self._scan_value(path)

    def _scan_names(self) -> list[str]:
        """Return the parts of a dotted key; the scan stands behind them then."""
        names: list[str] = []
        while True:
            self._skip(_BLANK)
            if self._text[self._at] in "\"'":
                name = tomllib.loads(f"key = {self._skip(_STRING)}")["key"]
            else:
                name = self._skip(_BARE_KEY)
            names.append(name)
            self._skip(_BLANK)
            if self._text[self._at] != ".":
                return names
            self._at += 1

    def _scan_value(self, path: KeyPath) -> None:
        match self._text[self._at]:
            case '"' | "'":
                self._skip(_STRING)
            case "[":
                self._scan_items(path)
            case "{":
                self._scan_table(path)
            case _:
                self._skip(_BARE_VALUE)

    def _scan_items(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while self._begins_part("]"):
            self._lines[*path, index] = self._line()
            self._scan_value((*path, index))
            index += 1
        self._at += 1

    def _scan_table(self, path: KeyPath) -> None:
        self._at += 1
        while self._begins_part("}"):
            self._scan_entry(path)
        self._at += 1

    def _begins_part(self, end: str) -> bool:
        """Move to the next item or entry, behind the comma before it; return whether there is one before `end`."""
        self._skip(_BLANK)
        if self._text[self._at] == ",":
            self._at += 1
            self._skip(_BLANK)
        return self._text[self._at] != end

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        assert found is not None  # The text is valid.
        self._at = found.end()
        return found[0]

    def _line(self) -> int:
        return bisect_right(self._breaks, self._at - 1) + 1
