"""Docstrings of tool functions: the description, and those of the parameters, in the style that they are written in."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agentctl._dataclass import dataclass

if TYPE_CHECKING:
    from griffe import DocstringSection


DocstringStyle: TypeAlias = Literal["google", "numpy", "sphinx"]

_STYLES: tuple[DocstringStyle, ...] = ("google", "numpy", "sphinx")

_SECTIONS = re.compile(
    r"^\s*(args|arguments|parameters|params|keyword args|keyword arguments|other parameters|returns|yields|receives"
    r"|raises|exceptions|warns|examples?|attributes)\s*:\s*$|^\s*:\w+[^:]*:|^\s*-{3,}\s*$",
    re.IGNORECASE | re.MULTILINE,
)
"""Matches the section headings of a structured docstring, in any style."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Documentation:
    """The text of a docstring and its descriptions of parameters."""

    description: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass
class FuncDocumentation:
    """The content of a docstring, under the names of the Agents SDK."""

    name: str
    description: str | None
    param_descriptions: dict[str, str] | None


def generate_func_documentation(func: Callable[..., Any], style: DocstringStyle | None = None) -> FuncDocumentation:
    """Return the name of a function, and the description of it and its parameters in its docstring."""
    documentation = read_docstring(inspect.getdoc(func) or "", style)
    return FuncDocumentation(func.__name__, documentation.description, documentation.parameters or None)


def read_docstring(text: str, style: DocstringStyle | None = None) -> Documentation:
    """Parse a docstring; without a style, in the first style that finds parameters or other sections."""
    whole = Documentation(description=text.strip() or None)
    if not _SECTIONS.search(text):
        return whole
    # 75 ms: imported only for docstrings with sections.
    from griffe import Docstring

    parsed = [
        _read(Docstring(_regular_google(text) if kind == "google" else text).parse(kind, warnings=False))
        for kind in ([style] if style else _STYLES)
    ]
    candidates = [result for result in parsed if result is not None]
    return next((result for result in candidates if result.parameters), next(iter(candidates), whole))


_TITLE = re.compile(
    r"(args|arguments|parameters|params|keyword args|keyword arguments|other parameters|returns|yields|receives|raises"
    r"|exceptions|warns|warnings|examples?|attributes|notes?|todo)\s*:",
    re.IGNORECASE,
)
_PARAMETERS = re.compile(r"(args|arguments|parameters|params|keyword arg.*|other parameters)\s*:", re.IGNORECASE)
_ENTRY = re.compile(
    r"(?:[-*•+]\s+)?(?P<quote>`{0,2})(?P<name>\*{0,2}\w+)(?P=quote)\s*(?P<type>\([^)]*\)|\{[^}]*\})?"
    r"(?:\s*:(?=\s|$)|\s+[-\u2013]{1,2}(?=\s))"
)
_PROSE = re.compile(r"\w+(?!\s+and\s+\w+:)\s+\w[^(:]*:")
"""Matches a line of text with a colon, which is no entry."""
_AND = re.compile(r"\s*,\s*|\s+and\s+")


def _regular_google(text: str) -> str:
    """Return a Google docstring with its sections as `griffe` expects them.

    A section begins after a blank line and has none below its title, and its entries are indented and begin with the
    bare name of a parameter: no bullet, no backticks, no space before the colon.
    """
    regular: list[str] = []
    title_indent, entry_indent = -1, -1  # -1 outside of a section, and outside of parameters.
    lines = _with_indented_entries(_without_margin(text.splitlines()))
    for number, line in enumerate(lines):
        indent = _indent(line)
        below = next((other for other in lines[number + 1 :] if other.strip()), "")
        if title_indent >= 0 and line.strip() and indent <= title_indent:
            if entry_indent >= 0 and not line.rstrip().endswith(":") and _has_entry(lines[number + 1 :], entry_indent):
                regular.append(
                    f"{' ' * entry_indent}    {line.strip()}"
                )  # A line of an entry that lost its indentation.
                continue
            regular.append("")
            title_indent, entry_indent = -1, -1
        if title_indent < 0 and _TITLE.fullmatch(line.strip()) and _indent(below) > indent:
            regular += ["", line]
            title_indent, entry_indent = indent, _indent(below) if _PARAMETERS.fullmatch(line.strip()) else -1
        elif line.strip() and indent == entry_indent and (entry := _ENTRY.match(line.strip())):
            kind = f" ({entry['type'][1:-1]})" if entry["type"] else ""
            regular.append(f"{' ' * indent}{entry['name']}{kind}:{line.strip()[entry.end() :]}")
        elif indent == entry_indent and _PROSE.match(line.strip()):
            regular.append(f"    {line}")
        elif line.strip() or not (regular and _TITLE.fullmatch(regular[-1].strip()) and title_indent >= 0):
            regular.append(line)
    return "\n".join(regular)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


_END_OF_ENTRIES = re.compile(rf"(?:{_TITLE.pattern})$|examples?\b.*:$|>>>", re.IGNORECASE)


def _has_entry(lines: list[str], indent: int) -> bool:
    """Return whether there is an entry with this indentation above the next title."""
    for line in lines:
        if _END_OF_ENTRIES.match(line.strip()) and _indent(line) <= indent:
            return False
        if line.strip() and _indent(line) == indent and _ENTRY.match(line.strip()):
            return True
    return False


def _without_margin(lines: list[str]) -> list[str]:
    """Return the lines of a docstring that `getdoc` left indented, since one of them begins at the margin."""
    margins = [_indent(line) for line in lines if _PARAMETERS.fullmatch(line.strip())]
    margin = min(margins, default=0)
    is_margin = margin > 0 and next((_indent(line) == margin for line in lines[1:] if line.strip()), False)
    return [line[margin:] if _indent(line) >= margin else line for line in lines] if is_margin else lines


def _with_indented_entries(lines: list[str]) -> list[str]:
    """Return lines with those entries of parameters indented that are as far left as their title."""
    for number, line in enumerate(lines):
        first = next((place for place in range(number + 1, len(lines)) if lines[place].strip()), None)
        if first is None or not _PARAMETERS.fullmatch(line.strip()) or _indent(lines[first]) != _indent(line):
            continue
        if not _has_entry(lines[first : first + 1], _indent(line)):
            continue
        end = first
        while end < len(lines) and _has_entry(lines[end:], _indent(line)):
            end += 1
        while end < len(lines) and lines[end].strip() and not _END_OF_ENTRIES.match(lines[end].strip()):
            end += 1
        return [*lines[:first], *(f"    {one}" if one.strip() else one for one in lines[first:end]), *lines[end:]]
    return lines


def _read(sections: list[DocstringSection]) -> Documentation | None:
    """Return the content of sections; None if they are all text, which means another style, or none."""
    description: str | None = None
    parameters: dict[str, str] = {}
    is_text = True
    for section in sections:
        match section.kind.value:
            case "text":
                description = description or section.value.strip() or None
            case "admonition":
                pass  # The text above a line of dashes, or an indented block.
            case "parameters" | "other parameters":
                parameters |= {
                    name.lstrip("*"): parameter.description.strip()
                    for parameter in section.value
                    for name in _AND.split(parameter.name)
                }
                is_text = False
            case _:
                is_text = False
    return None if is_text else Documentation(description=description, parameters=parameters)
