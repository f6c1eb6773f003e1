"""Terminal-safe text: control characters are escaped, and lines can be cut to a number of columns."""

from __future__ import annotations

import re
import unicodedata

_ABOVE_SPACE = (
    "\x7f-\x9f"  # DEL, C1: cursor, title and clipboard sequences
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidi controls: the text shown differs from the actual text
    "\u2028\u2029"  # separators that terminals treat differently
)
# C0 without tab and newline; lone surrogates.
_CONTROL = re.compile(f"[\x00-\x08\x0b-\x1f{_ABOVE_SPACE}\ud800-\udfff]")
_CONTROL_IN_JSON = re.compile(f"[{_ABOVE_SPACE}]")

# Characters with no visible glyph: joiners, fillers, soft hyphens, tags.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0"
    "\ufff0-\ufffb\U000e0000-\U000e0fff]"
)

_RUNNER_COMMAND = re.compile(r"^([^\S\n]*)(?=::|##(?:vso)?\[)", re.MULTILINE)
"""GitHub Actions and Azure Pipelines obey lines of a job's output that begin like this."""


def escape(text: str) -> str:
    """Return text with each control character replaced by its escape sequence; CRLF becomes LF."""
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    return _CONTROL.sub(_code_point, text)


def escape_invisible(text: str) -> str:
    """Return text with each invisible character replaced by its escape sequence: for text that the user approves."""
    return _INVISIBLE.sub(_code_point, text)


def escape_line(text: str) -> str:
    """Return text with each control character and line break replaced by its escape sequence."""
    return escape(text).replace("\n", "\\n")


def disarm(text: str) -> str:
    """Return text in which no line begins with a command to the runner of a CI system, such as `::error::`."""
    return _RUNNER_COMMAND.sub(r"\1\\", text) if "::" in text or "##" in text else text


def escape_json(document: str) -> str:
    """Return an equivalent JSON document with control characters as JSON escapes."""
    return _CONTROL_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", document)


def one_line(text: str) -> str:
    """Return text as a single line: whitespace runs become one space, control characters are escaped."""
    return escape(" ".join(text.split()))


def shorten(text: str, width: int) -> str:
    """Return text cut to at most `width` columns, ending in an ellipsis if it was cut."""
    if len(text) * 2 <= width or columns(text) <= width:
        return text
    room = width - 1
    for index, character in enumerate(text):
        room -= _columns_of(character)
        if room < 0:
            return text[:index] + "…" if width > 0 else ""
    return text


def columns(text: str) -> int:
    """Return the number of terminal columns that one line of text takes."""
    return len(text) if text.isascii() else sum(map(_columns_of, text))


def _columns_of(character: str) -> int:
    if unicodedata.combining(character) or character in "\u200b\u200c\u200d\ufe0e":
        return 0
    if character == "\ufe0f":
        return 1  # Makes the narrow character before it a wide one.
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _code_point(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
