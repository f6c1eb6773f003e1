"""What a docstring says of a function and of each of its parameters."""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Literal, TypeAlias

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
"""What a docstring with more than text in it has, in any style."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Documentation:
    """The text of a docstring, and the meanings of the parameters it names."""

    description: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)


def read_docstring(text: str, style: DocstringStyle | None = None) -> Documentation:
    """Return what a docstring says; without a style, that of the first one in which it names parameters or the like."""
    whole = Documentation(description=text.strip() or None)
    if not _SECTIONS.search(text):
        return whole
    # 75 ms: imported where a docstring has more than text in it.
    from griffe import Docstring

    docstring = Docstring(text)
    read = [_read(docstring.parse(kind, warnings=False)) for kind in ([style] if style else _STYLES)]
    found = [known for known in read if known is not None]
    return next((known for known in found if known.parameters), next(iter(found), whole))


def _read(sections: list[DocstringSection]) -> Documentation | None:
    """Return what sections say; None if all of it is text, which then was written in another style, or none."""
    description: str | None = None
    parameters: dict[str, str] = {}
    is_text = True
    for section in sections:
        match section.kind.value:
            case "text":
                description = description or section.value.strip() or None
            case "admonition":
                pass  # Whatever stands above a line of dashes, or an indented block.
            case "parameters" | "other parameters":
                parameters |= {parameter.name.lstrip("*"): parameter.description for parameter in section.value}
                is_text = False
            case _:
                is_text = False
    return None if is_text else Documentation(description=description, parameters=parameters)
