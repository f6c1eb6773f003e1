"""Stores and deletes keys, in a file or the keyring; a key is read without echo."""

from __future__ import annotations

import sys

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError
from agentctl.origin import origin_of
from agentctl.profile.credentials import (
    MAX_KEY_LENGTH,
    TRACING,
    KeyFromCommand,
    StoredKey,
    check_key,
    keyring_entry,
    load_credentials,
    register_key,
    remove_key,
    store_key,
)
from agentctl.profile.load import NO_HOME, Loaded, find_key, find_paths, load_settings
from agentctl.profile.store import DEFAULT_PROFILE, load_profiles, set_values

from .invocation import Invocation


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOptions:
    """The options of `set-key`."""

    is_for_tracing: bool = False
    """Whether to store the key for exporting traces instead of the key of the endpoint."""
    use_for_tracing: bool = True
    """Whether traces may be exported with the key of the endpoint."""
    to_keyring: bool = False
    no_input: bool = False


def set_key(options: KeyOptions, invocation: Invocation) -> None:
    """Read a key and store it in the profile, which is created if it does not exist.

    Raises:
        ConfigurationError: the input is no key, or it cannot be stored.
    """
    path = find_paths(invocation.environ, invocation.config, invocation.profile).credentials
    if path is None:
        raise ConfigurationError(NO_HOME)
    loaded = _load(invocation, may_be_new=True)
    profile = loaded.profile.name
    purpose, what = _purpose(loaded, is_for_tracing=options.is_for_tracing)
    previous = load_credentials(path, profile).keys.get(purpose)
    try:
        key = check_key(_ask(what, no_input=options.no_input))
    except ValueError as error:
        raise ConfigurationError(f"{error}; nothing was stored") from None
    register_key(key)
    if options.to_keyring:
        # 12 ms, needed only for the keyring; the same below.
        from agentctl.profile.keyring import store

        store(keyring_entry(profile, purpose), key)
    stored = StoredKey(value=None if options.to_keyring else key, use_for_tracing=options.use_for_tracing)
    store_key(path, profile, purpose, stored)
    if profile not in load_profiles(loaded.paths.profile).names:
        set_values(loaded.paths.profile, {}, loaded.paths.named)
        invocation.note(f"created the profile {profile}")
    invocation.note(f"stored the key for {what} in {'the keyring' if options.to_keyring else path}{_of(profile)}")
    if not options.to_keyring and previous is not None and previous.value is None:
        _delete_old_entry(keyring_entry(profile, purpose), invocation)
    if not options.is_for_tracing:
        _note_precedence(loaded, invocation)


def unset_key(invocation: Invocation, *, is_for_tracing: bool = False) -> None:
    """Delete a key of the profile from the file or the keyring, and report whether there was one.

    Raises:
        ConfigurationError: it cannot be deleted.
    """
    loaded = _load(invocation, may_be_new=False)
    path, profile = loaded.paths.credentials, loaded.profile.name
    purpose, what = _purpose(loaded, is_for_tracing=is_for_tracing)
    key = load_credentials(path, profile).keys.get(purpose)
    if key is not None and key.value is None:
        from agentctl.profile.keyring import delete

        delete(keyring_entry(profile, purpose))
    found = remove_key(path, profile, purpose)
    invocation.note(f"{'deleted the key' if found else 'no key was stored'} for {what}{_of(profile)}")


def _load(invocation: Invocation, *, may_be_new: bool) -> Loaded:
    loaded = load_settings(
        {},
        environ=invocation.environ,
        config=invocation.config,
        profile=invocation.profile,
        may_be_new=may_be_new,
    )
    for note in loaded.notes:
        invocation.note(f"note: {note}")
    return loaded


def _purpose(loaded: Loaded, *, is_for_tracing: bool) -> tuple[str, str]:
    """Return the purpose that the key is stored for, and its name in messages."""
    origin = origin_of(loaded.settings.client.base_url)
    return (TRACING, "traces") if is_for_tracing else (origin, origin)


def _ask(what: str, *, no_input: bool) -> str:
    """Return the key as entered: without echo on a terminal, else the first line of stdin."""
    if not sys.stdin.isatty():
        return sys.stdin.buffer.readline(MAX_KEY_LENGTH + 2).decode("utf-8", errors="replace").lstrip("\ufeff")
    if no_input or not sys.stderr.isatty():
        raise ConfigurationError(
            'no key was given, and prompting is not possible; pipe it in: printf %s "$KEY" | agentctl config set-key'
        )
    from getpass import getpass  # needed only for the prompt

    try:
        return getpass(f"Key for {what} (not shown): ", stream=sys.stderr)
    except EOFError:
        return ""


def _of(profile: str) -> str:
    return "" if profile == DEFAULT_PROFILE else f", for the profile {profile}"


def _delete_old_entry(entry: str, invocation: Invocation) -> None:
    """Delete the previous key from the keyring; if that fails, the new one is used all the same."""
    from agentctl.profile.keyring import delete

    try:
        delete(entry)
    except ConfigurationError as error:
        invocation.note(f"note: the keyring still has the previous key, {entry!r} of agentctl: {error}")


def _note_precedence(loaded: Loaded, invocation: Invocation) -> None:
    if invocation.environ.get("AGENTCTL_API_KEY"):
        invocation.note("note: AGENTCTL_API_KEY is set and takes precedence over it")
    elif isinstance(find_key(loaded, invocation.environ).credential, KeyFromCommand):
        invocation.note("note: key_command is set and takes precedence over it")
