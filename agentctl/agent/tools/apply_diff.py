"""V4A diffs: the hunks that a model writes for a file, found by their lines and applied; pure.

A hunk is lines that stay (after a space), go (after `-`) and come (after `+`). It may begin with `@@` and a line of the
file that it lies behind, and end with `*** End of File`. There are no line numbers: a hunk is where its lines are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Literal

from agentctl._dataclass import dataclass

_END = "*** End of File"
_LINE_NUMBERS = re.compile(r"-\d+(,\d+)? \+\d+(,\d+)? @@")
"""How the hunks of another format begin, which models fall back on."""
_LIKENESSES: tuple[Callable[[str], str], ...] = (lambda line: line.rstrip("\r"), str.rstrip, str.strip)
"""What two lines are compared by, the strictest first: models are careless about space at the ends of lines."""
_MOST_SHOWN = 12


@dataclass(slots=True)
class _Hunk:
    number: int
    anchors: list[str] = field(default_factory=list)
    """Lines of the file, in its order, that the hunk lies behind."""
    lines: list[tuple[str, str]] = field(default_factory=list)
    """Each with its sign: a space, `-` or `+`."""
    is_at_end: bool = False

    @property
    def old(self) -> list[str]:
        """The lines of the file that the hunk is found by."""
        return [line for sign, line in self.lines if sign != "+"]


def apply_diff(input: str, diff: str, mode: Literal["default", "create"] = "default") -> str:
    """Return `input` with a diff applied; in mode `create` the diff is a whole new file, every line after a `+`.

    Line ends and the end of the file stay as they are.

    Raises:
        ValueError: the diff is malformed, or a hunk is not found in the file.
    """
    if mode == "create":
        return "\n".join(_new_lines(diff))
    ends_with_newline = not input or input.endswith("\n")
    lines = input.removesuffix("\n").split("\n") if input else []
    changed = list(_changed(lines, _hunks(diff)))
    return "\n".join(changed) + ("\n" if ends_with_newline and changed else "")


def _new_lines(diff: str) -> Iterator[str]:
    for number, line in enumerate(_lines(diff), 1):
        if not line.startswith("+"):
            raise ValueError(f"line {number} of the diff of a new file does not begin with '+': {line!r}")
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
            anchor = line[2:].removeprefix(" ")
            if anchor.strip() and not _LINE_NUMBERS.match(anchor):
                hunk.anchors.append(anchor)
        elif line == _END:
            hunk.is_at_end = True
            yield hunk
            hunk = _Hunk(hunk.number + 1)
        elif not line or line[0] in " -+":
            hunk.lines.append((line[:1] or " ", line[1:]))
        elif not line.startswith("\\"):  # "\ No newline at end of file", of the other format
            raise ValueError(f"line {number} of the diff begins with none of '@@', ' ', '-' and '+': {line!r}")
    if hunk.lines:
        yield hunk


def _changed(lines: list[str], hunks: Iterator[_Hunk]) -> Iterator[str]:
    newline = "\r" if lines and lines[0].endswith("\r") else ""
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
    """Return where a hunk's lines begin, at or after `start`."""
    old, behind = hunk.old, start
    missing = None
    for anchor in hunk.anchors:
        found = _anchored(anchor, lines, behind)
        if found is None:
            missing = anchor
            break
        behind = found + 1
    if missing is not None:
        return _only_place(hunk, old, missing, lines, start)
    if not old:
        return len(lines) if hunk.is_at_end else behind
    last = len(lines) - len(old)
    if hunk.is_at_end and last >= behind and _found(old, lines, last) is not None:
        return last
    place = _found(old, lines, behind)
    if place is None and behind > start:
        place = _found(old, lines, behind - 1)  # Its lines may begin with the one it was said to lie behind.
    if place is None:
        raise ValueError(_not_found(hunk, old, behind))
    return place


def _anchored(anchor: str, lines: list[str], start: int) -> int | None:
    """Return where an anchor is found: a line, or else the first that has it in it."""
    found = _found([anchor], lines, start)
    if found is not None:
        return found
    return next((place for place in range(start, len(lines)) if anchor.strip() in lines[place]), None)


def _only_place(hunk: _Hunk, old: list[str], anchor: str, lines: list[str], start: int) -> int:
    """Return where a hunk is whose anchor is not in the file: its lines must then be there once, and no more."""
    place = _found(old, lines, start) if old else None
    if place is None or _found(old, lines, place + 1) is not None:
        raise ValueError(f"hunk {hunk.number} does not match: the file has no line {anchor!r} after line {start}")
    return place


def _found(wanted: list[str], lines: list[str], start: int) -> int | None:
    """Return where lines are first found one after the other, at or after `start`."""
    for alike in _LIKENESSES:
        sought = [alike(line) for line in wanted]
        for place in range(start, len(lines) - len(sought) + 1):
            if all(alike(lines[place + offset]) == line for offset, line in enumerate(sought)):
                return place
    return None


def _not_found(hunk: _Hunk, old: list[str], start: int) -> str:
    shown = "\n".join(old[:_MOST_SHOWN]) + ("\n…" if len(old) > _MOST_SHOWN else "")
    return (
        f"hunk {hunk.number} does not match: after line {start} the file does not have these lines, one after the "
        f"other; read the file again, then write the hunk from what it says:\n{shown}"
    )
