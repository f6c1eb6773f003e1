"""The profiles in `config.toml`: one is read whole and checked, and changed one key at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.errors import ConfigurationError
from agentctl.redaction import mask_keys

from .document import Document, read_document, rewrite
from .dotted import drop, join, leaves, put, split
from .keys import check_entry, suggestion

DEFAULT_PROFILE = "default"
"""The profile where nobody names one; it is always there."""

_PROFILES = "profiles"
_IN_USE = "profile"
_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSelection:
    """A profile's name, and who source it."""

    name: str
    origin: str | None
    """`--profile`, a variable or the path of the file; None where nobody did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What one profile says."""

    path: Path | None
    """None where there is no home folder to hold it."""
    name: str
    values: Mapping[str, JSONValue]
    """Dotted key -> value, as the file has it; an open table has a key for each value."""
    origin: str | None = None
    """Who chose it, as in `Named`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """The profiles that there are."""

    names: tuple[str, ...]
    """The default one first."""
    current: ProfileSelection
    """The one that commands read and change; it may be missing."""


def check_profile_name(text: str) -> str:
    """Return what can be the name of a profile; raise `ValueError` where it cannot."""
    if not re.fullmatch(_NAME, text):
        raise ValueError(f"{text!r} is no name of a profile: up to 64 letters, digits, - and _, the first not - or _")
    return text


def load_profile(
    path: Path | None, named: ProfileSelection | None = None, *, required: bool = False, may_be_new: bool = False
) -> Profile:
    """Return the profile that was named, or else the one in use; a missing file says nothing unless it is `required`.

    Raises `ConfigurationError`: the file is missing, or it cannot be parsed, or there is no such profile, unless one
    that was named `may_be_new`, or a key or value in it is wrong.
    """
    document = None if path is None else read_document(path)
    if document is None and required:
        raise ConfigurationError("there is no such file; `config set` with the same path creates it", file=path)
    document = document or {}
    _check_structure(document, path)
    found = _select_profile(document, path, named)
    if named is None or not may_be_new:
        _check_exists(document, path, found)
    return Profile(path=path, name=found.name, origin=found.origin, values=_values(document, path, found.name))


def load_profiles(path: Path | None, named: ProfileSelection | None = None) -> Profiles:
    """Return the profiles that there are; raise `ConfigurationError` where the file is wrong."""
    document = {} if path is None else read_document(path) or {}
    _check_structure(document, path)
    return Profiles(names=_names(document), current=_select_profile(document, path, named))


def set_values(
    path: Path | None, changes: Mapping[str, JSONValue], named: ProfileSelection | None = None
) -> str | None:
    """Store checked values by their dotted keys, in a new profile where it is not there; return its name if it is new.

    Raises `ConfigurationError`, nothing changed, where that fails.
    """
    created: str | None = None

    def edit(document: Document) -> Document:
        nonlocal created
        _check_structure(document, path)
        found = _select_profile(document, path, named)
        if found.name not in _names(document):
            if named is None:
                _check_exists(document, path, found)
            created = found.name
        document.setdefault(_PROFILES, {}).setdefault(found.name, {})
        for name, value in changes.items():
            put(document, (_PROFILES, found.name, *split(name)), value)
        _values(document, path, found.name)
        return document

    rewrite(path, edit)
    return created


def change_list(
    path: Path | None,
    name: str,
    change: Callable[[list[JSONValue]], list[JSONValue]],
    named: ProfileSelection | None = None,
) -> None:
    """Store what `change` makes of the list that a key has in the profile; an empty one is no value at all.

    What it raises comes out, and nothing is changed then.
    """

    def edit(document: Document) -> Document:
        _check_structure(document, path)
        profile = _select_profile(document, path, named)
        _check_exists(document, path, profile)
        before = _values(document, path, profile.name).get(name)
        after = change(list(before) if isinstance(before, list) else [])
        parts = (_PROFILES, profile.name, *split(name))
        if after:
            put(document, parts, after)
        else:
            drop(document.get(_PROFILES, {}).get(profile.name, {}), split(name))
        _values(document, path, profile.name)
        return document

    rewrite(path, edit)


def unset_value(path: Path | None, name: str, named: ProfileSelection | None = None) -> bool:
    """Remove a value, or a whole table, from the profile; say whether it was there."""
    found = False

    def edit(document: Document) -> Document | None:
        nonlocal found
        _check_structure(document, path)
        profile = _select_profile(document, path, named)
        _check_exists(document, path, profile)
        table = document.get(_PROFILES, {}).get(profile.name, {})
        # The profile itself stays, even if it says nothing now.
        found = drop(table, split(name))
        return document if found else None

    rewrite(path, edit)
    return found


def use_profile(path: Path | None, name: str) -> None:
    """Make a profile the one that holds where nobody names another; raise `ConfigurationError` where there is none."""

    def edit(document: Document) -> Document | None:
        _check_structure(document, path)
        _check_exists(document, path, ProfileSelection(name=name, origin=None))
        if name == DEFAULT_PROFILE:
            return document if drop(document, (_IN_USE,)) else None
        return {_IN_USE: name, **{key: value for key, value in document.items() if key != _IN_USE}}

    rewrite(path, edit)


def delete_profile(path: Path | None, name: str) -> None:
    """Remove a profile with all it says; raise `ConfigurationError` where there is none, or it is in use."""

    def edit(document: Document) -> Document:
        _check_structure(document, path)
        check_deletable(Profiles(names=_names(document), current=_select_profile(document, path, None)), name, path)
        drop(document, (_PROFILES, name))
        return document

    rewrite(path, edit)


def check_deletable(profiles: Profiles, name: str, path: Path | None) -> None:
    """Raise `ConfigurationError`, saying why, where a profile cannot be deleted."""
    if name == DEFAULT_PROFILE:
        raise ConfigurationError(
            f"the profile {name!r} is always there; `agentctl config unset KEY` and `unset-key` empty it"
        )
    if name not in profiles.names:
        raise _unknown_profile(ProfileSelection(name=name, origin=None), profiles.names, path)
    if name == profiles.current.name:
        raise ConfigurationError(
            f"the profile {name!r} is in use, as {profiles.current.origin} says; use another one first: "
            f"`agentctl config profiles use {DEFAULT_PROFILE}`"
        )


def _check_structure(document: Document, path: Path | None) -> None:
    """Refuse a file that holds anything but tables of profiles, and the name of one."""
    for name in document:
        if name not in (_PROFILES, _IN_USE):
            raise ConfigurationError("unknown key; settings belong below [profiles.default]", file=path, key=name)
    profiles = document.get(_PROFILES, {})
    if not isinstance(profiles, dict):
        raise ConfigurationError("wants a table of profiles", file=path, key=_PROFILES)
    for name, table in profiles.items():
        _check_name(name, path, join((_PROFILES, name)))
        if not isinstance(table, dict):
            raise ConfigurationError("wants a table of settings", file=path, key=join((_PROFILES, name)))
    if _IN_USE in document:
        _check_name(document[_IN_USE], path, _IN_USE)


def _check_name(name: JSONValue, path: Path | None, key: str) -> None:
    try:
        check_profile_name(name if isinstance(name, str) else "")
    except ValueError as error:
        raise ConfigurationError(str(error), file=path, key=key) from error


def _names(document: Document) -> tuple[str, ...]:
    return tuple(dict.fromkeys((DEFAULT_PROFILE, *document.get(_PROFILES, {}))))


def _select_profile(document: Document, path: Path | None, named: ProfileSelection | None) -> ProfileSelection:
    if named is not None:
        return named
    if _IN_USE in document:
        return ProfileSelection(name=document[_IN_USE], origin=str(path))
    return ProfileSelection(name=DEFAULT_PROFILE, origin=None)


def _check_exists(document: Document, path: Path | None, named: ProfileSelection) -> None:
    names = _names(document)
    if named.name not in names:
        raise _unknown_profile(named, names, path)


def _unknown_profile(named: ProfileSelection, names: tuple[str, ...], path: Path | None) -> ConfigurationError:
    name = mask_keys(named.name)
    source = "" if named.origin is None else f", which {named.origin} names"
    if path is None:
        return ConfigurationError(
            f"there is no profile {name!r}{source}: there is no usable home folder; AGENTCTL_HOME can name one"
        )
    return ConfigurationError(
        f"there is no profile {name!r}{source}{suggestion(named.name, names)}; there are: {', '.join(names)}; "
        f"`agentctl --profile {name} config set KEY VALUE` makes one"
    )


def _values(document: Document, path: Path | None, profile: str) -> dict[str, JSONValue]:
    """Return the values of a profile by their dotted keys, each checked."""
    values: dict[str, JSONValue] = {}
    for parts, value in leaves(document.get(_PROFILES, {}).get(profile, {})):
        try:
            key = check_entry(parts, value)
        except ValueError as error:
            where = mask_keys(join((_PROFILES, profile, *parts)))
            raise ConfigurationError(mask_keys(str(error)), file=path, key=where) from error
        if key is not None:
            values[join(parts)] = value
    return values
