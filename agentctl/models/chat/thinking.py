"""The separation of `<think>…</think>` at the beginning of a text, where some servers send their reasoning; pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

_OPEN, _CLOSE = "<think>", "</think>"
_LONGEST_SPACE = 100
"""The white space before a tag; more of it is text."""

Piece: TypeAlias = tuple[Literal["reasoning", "text"], str]


class ThinkingSplitter:
    """Splits a text that arrives in pieces; a tag after the first word of the answer belongs to the answer."""

    def __init__(self) -> None:
        self._state: Literal["start", "thinking", "text"] = "start"
        self._held = ""
        """Text that may be the beginning of a tag."""
        self._has_thought = False
        """Whether a piece of the current block was yielded."""
        self._is_after_block = False

    def add(self, text: str) -> Iterator[Piece]:
        """Yield the pieces that are certain once `text` has arrived."""
        if self._state == "text":
            if text:
                yield "text", text
            return
        self._held += text
        if self._state == "start":
            yield from self._start()
        else:
            yield from self._think()

    def end(self) -> Iterator[Piece]:
        """Yield the rest; reasoning without an end tag stays reasoning."""
        held, self._held = self._held, ""
        if self._state == "thinking":
            yield from self._yield_thought(held)
        elif held and not (self._is_after_block and held.isspace()):
            yield "text", held

    def _start(self) -> Iterator[Piece]:
        begin = self._held.lstrip()
        if begin.startswith(_OPEN):
            self._state, self._held, self._has_thought = "thinking", begin[len(_OPEN) :], False
            yield from self._think()
        elif not _OPEN.startswith(begin) or len(self._held) > _LONGEST_SPACE:
            text = begin if self._is_after_block else self._held
            self._state, self._held = "text", ""
            if text:
                yield "text", text

    def _think(self) -> Iterator[Piece]:
        thought, close, rest = self._held.partition(_CLOSE)
        if close:
            yield from self._yield_thought(thought.rstrip())
            self._state, self._held, self._is_after_block = "start", rest, True
            yield from self._start()
            return
        certain = thought[: len(thought) - _overlap(thought, _CLOSE)].rstrip()  # Space before the end tag is dropped.
        self._held = thought[len(certain) :]
        yield from self._yield_thought(certain)

    def _yield_thought(self, text: str) -> Iterator[Piece]:
        shown = text if self._has_thought else text.lstrip()
        if shown:
            self._has_thought = True
            yield "reasoning", shown


def _overlap(text: str, tag: str) -> int:
    """Return how many characters at the end of a text are the beginning of a tag."""
    return next((size for size in range(min(len(text), len(tag) - 1), 0, -1) if text.endswith(tag[:size])), 0)
