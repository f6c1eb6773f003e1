"""Keys as the command line stores and removes them: asked for without being shown, kept in a file or the keyring."""

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
class KeyOrder:
    """Which key is to be stored, and how."""

    is_for_tracing: bool = False
    """Whether it is the key that traces are exported with, not that of the endpoint."""
    use_for_tracing: bool = True
    """Whether traces may be exported with that of the endpoint."""
    to_keyring: bool = False
    no_input: bool = False


def set_key(order: KeyOrder, invocation: Invocation) -> None:
    """Ask for a key, store it in the profile, which is made where it is missing, and say so.

    Raises:
        ConfigurationError: what was given is no key, or it cannot be kept.
    """
    path = find_paths(invocation.environ, invocation.config, invocation.profile).credentials
    if path is None:
        raise ConfigurationError(NO_HOME)
    loaded = _load(invocation, may_be_new=True)
    profile = loaded.profile.name
    purpose, what = _purpose(loaded, is_for_tracing=order.is_for_tracing)
    before = load_credentials(path, profile).keys.get(purpose)
    try:
        key = check_key(_ask(what, no_input=order.no_input))
    except ValueError as error:
        raise ConfigurationError(f"{error}; nothing was stored") from None
    register_key(key)
    if order.to_keyring:
        # 12 ms that only the keyring costs, here and below.
        from agentctl.profile.keyring import store

        store(keyring_entry(profile, purpose), key)
    stored = StoredKey(value=None if order.to_keyring else key, use_for_tracing=order.use_for_tracing)
    store_key(path, profile, purpose, stored)
    if profile not in load_profiles(loaded.paths.profile).names:
        set_values(loaded.paths.profile, {}, loaded.paths.named)
        invocation.note(f"made the profile {profile}")
    invocation.note(f"stored the key for {what} in {'the keyring' if order.to_keyring else path}{_of(profile)}")
    if not order.to_keyring and before is not None and before.value is None:
        _forget_former(keyring_entry(profile, purpose), invocation)
    if not order.is_for_tracing:
        _note_what_goes_before(loaded, invocation)


def unset_key(invocation: Invocation, *, is_for_tracing: bool = False) -> None:
    """Remove a stored key of the profile from where it is kept, and say whether there was one.

    Raises:
        ConfigurationError: it cannot be removed.
    """
    loaded = _load(invocation, may_be_new=False)
    path, profile = loaded.paths.credentials, loaded.profile.name
    purpose, what = _purpose(loaded, is_for_tracing=is_for_tracing)
    key = load_credentials(path, profile).keys.get(purpose)
    if key is not None and key.value is None:
        from agentctl.profile.keyring import delete

        delete(keyring_entry(profile, purpose))
    found = remove_key(path, profile, purpose)
    invocation.note(f"{'removed the key' if found else 'no key was stored'} for {what}{_of(profile)}")


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
    """Return what the key is stored for, and that in words."""
    origin = origin_of(loaded.settings.client.base_url)
    return (TRACING, "traces") if is_for_tracing else (origin, origin)


def _ask(what: str, *, no_input: bool) -> str:
    """Return what the user gives as the key: hidden on the terminal, else the first line of stdin."""
    if not sys.stdin.isatty():
        return sys.stdin.buffer.readline(MAX_KEY_LENGTH + 2).decode("utf-8", errors="replace").lstrip("\ufeff")
    if no_input or not sys.stderr.isatty():
        raise ConfigurationError(
            'no key was given, and nobody may be asked; pipe it in: printf %s "$KEY" | agentctl config set-key'
        )
    from getpass import getpass  # only a question needs it

    try:
        return getpass(f"Key for {what} (not shown): ", stream=sys.stderr)
    except EOFError:
        return ""


def _of(profile: str) -> str:
    return "" if profile == DEFAULT_PROFILE else f", for the profile {profile}"


def _forget_former(entry: str, invocation: Invocation) -> None:
    """Remove the key that the keyring had before; the new one is in force, even where that fails."""
    from agentctl.profile.keyring import delete

    try:
        delete(entry)
    except ConfigurationError as error:
        invocation.note(f"note: the keyring still has the former key, {entry!r} of agentctl: {error}")


def _note_what_goes_before(loaded: Loaded, invocation: Invocation) -> None:
    if invocation.environ.get("AGENTCTL_API_KEY"):
        invocation.note("note: AGENTCTL_API_KEY is set, and goes before it")
    elif isinstance(find_key(loaded, invocation.environ).credential, KeyFromCommand):
        invocation.note("note: key_command is set, and goes before it")
