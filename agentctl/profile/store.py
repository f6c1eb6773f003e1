"""The profiles in `config.toml`: reading with validation, and changes of single keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.errors import ConfigurationError
from agentctl.redaction import redact_keys
from agentctl.storage import lock_file, write_atomic

from .document import PRIVATE, Document, parse_document, read_document, rewrite
from .dotted import Parts, drop, join, leaves, put, split
from .keys import UnknownKeyError, check_entry, resembles_ours, suggestion

DEFAULT_PROFILE = "default"
"""The profile used by default; it always exists."""

OnCopy: TypeAlias = Callable[[Path], None]
"""Called with the path of a copy of the file, which is made before a change that loses its comments."""

_PROFILES = "profiles"
_DEFAULT_KEY = "profile"
_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSelection:
    """The name of the selected profile, and its origin."""

    name: str
    origin: str | None
    """`--profile`, a variable or the path of the file; None for the default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A profile and its values."""

    path: Path | None
    """None if there is no home folder."""
    name: str
    values: Mapping[str, JSONValue]
    """Dotted key -> value, as in the file; an open table has one key for each value."""
    origin: str | None = None
    """The origin of the selection, as in `ProfileSelection`."""
    unknown: tuple[str, ...] = ()
    """Keys that this version does not know, in the profile and beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """The existing profiles."""

    names: tuple[str, ...]
    """All names, the default first."""
    current: ProfileSelection
    """The selected profile; it may not exist."""


def check_profile_name(text: str) -> str:
    """Return `text` if it is a valid profile name; raise `ValueError` otherwise."""
    if not re.fullmatch(_NAME, text):
        raise ValueError(
            f"{text!r} is not a profile name; use up to 64 letters, digits, - and _, not starting with - or _"
        )
    return text


def load_profile(
    path: Path | None, named: ProfileSelection | None = None, *, required: bool = False, may_be_new: bool = False
) -> Profile:
    """Return the selected profile, by default the one set in the file; a missing file is empty unless `required`.

    Raises:
        ConfigurationError: the file is missing or invalid, a key or value of the profile is invalid, or the profile
            does not exist, unless it was selected and `may_be_new`.
    """
    document = None if path is None else read_document(path)
    if document is None and required:
        raise ConfigurationError("there is no such file; create it with `config set` and the same path", file=path)
    document = document or {}
    _check_structure(document, path)
    found = _select_profile(document, path, named)
    if named is None or not may_be_new:
        _check_exists(document, path, found)
    unknown: list[str] = [name for name in document if name not in (_PROFILES, _DEFAULT_KEY)]
    values = _values(document, path, found.name, unknown)
    return Profile(path=path, name=found.name, origin=found.origin, values=values, unknown=tuple(unknown))


def load_profiles(path: Path | None, named: ProfileSelection | None = None) -> Profiles:
    """Return the existing profiles; raise `ConfigurationError` if the file is invalid."""
    document = {} if path is None else read_document(path) or {}
    _check_structure(document, path)
    return Profiles(names=_names(document), current=_select_profile(document, path, named))


def set_values(
    path: Path | None,
    changes: Mapping[str, JSONValue],
    named: ProfileSelection | None = None,
    *,
    on_copy: OnCopy | None = None,
) -> str | None:
    """Store valid values by their dotted keys, creating the profile if needed; return its name if it is new.

    Raises:
        ConfigurationError: the file is invalid or cannot be written; it is unchanged.
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

    rewrite(path, edit, on_copy=on_copy)
    return created


def change_list(
    path: Path | None,
    name: str,
    change: Callable[[list[JSONValue]], list[JSONValue]],
    named: ProfileSelection | None = None,
    *,
    on_copy: OnCopy | None = None,
) -> None:
    """Replace a list in the profile by the result of `change`; an empty list removes the key.

    Errors of `change` propagate, and nothing is stored then.
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

    rewrite(path, edit, on_copy=on_copy)


def unset_value(
    path: Path | None, name: str, named: ProfileSelection | None = None, *, on_copy: OnCopy | None = None
) -> bool:
    """Remove a value or a whole table from the profile; return whether it existed."""
    found = False

    def edit(document: Document) -> Document | None:
        nonlocal found
        _check_structure(document, path)
        profile = _select_profile(document, path, named)
        _check_exists(document, path, profile)
        table = document.get(_PROFILES, {}).get(profile.name, {})
        # The profile itself stays, even if it is empty now.
        found = drop(table, split(name))
        return document if found else None

    rewrite(path, edit, on_copy=on_copy)
    return found


def use_profile(path: Path | None, name: str, *, on_copy: OnCopy | None = None) -> None:
    """Set the default profile; raise `ConfigurationError` if it does not exist."""

    def edit(document: Document) -> Document | None:
        _check_structure(document, path)
        _check_exists(document, path, ProfileSelection(name=name, origin=None))
        if name == DEFAULT_PROFILE:
            return document if drop(document, (_DEFAULT_KEY,)) else None
        return {_DEFAULT_KEY: name, **{key: value for key, value in document.items() if key != _DEFAULT_KEY}}

    rewrite(path, edit, on_copy=on_copy)


def delete_profile(path: Path | None, name: str, *, on_copy: OnCopy | None = None) -> None:
    """Delete a profile; raise `ConfigurationError` if it does not exist or is in use."""

    def edit(document: Document) -> Document:
        _check_structure(document, path)
        check_deletable(Profiles(names=_names(document), current=_select_profile(document, path, None)), name, path)
        drop(document, (_PROFILES, name))
        return document

    rewrite(path, edit, on_copy=on_copy)


def check_deletable(profiles: Profiles, name: str, path: Path | None) -> None:
    """Raise `ConfigurationError`, with the reason, if a profile cannot be deleted."""
    if name == DEFAULT_PROFILE:
        raise ConfigurationError(
            f"the profile {name!r} cannot be deleted; use `agentctl config unset KEY` and `unset-key` to empty it"
        )
    if name not in profiles.names:
        raise _unknown_profile(ProfileSelection(name=name, origin=None), profiles.names, path)
    if name == profiles.current.name:
        raise ConfigurationError(
            f"the profile {name!r} is in use, set by {profiles.current.origin}; use another one first: "
            f"`agentctl config profiles use {DEFAULT_PROFILE}`"
        )


def replace_profiles(path: Path, before: str | None, after: str) -> None:
    """Replace the text of the file, read as `before`, by an edited one.

    Raises:
        ConfigurationError: the new text is invalid, and is kept beside the file; or the file has changed meanwhile.
    """
    data = after.encode()
    try:
        document = parse_document(data, path)
        _check_structure(document, path)
        for name in _names(document):
            _values(document, path, name)
        _check_exists(document, path, _select_profile(document, path, None))
        with lock_file(path):
            current = path.read_text(encoding="utf-8") if path.exists() else None
            if current != before:
                raise ConfigurationError("another process changed the file meanwhile", file=path)
            write_atomic(path, data, mode=PRIVATE if before is None else None)
    except ConfigurationError as error:
        kept = path.with_name(f"{path.name}.edited")
        write_atomic(kept, data, mode=PRIVATE)
        raise ConfigurationError(f"{error}; the file is unchanged, and your text is in {kept}") from error


def _check_structure(document: Document, path: Path | None) -> None:
    """Reject a file whose tables of profiles or default profile are invalid, or that has settings beside them."""
    for name in document:
        if name not in (_PROFILES, _DEFAULT_KEY) and resembles_ours((name,), (_PROFILES, _DEFAULT_KEY)):
            raise ConfigurationError("unknown key; settings belong below [profiles.default]", file=path, key=name)
    profiles = document.get(_PROFILES, {})
    if not isinstance(profiles, dict):
        raise ConfigurationError("must be a table of profiles", file=path, key=_PROFILES)
    for name, table in profiles.items():
        _check_name(name, path, join((_PROFILES, name)))
        if not isinstance(table, dict):
            raise ConfigurationError("must be a table of settings", file=path, key=join((_PROFILES, name)))
    if _DEFAULT_KEY in document:
        _check_name(document[_DEFAULT_KEY], path, _DEFAULT_KEY)


def _check_name(name: object, path: Path | None, key: str) -> None:
    try:
        check_profile_name(name if isinstance(name, str) else "")
    except ValueError as error:
        raise ConfigurationError(str(error), file=path, key=key) from error


def _names(document: Document) -> tuple[str, ...]:
    return tuple(dict.fromkeys((DEFAULT_PROFILE, *document.get(_PROFILES, {}))))


def _select_profile(document: Document, path: Path | None, named: ProfileSelection | None) -> ProfileSelection:
    if named is not None:
        return named
    if _DEFAULT_KEY in document:
        return ProfileSelection(name=document[_DEFAULT_KEY], origin=str(path))
    return ProfileSelection(name=DEFAULT_PROFILE, origin=None)


def _check_exists(document: Document, path: Path | None, named: ProfileSelection) -> None:
    names = _names(document)
    if named.name not in names:
        raise _unknown_profile(named, names, path)


def _unknown_profile(named: ProfileSelection, names: tuple[str, ...], path: Path | None) -> ConfigurationError:
    name = redact_keys(named.name)
    source = "" if named.origin is None else f" (set by {named.origin})"
    if path is None:
        return ConfigurationError(
            f"there is no profile {name!r}{source}, and no usable home folder; set AGENTCTL_HOME to a writable folder"
        )
    return ConfigurationError(
        f"there is no profile {name!r}{source}{suggestion(named.name, names)}; known profiles: {', '.join(names)}; "
        f"`agentctl --profile {name} config set KEY VALUE` creates it"
    )


def _values(
    document: Document, path: Path | None, profile: str, unknown: list[str] | None = None
) -> dict[str, JSONValue]:
    """Return the values of a profile by dotted key; raise `ConfigurationError` if one is invalid.

    Keys that this version does not know, and that resemble none of its own, are added to `unknown`.
    """
    values: dict[str, JSONValue] = {}
    for parts, value in leaves(document.get(_PROFILES, {}).get(profile, {})):
        try:
            key = check_entry(parts, value)
        except UnknownKeyError as error:
            if resembles_ours(parts):
                raise _invalid(path, profile, parts, error) from error
            if unknown is not None:
                unknown.append(join(parts))
            continue
        except ValueError as error:
            raise _invalid(path, profile, parts, error) from error
        if key is not None:
            values[join(parts)] = value
    return values


def _invalid(path: Path | None, profile: str, parts: Parts, error: ValueError) -> ConfigurationError:
    where = redact_keys(join((_PROFILES, profile, *parts)))
    return ConfigurationError(redact_keys(str(error)), file=path, key=where)
