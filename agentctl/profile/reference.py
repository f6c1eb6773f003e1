"""References to agents: `file.py:attr`, `module:attr`, or a name defined in a project file.

Without an attribute, `file.py` and `package.module` name their only agent.
"""

from __future__ import annotations

from typing import TypeAlias

from agentctl._dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReference:
    """An attribute of a Python file, or its only agent."""

    path: str
    attribute: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleReference:
    """An attribute of an importable module, or its only agent."""

    module: str
    attribute: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NameReference:
    """A name from the `agents` table of a project file."""

    name: str


Reference: TypeAlias = FileReference | ModuleReference | NameReference

_FORMS = "write path/to/file.py:attr, package.module:attr, or a name from agentctl.toml"


def parse_reference(text: str) -> Reference:
    """Parse a reference to an agent; raise `ValueError` if it is invalid."""
    if is_name(text):
        return NameReference(name=text)
    place, attribute = text.removesuffix(":"), None
    if not place.endswith(".py"):
        place, _, attribute = text.rpartition(":")
        if not place and is_dotted(text):
            place, attribute = text, None
    if not place:
        raise ValueError(f"{text!r} is not a reference to an agent; {_FORMS}")
    if attribute is not None and not is_dotted(attribute):
        raise ValueError(f"{attribute!r} in {text!r} is not an attribute name; {_FORMS}")
    if place.endswith(".py"):
        return FileReference(path=place, attribute=attribute)
    if is_dotted(place):
        return ModuleReference(module=place, attribute=attribute)
    raise ValueError(f"{place!r} in {text!r} is neither a .py file nor a module; {_FORMS}")


def is_name(text: str) -> bool:
    """Return whether `text` is a valid name of an agent in a project file."""
    return text.isascii() and text.replace("-", "").replace("_", "").isalnum() and not text.startswith("-")


def is_dotted(text: str) -> bool:
    """Return whether `text` is a valid dotted name of a module or attribute."""
    return all(part.isidentifier() for part in text.split("."))
