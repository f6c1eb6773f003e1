"""V4A diffs: hunks that a model writes for a file, located by their lines and applied; pure.

A hunk has context lines (prefixed with a space), removed lines (`-`) and added lines (`+`). It may start with `@@` and
an anchor, a line of the file that precedes it, and end with `*** End of File`. There are no line numbers: a hunk is
located by its lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Literal

from agentctl._dataclass import dataclass

_END = "*** End of File"
_LINE_NUMBERS = re.compile(r"-\d+(,\d+)? \+\d+(,\d+)? @@")
"""Matches hunk headers of the unified format, which models sometimes write."""
_NORMALIZERS: tuple[Callable[[str], str], ...] = (lambda line: line.rstrip("\r"), str.rstrip, str.strip)
"""Normalizations for comparing lines, strictest first, since models are imprecise about surrounding space."""
_MAX_QUOTED = 12


@dataclass(slots=True)
class _Hunk:
    number: int
    anchors: list[str] = field(default_factory=list)
    """Lines of the file, in order, that precede the hunk."""
    markers: int = 0
    """The number of its lines `@@`, with and without an anchor."""
    lines: list[tuple[str, str]] = field(default_factory=list)
    """Lines with their signs: a space, `-` or `+`."""
    is_at_end: bool = False

    @property
    def old(self) -> list[str]:
        """The lines of the file that the hunk replaces, including its context."""
        return [line for sign, line in self.lines if sign != "+"]


def apply_diff(input: str, diff: str, mode: Literal["default", "create"] = "default") -> str:
    """Return `input` with a diff applied; in mode `create` the diff is a new file, every line prefixed with `+`.

    Line endings and the newline at the end of the file are preserved.

    Raises:
        ValueError: the diff is malformed, or a hunk is not found in the file.
    """
    if mode == "create":
        return ("\r\n" if "\r\n" in diff else "\n").join(_new_lines(diff))
    ends_with_newline = not input or input.endswith("\n")
    lines = input.removesuffix("\n").split("\n") if input else []
    has_crlf = lines[0].endswith("\r") if lines else "\r\n" in diff
    changed = list(_apply_hunks(lines, _hunks(diff), "\r" if has_crlf else ""))
    return "\n".join(changed) + ("\n" if ends_with_newline and changed else "")


def _new_lines(diff: str) -> Iterator[str]:
    for number, line in enumerate(_lines(diff), 1):
        if not line.startswith("+"):
            raise ValueError(f"line {number} of the new file's diff does not start with '+': {line!r}")
        yield line[1:]


def _lines(diff: str) -> list[str]:
    lines = [line.removesuffix("\r") for line in diff.split("\n")]
    return lines if lines[-1] else lines[:-1]


def _hunks(diff: str) -> Iterator[_Hunk]:
    hunk = _Hunk(1)
    for number, line in enumerate(_lines(diff), 1):
        if line.startswith("@@"):
            if hunk.lines:
                yield hunk
                hunk = _Hunk(hunk.number + 1)
            hunk.markers += 1
            anchor = line[2:].removeprefix(" ")
            if anchor.strip() and not _LINE_NUMBERS.match(anchor):
                hunk.anchors.append(anchor)
        elif line == _END:
            hunk.is_at_end = True
            yield hunk
            hunk = _Hunk(hunk.number + 1)
        elif not line or line[0] in " -+":
            hunk.lines.append((line[:1] or " ", line[1:]))
        elif not line.startswith("\\"):  # "\ No newline at end of file", of the unified format
            raise ValueError(f"line {number} of the diff must start with '@@', ' ', '-' or '+': {line!r}")
    if hunk.lines:
        yield hunk


def _apply_hunks(lines: list[str], hunks: Iterator[_Hunk], newline: str) -> Iterator[str]:
    done = 0
    for hunk in hunks:
        place = _place(hunk, lines, done)
        yield from lines[done:place]
        done = place
        for sign, line in hunk.lines:
            if sign == "+":
                yield line + newline
                continue
            if sign == " ":
                yield lines[done]
            done += 1
    yield from lines[done:]


def _place(hunk: _Hunk, lines: list[str], start: int) -> int:
    """Return the index of a hunk's first line, at or after `start`."""
    old, after = hunk.old, start
    missing = None
    for anchor in hunk.anchors:
        place = _find_anchor(anchor, lines, after)
        is_outer = after == start and anchor is not hunk.anchors[-1]
        if place is None and is_outer and _find_anchor(anchor, lines[:start], 0) is not None:
            continue  # The block around this hunk began above the last one.
        if place is None:
            missing = anchor
            break
        after = place + 1
    if missing is not None and hunk.markers > 1:
        raise ValueError(f"Invalid Anchor {start}:\n{missing}")
    if missing is not None:
        return _only_place(hunk, old, missing, lines, start)
    if not old:
        return len(lines) if hunk.is_at_end else after
    last = len(lines) - len(old)
    if hunk.is_at_end and last >= after and _find_lines(old, lines, last) is not None:
        return last
    place = _find_lines(old, lines, after)
    if place is None and after > start:
        place = _find_lines(old, lines, after - 1)  # The hunk's lines may repeat its anchor.
    if place is None:
        raise ValueError(_mismatch_message(hunk, old, after))
    return place


def _find_anchor(anchor: str, lines: list[str], start: int) -> int | None:
    """Return the index of an anchor: of an equal line, else of the first line that contains it."""
    place = _find_lines([anchor], lines, start)
    if place is not None:
        return place
    return next((place for place in range(start, len(lines)) if anchor.strip() in lines[place]), None)


def _only_place(hunk: _Hunk, old: list[str], anchor: str, lines: list[str], start: int) -> int:
    """Return the index of a hunk whose anchor is missing from the file; its lines must then occur exactly once."""
    place = _find_lines(old, lines, start) if old else None
    if place is None or _find_lines(old, lines, place + 1) is not None:
        raise ValueError(f"hunk {hunk.number} does not match: no line {anchor!r} in the file after line {start}")
    return place


def _find_lines(block: list[str], lines: list[str], start: int) -> int | None:
    """Return the index of the first occurrence of a block of lines, at or after `start`."""
    for normalize in _NORMALIZERS:
        expected = [normalize(line) for line in block]
        for place in range(start, len(lines) - len(expected) + 1):
            if all(normalize(lines[place + offset]) == line for offset, line in enumerate(expected)):
                return place
    return None


def _mismatch_message(hunk: _Hunk, old: list[str], start: int) -> str:
    quoted = "\n".join(old[:_MAX_QUOTED]) + ("\n…" if len(old) > _MAX_QUOTED else "")
    return (
        f"hunk {hunk.number} does not match: the file does not contain these consecutive lines after line {start}; "
        f"read the file again and write the hunk from its current content:\n{quoted}"
    )
