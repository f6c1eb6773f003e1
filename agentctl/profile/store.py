"""The profile in `config.toml`: read whole and checked, changed one key at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agentctl.agent.wire import JSONValue
from agentctl.errors import ConfigurationError

from .document import Document, read_document, rewrite
from .dotted import drop, join, leaves, put, split
from .keys import check_entry

DEFAULT_PROFILE = "default"

_HERE = ("profiles", DEFAULT_PROFILE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What one profile says."""

    path: Path | None
    """None where there is no home folder to hold it."""
    name: str
    values: Mapping[str, JSONValue]
    """Dotted key -> value, as the file has it; an open table has a key for each value."""


def load_profile(path: Path | None, *, required: bool = False) -> Profile:
    """Return the profile in a file; a missing file says nothing unless it is `required`.

    Raises `ConfigurationError`: the file is missing, or it cannot be parsed, or a key or value in it is wrong.
    """
    document = None if path is None else read_document(path)
    if document is None or path is None:
        if required:
            raise ConfigurationError("there is no such file; `config set` with the same path creates it", file=path)
        return Profile(path=path, name=DEFAULT_PROFILE, values={})
    _check_frame(document, path)
    return Profile(path=path, name=DEFAULT_PROFILE, values=_values(document, path))


def set_values(path: Path | None, changes: Mapping[str, JSONValue]) -> None:
    """Store checked values by their dotted keys; raise `ConfigurationError`, nothing changed, where that fails."""

    def edit(document: Document) -> Document:
        _check_frame(document, path)
        for name, value in changes.items():
            put(document, (*_HERE, *split(name)), value)
        _values(document, path)
        return document

    rewrite(path, edit)


def unset_value(path: Path | None, name: str) -> bool:
    """Remove a value, or a whole table, from the profile; say whether it was there."""
    found = False

    def edit(document: Document) -> Document | None:
        nonlocal found
        _check_frame(document, path)
        found = drop(document, (*_HERE, *split(name)))
        return document if found else None

    rewrite(path, edit)
    return found


def _check_frame(document: Document, path: Path | None) -> None:
    """Refuse a file that holds anything but tables of profiles."""
    for name in document:
        if name != _HERE[0]:
            raise ConfigurationError("unknown key; settings belong below [profiles.default]", file=path, key=name)
    profiles = document.get(_HERE[0], {})
    if not isinstance(profiles, dict):
        raise ConfigurationError("wants a table of profiles", file=path, key=_HERE[0])
    if not isinstance(profiles.get(DEFAULT_PROFILE, {}), dict):
        raise ConfigurationError("wants a table of settings", file=path, key=join(_HERE))


def _values(document: Document, path: Path | None) -> dict[str, JSONValue]:
    """Return the values of the profile by their dotted keys, each checked."""
    values: dict[str, JSONValue] = {}
    for parts, value in leaves(document.get(_HERE[0], {}).get(DEFAULT_PROFILE, {})):
        try:
            key = check_entry(parts, value)
        except ValueError as error:
            raise ConfigurationError(str(error), file=path, key=join((*_HERE, *parts))) from error
        if key is not None:
            values[join(parts)] = value
    return values
