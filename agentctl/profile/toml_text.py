"""Changes of a TOML text that keep its comments and layout; pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping

import tomli_w

from agentctl.agent.wire import JSONValue

from .dotted import Parts

_HEADER = re.compile(r"\s*\[([^\[\]]+)\]\s*(?:#.*)?")
_ENTRY = re.compile(
    r"""(\s*)((?:[A-Za-z0-9_-]+|"[^"\\]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"\\]*"|'[^']*'))*)\s*="""
)
_COMMENT = re.compile(r"""(?:[^#"']|"(?:[^"\\]|\\.)*"|'[^']*')*?(\s*#.*)?""")


def has_comments(text: str) -> bool:
    """Return whether a TOML text has a comment; a `#` in a text of several lines counts too."""
    return any((found := _COMMENT.fullmatch(line)) is None or found[1] for line in text.split("\n") if "#" in line)


def edit_text(text: str, before: Mapping[str, JSONValue], after: Mapping[str, JSONValue]) -> str | None:
    """Return the text of `before` changed to say `after`, with its comments; None if whole lines do not suffice."""
    lines = text.split("\n")
    old, new = dict(_leaves(before, ())), dict(_leaves(after, ()))
    for parts in old.keys() - new.keys():
        if (place := _find(lines, parts)) is None:
            return None
        del lines[place]
    for parts, value in new.items():
        if parts in old and old[parts] == value and type(old[parts]) is type(value):
            continue
        place = _find(lines, parts)
        if place is None:
            _insert(lines, parts, value)
        else:
            lines[place] = _replace(lines[place], value)
    changed = "\n".join(lines)
    try:
        return changed if tomllib.loads(changed) == after else None
    except ValueError:
        return None


def _leaves(table: Mapping[str, JSONValue], parts: Parts) -> Iterator[tuple[Parts, JSONValue]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*parts, name))
        else:
            yield (*parts, name), value


def _entries(lines: list[str]) -> Iterator[tuple[int, Parts, Parts | None]]:
    """Yield for each line its index, the table that it is in, and the key that it sets, if any."""
    table: Parts = ()
    for index, line in enumerate(lines):
        if header := _HEADER.fullmatch(line):
            table = _parts(header[1])
            yield index, table, None
        elif entry := _ENTRY.match(line):
            yield index, table, (*table, *_parts(entry[2]))


def _find(lines: list[str], parts: Parts) -> int | None:
    return next((index for index, _, key in _entries(lines) if key == parts), None)


def _replace(line: str, value: JSONValue) -> str:
    entry = _ENTRY.match(line)
    comment = _COMMENT.fullmatch(line)
    assert entry is not None
    kept = comment[1] if comment is not None and comment[1] else ""
    return f"{entry[0]} {_value(value)}{kept}"


def _insert(lines: list[str], parts: Parts, value: JSONValue) -> None:
    """Insert a line at the end of the nearest table, before the comments of the next one."""
    own = [(len(table), index) for index, table, _ in _entries(lines) if table and parts[: len(table)] == table]
    if not own or max(own)[0] < min(2, len(parts) - 1):
        table, name = parts[:2] if len(parts) > 2 else parts[:-1], parts[2:] if len(parts) > 2 else parts[-1:]
        entry = f"{_name(name)} = {_value(value)}"
        if not table:
            lines.insert(0, entry)
            return
        while lines and not lines[-1].strip():
            lines.pop()
        lines += ["", f"[{_name(table)}]", entry, ""] if lines else [f"[{_name(table)}]", entry, ""]
        return
    depth = max(own)[0]
    last = max(index for size, index in own if size == depth)
    lines.insert(last + 1, f"{_name(parts[depth:])} = {_value(value)}")


def _parts(text: str) -> Parts:
    return tuple(part.strip().strip("\"'") for part in re.findall(r"""\s*"[^"]*"|\s*'[^']*'|[^.]+""", text))


def _name(parts: Parts) -> str:
    key = tomli_w.dumps(dict.fromkeys(parts, 0)).strip().split("\n")
    return ".".join(line.removesuffix(" = 0") for line in key)


def _value(value: JSONValue) -> str:
    return tomli_w.dumps({"x": value}).strip().removeprefix("x = ")
