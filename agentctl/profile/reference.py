"""References to agents: `file.py:attr`, `module:attr`, `file.toml:name`, or a name defined in a project file.

Without an attribute or name, `file.py`, `package.module` and `file.toml` name their only agent.
"""

from __future__ import annotations

from pathlib import Path
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
class TableReference:
    """An agent in the `agents` table of a TOML file, or its only agent."""

    path: str
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NameReference:
    """A name from the `agents` table of a project file."""

    name: str


CodeReference: TypeAlias = FileReference | ModuleReference
"""A reference to Python code."""

Reference: TypeAlias = CodeReference | TableReference | NameReference

_FORMS = "write path/to/file.py:attr, package.module:attr, path/to/file.toml:name, or a name from agentctl.toml"


def parse_reference(text: str) -> Reference:
    """Parse a reference to an agent; raise `ValueError` if it is invalid."""
    if is_name(text):
        return NameReference(name=text)
    place, attribute = text.removesuffix(":"), None
    if not place.endswith((".py", ".toml")):
        place, _, attribute = text.rpartition(":")
        if not place and is_dotted(text):
            place, attribute = text, None
    if not place:
        raise ValueError(f"{text!r} is not a reference to an agent; {_FORMS}")
    if place.endswith(".toml"):
        if attribute is not None and not is_name(attribute):
            raise ValueError(f"{attribute!r} in {text!r} is not the name of an agent; {_FORMS}")
        return TableReference(path=place, name=attribute)
    if attribute is not None and not is_dotted(attribute):
        raise ValueError(f"{attribute!r} in {text!r} is not an attribute name; {_FORMS}")
    if place.endswith(".py"):
        return FileReference(path=place, attribute=attribute)
    if is_dotted(place):
        return ModuleReference(module=place, attribute=attribute)
    raise ValueError(f"{place!r} in {text!r} is neither a .py file nor a module; {_FORMS}")


def reference_at(reference: FileReference | TableReference, path: Path | str) -> str:
    """Return a reference as text, with another path of its file."""
    name = reference.attribute if isinstance(reference, FileReference) else reference.name
    return str(path) if name is None else f"{path}:{name}"


def is_name(text: str) -> bool:
    """Return whether `text` is a valid name of an agent in a project file."""
    return text.isascii() and text.replace("-", "").replace("_", "").isalnum() and not text.startswith("-")


def is_dotted(text: str) -> bool:
    """Return whether `text` is a valid dotted name of a module or attribute."""
    return all(part.isidentifier() for part in text.split("."))
