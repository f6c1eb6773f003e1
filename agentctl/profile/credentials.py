"""API keys, each bound to a profile and an endpoint origin, and the selection of the key that a run may send."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError
from agentctl.net.endpoint import NO_KEY
from agentctl.origin import OPENAI_BASE_URL, http_form, is_quoted, origin_of
from agentctl.redaction import register_secret

from .document import Document, read_document, rewrite
from .dotted import Parts, drop, join, put

MAX_KEY_LENGTH = 8192

TRACING = "tracing"
"""The purpose under which the key for exporting traces is stored, in place of an origin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A key to send, or `NO_KEY`."""

    value: str = field(repr=False)
    source: str
    """The source of the key, for display."""
    origins: frozenset[str] | None = None
    """Origins it may be sent to; None means the endpoint of the run, whichever it is."""
    use_for_tracing: bool = True
    """Whether traces may be exported with it if no key is stored for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFromKeyring:
    """A key stored in the system keyring."""

    entry: str
    """The name of its keyring entry."""
    source: str = "the keyring"
    """The source of the key, for display."""
    origins: frozenset[str] | None = None
    """See `Credential`."""
    use_for_tracing: bool = True
    """See `Credential`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFromCommand:
    """A key printed by a program that the user configured."""

    command: tuple[str, ...]
    source: str
    """The setting source that names the program, for display."""
    origins: frozenset[str] | None = None
    """See `Credential`."""


Key: TypeAlias = Credential | KeyFromCommand | KeyFromKeyring


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A key as stored in the file."""

    value: str | None = field(repr=False)
    """None if the key is in the system keyring."""
    use_for_tracing: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The keys stored for one profile."""

    path: Path | None
    profile: str
    keys: Mapping[str, StoredKey]
    """Purpose (an origin or `TRACING`) -> key."""
    notes: tuple[str, ...] = ()
    """Notes about the file, for stderr."""

    def find(self, purpose: str) -> Credential | KeyFromKeyring | None:
        """Return the key stored for an origin or `TRACING`, or None."""
        key = self.keys.get(purpose)
        if key is None:
            return None
        if key.value is None:
            return KeyFromKeyring(
                entry=keyring_entry(self.profile, purpose),
                origins=frozenset({_origin_for(purpose)}),
                use_for_tracing=key.use_for_tracing,
            )
        return Credential(
            value=key.value,
            source=str(self.path),
            origins=frozenset(_origin_for(name) for name, other in self.keys.items() if other.value == key.value),
            use_for_tracing=key.use_for_tracing,
        )


def load_credentials(path: Path | None, profile: str) -> Credentials:
    """Read the keys stored for a profile and register each as a secret.

    Raises:
        ConfigurationError: the file is invalid.
    """
    document = None if path is None else read_document(path)
    if document is None or path is None:
        return Credentials(path=path, profile=profile, keys={})
    keys = _keys(document, path).get(profile, {})
    return Credentials(path=path, profile=profile, keys=keys, notes=_permission_notes(path))


def store_key(path: Path | None, profile: str, purpose: str, key: StoredKey) -> None:
    """Store a valid key for an origin or `TRACING`, replacing any earlier one.

    The file becomes readable only by its owner.
    """
    register_key(key.value)
    entry: Document = {"keyring": True} if key.value is None else {"api_key": key.value}
    if not key.use_for_tracing:
        entry["use_for_tracing"] = False

    def edit(document: Document) -> Document:
        _keys(document, path)
        put(document, ("keys", profile, purpose), entry)
        return document

    rewrite(path, edit, private=True)


def remove_key(path: Path | None, profile: str, purpose: str) -> bool:
    """Remove the key of an origin or `TRACING` from the file; return whether there was one."""
    return _remove(path, ("keys", profile, purpose))


def remove_keys(path: Path | None, profile: str) -> bool:
    """Remove all keys of a profile from the file; return whether there were any."""
    return _remove(path, ("keys", profile))


def keyring_entry(profile: str, purpose: str) -> str:
    """Return the name of the keyring entry for a key."""
    return f"{profile} {purpose}"


def check_key(text: str) -> str:
    """Return a key without surrounding whitespace; raise `ValueError`, never showing the key, if it is invalid."""
    key = text.strip()
    if not key:
        raise ValueError("the key is empty")
    if is_quoted(key):
        raise ValueError("the key is in quotes; remove them (`docker --env-file` keeps quotes)")
    if len(key) > MAX_KEY_LENGTH:
        raise ValueError(f"the key is longer than {MAX_KEY_LENGTH} characters; this is probably not a key")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("the key must be one line of printable ASCII without spaces; check that it was copied whole")
    return key


def register_key(key: str | None) -> None:
    """Register a key as a secret, unless it is `NO_KEY`."""
    if key != NO_KEY:
        register_secret(key)


def key_for(
    base_url: str,
    environ: Mapping[str, str],
    credentials: Credentials,
    *,
    command: KeyFromCommand | None = None,
    no_key: bool = False,
) -> Key | None:
    """Return the key that may be sent to `base_url`, or None; runs no program.

    In order: `AGENTCTL_API_KEY`, for any endpoint; `command`, for its origins; a stored key, for its own origin;
    `OPENAI_API_KEY`, for OpenAI and the endpoints that the `OPENAI_*` variables name. `no_key` means that
    none is needed.
    """
    if no_key:
        return Credential(value=NO_KEY, source="client.key")
    origin = origin_of(base_url)
    return next(
        (key for key in _candidate_keys(origin, environ, credentials, command) if is_sendable_to(key, origin)), None
    )


def is_sendable_to(key: Key, origin: str) -> bool:
    """Return whether a key may be sent to an origin that the user chose for the run."""
    return key.origins is None or origin in key.origins


def check_websocket_origin(key: Key | None, *, base_url: str, websocket_base_url: str | None) -> None:
    """Check that the key of `base_url` may also be sent to the origin of the WebSocket URL.

    Raises:
        ConfigurationError: the origins differ, and the key is not for both.
    """
    if key is None or websocket_base_url is None:
        return
    origin, other = origin_of(base_url), origin_of(http_form(websocket_base_url))
    if other != origin and not is_sendable_to(key, other):
        raise ConfigurationError(
            f"{websocket_base_url} has a different origin ({other}) than client.base_url ({origin}), and the key from "
            f"{key.source} may not be sent to it; store the key for that origin too, with "
            f"AGENTCTL_CLIENT_BASE_URL={other} `agentctl config set-key`, or set AGENTCTL_API_KEY for this run",
            key="client.websocket_base_url",
        )


def _candidate_keys(
    origin: str, environ: Mapping[str, str], credentials: Credentials, command: KeyFromCommand | None
) -> Iterator[Key]:
    """Yield the available keys in order of precedence."""
    if key := _from_environment(environ, "AGENTCTL_API_KEY"):
        yield Credential(value=key, source="AGENTCTL_API_KEY")
    if command is not None:
        yield command
    if stored := credentials.find(origin):
        yield stored
    named = (environ.get(name, "").strip() for name in ("OPENAI_BASE_URL", "OPENAI_WEBSOCKET_BASE_URL"))
    openai_origins = frozenset(origin_of(http_form(url)) for url in (OPENAI_BASE_URL, *named) if url)
    if origin in openai_origins and (key := _from_environment(environ, "OPENAI_API_KEY")):
        yield Credential(value=key, source="OPENAI_API_KEY", origins=openai_origins)


def _from_environment(environ: Mapping[str, str], name: str) -> str | None:
    text = environ.get(name, "")
    if not text.strip():
        return None
    try:
        key = check_key(text)
    except ValueError as error:
        raise ConfigurationError(str(error), key=name) from None
    register_key(key)
    return key


def _origin_for(purpose: str) -> str:
    return origin_of(OPENAI_BASE_URL) if purpose == TRACING else purpose


def _remove(path: Path | None, parts: Parts) -> bool:
    found = False

    def edit(document: Document) -> Document | None:
        nonlocal found
        _keys(document, path)
        found = drop(document, parts)
        return document if found else None

    rewrite(path, edit, private=True)
    return found


def _keys(document: Document, path: Path | None) -> dict[str, dict[str, StoredKey]]:
    """Return profile -> purpose -> key; error messages never show a value."""
    table = document.get("keys", {})
    if not _is_table_of_tables(table) or document.keys() - {"keys"}:
        raise ConfigurationError('must contain only tables such as [keys.default."https://api.openai.com"]', file=path)
    return {
        profile: {purpose: _key(entry, path, join(("keys", profile, purpose))) for purpose, entry in entries.items()}
        for profile, entries in table.items()
    }


def _is_table_of_tables(table: object) -> bool:
    return isinstance(table, dict) and all(isinstance(inner, dict) for inner in table.values())


def _key(entry: Any, path: Path | None, place: str) -> StoredKey:
    use_for_tracing = entry.get("use_for_tracing", True) if isinstance(entry, dict) else None
    if not isinstance(use_for_tracing, bool):
        raise _invalid_entry(path, place)
    match {**entry, "use_for_tracing": True}:
        case {"keyring": True, "use_for_tracing": True, **rest} if not rest:
            return StoredKey(value=None, use_for_tracing=use_for_tracing)
        case {"api_key": str(text), "use_for_tracing": True, **rest} if not rest:
            try:
                value = check_key(text)
            except ValueError as error:
                raise ConfigurationError(str(error), file=path, key=f"{place}.api_key") from None
            register_key(value)
            return StoredKey(value=value, use_for_tracing=use_for_tracing)
        case _:
            raise _invalid_entry(path, place)


def _invalid_entry(path: Path | None, place: str) -> ConfigurationError:
    return ConfigurationError(
        "must be a table with api_key (a string) or keyring = true, and optionally use_for_tracing = false",
        file=path,
        key=place,
    )


def _permission_notes(path: Path) -> tuple[str, ...]:
    if sys.platform == "win32":
        return ()
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if not mode & 0o077:
        return ()
    return (f"{path} contains your keys and is accessible to other users (mode {mode:o}); run `chmod 600` on it",)
