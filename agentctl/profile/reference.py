"""How an agent is named: `file.py:attr`, `module:attr`, or a bare name that a project file explains."""

from __future__ import annotations

from typing import TypeAlias

from agentctl._dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReference:
    """An attribute of a Python file."""

    path: str
    attribute: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleReference:
    """An attribute of a module that Python can import."""

    module: str
    attribute: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NameReference:
    """A name from the `agents` table of a project file."""

    name: str


Reference: TypeAlias = FileReference | ModuleReference | NameReference

_FORMS = "write path/to/file.py:attr, package.module:attr, or a name from agentctl.toml"


def parse_reference(text: str) -> Reference:
    """Take the reference of an agent apart; raise `ValueError` where it is none."""
    place, colon, attribute = text.rpartition(":")
    if not colon:
        if is_name(text):
            return NameReference(name=text)
        if text.endswith(".py"):
            raise ValueError(
                f"{text!r} does not say which attribute of the file is the agent: {text}:agent, for example"
            )
        raise ValueError(f"{text!r} names no agent; {_FORMS}")
    if not is_dotted(attribute):
        raise ValueError(f"{attribute!r} in {text!r} is not the name of an attribute; {_FORMS}")
    if place.endswith(".py"):
        return FileReference(path=place, attribute=attribute)
    if is_dotted(place):
        return ModuleReference(module=place, attribute=attribute)
    raise ValueError(f"{place!r} in {text!r} is neither a .py file nor a module; {_FORMS}")


def is_name(text: str) -> bool:
    """Say whether `text` can be the name of an agent in a project file."""
    return text.isascii() and text.replace("-", "").replace("_", "").isalnum() and not text.startswith("-")


def is_dotted(text: str) -> bool:
    """Say whether `text` can be the dotted name of a module or attribute."""
    return all(part.isidentifier() for part in text.split("."))
