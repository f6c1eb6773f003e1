"""Text made safe to show on a terminal: control characters escaped, and cut to a number of columns."""

from __future__ import annotations

import re
import unicodedata

_ABOVE_SPACE = (
    "\x7f-\x9f"  # DEL, C1: cursor, title and clipboard sequences
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidi controls: what is shown is not what is there
    "\u2028\u2029"  # separators that terminals treat in their own ways
)
# C0 without tab and newline; halves of characters.
_ACTIVE = re.compile(f"[\x00-\x08\x0b-\x1f{_ABOVE_SPACE}\ud800-\udfff]")
_ACTIVE_IN_JSON = re.compile(f"[{_ABOVE_SPACE}]")

# What shows nothing at all: joiners, fillers, soft hyphens, tags.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0"
    "\ufff0-\ufffb\U000e0000-\U000e0fff]"
)


def escape(text: str) -> str:
    """Return text with every character that a terminal would act on shown by its number; CRLF becomes LF."""
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    return _ACTIVE.sub(_shown, text)


def escape_unseen(text: str) -> str:
    """Return text with every character that shows nothing by its number: for what somebody is to agree to."""
    return _UNSEEN.sub(_shown, text)


def escape_json(document: str) -> str:
    """Return a JSON document that means the same, with what a terminal would act on in it as JSON's own escapes."""
    return _ACTIVE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", document)


def one_line(text: str) -> str:
    """Return text as one line, its line breaks and tabs shown as spaces, the rest escaped."""
    return escape(" ".join(text.split()))


def shorten(text: str, width: int) -> str:
    """Return text cut to at most `width` columns, with an ellipsis where something is missing."""
    if len(text) * 2 <= width or columns(text) <= width:
        return text
    room = width - 1
    for index, character in enumerate(text):
        room -= _columns_of(character)
        if room < 0:
            return text[:index] + "…" if width > 0 else ""
    return text


def columns(text: str) -> int:
    """Return how many columns a terminal needs for one line of text."""
    return len(text) if text.isascii() else sum(map(_columns_of, text))


def _columns_of(character: str) -> int:
    if unicodedata.combining(character) or character in "\u200b\u200c\u200d\ufe0e":
        return 0
    if character == "\ufe0f":
        return 1  # Makes the narrow character before it a wide one.
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
